"""A recording as JSON lines, there and back."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings.recorder.footer import Footer
from recordings.recorder.moment import Kind, Moment
from recordings.replay.jsonl import NoRecordingError, footer_fields, read, read_head, written
from tests.recordings.replay.conversation import HEAD, SHELL

FOOTER = Footer("exited", 0, "", "", received=1, sent=2, duration=11_000_000, chunks=1, index=((0, 5),))
MOMENTS = st.lists(
    st.builds(Moment, st.integers(0, 10**13), st.sampled_from(list(Kind)), st.binary(max_size=20)), max_size=5
)


def test_each_moment_is_a_line():
    lines = [json.loads(line) for line in written(HEAD, SHELL[:2], FOOTER)]
    assert lines[1:] == [
        {"at": 0.0, "kind": "resize", "text": "40x10"},
        {"at": 0.1, "kind": "stdout", "text": "$ "},
        {"end": footer_fields(FOOTER)},
    ]
    assert "index" not in lines[3]["end"]
    assert lines[0]["head"]["command"] == ["sh"]


@given(MOMENTS)
def test_what_was_written_is_read_back(moments):
    head, *rest = written(HEAD, moments, None)
    assert read_head(head) == HEAD
    assert list(read(rest)) == [*moments, None]


def test_the_end_is_read_back_but_for_the_files_index():
    *_, end = written(HEAD, [], FOOTER)
    assert list(read([end])) == [Footer("exited", 0, "", "", received=1, sent=2, duration=11_000_000, chunks=1)]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "[]",
        "nonsense",
        "{}",
        '{"at":1}',
        '{"at":"x","kind":"stdout","text":""}',
        '{"at":1,"kind":"smell","text":""}',
        '{"at":1,"kind":"stdout","text":5}',
        '{"at":1,"kind":"stdout","base64":"%"}',
        '{"end":{"ended":1}}',
        '{"error":"the disk broke"}',
        "[" * 100_000,
    ],
)
def test_what_is_no_moment_is_said_so(line):
    with pytest.raises(NoRecordingError):
        list(read([line]))


@pytest.mark.parametrize("line", ["{}", '{"head":[]}', '{"head":{}}', '{"head":{"id":1}}', "x"])
def test_what_is_no_head_is_said_so(line):
    with pytest.raises(NoRecordingError):
        read_head(line)


def test_lines_that_break_off_are_no_whole_recording():
    with pytest.raises(NoRecordingError, match="broke off"):
        list(read(list(written(HEAD, SHELL, FOOTER))[1:-1]))


@pytest.mark.parametrize("at", ["1e999", "-1", "NaN", "1e300", '"x"'])
def test_a_time_that_cannot_be_is_refused(at):
    with pytest.raises(NoRecordingError):
        list(read([f'{{"at":{at},"kind":"stdout","text":"x"}}']))

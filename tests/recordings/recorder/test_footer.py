from itertools import pairwise

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings.recorder.footer import (
    MAX_INDEX,
    ChunkIndex,
    Footer,
    footer_payload,
    head_of,
    head_payload,
    read_footer,
    read_head,
)
from recordings.recorder.frames import RecordingDamagedError
from tests.recordings.recorder.test_store import head

FOOTER = Footer("exited", 3, "bye", "", 1, 2, 3_000_000, 4, ((0, 17), (5, 99)))


def test_heads_and_footers_come_back():
    assert read_head(head_payload(head())) == head()
    assert read_footer(footer_payload(FOOTER)) == FOOTER


def test_a_command_that_is_no_text_is_kept_escaped():
    assert read_head(head_payload(head(command=("a\udcff", "ü")))).command == ("a\\udcff", "ü")


@given(st.binary(max_size=60) | st.sampled_from([b"{}", b"[]", b"null", b'{"command":3}', b'{"index":[[1]]}']))
def test_other_bytes_are_damage(data):
    for read in (read_head, read_footer):
        with pytest.raises(RecordingDamagedError):
            read(data)


def test_what_a_later_version_adds_is_passed_over():
    payload = footer_payload(FOOTER)[:-1] + b',"later":1}'
    assert read_footer(payload) == FOOTER


@given(st.integers(0, 40_000))
def test_an_index_is_thinned_and_begins_at_the_first_chunk(count):
    chunks = [(number, number * 10) for number in range(count)]
    growing = ChunkIndex()
    for one in chunks:
        growing.add(*one)
    index = growing.entries()
    assert growing.count == count
    assert min(count, MAX_INDEX // 2) <= len(index) <= MAX_INDEX
    assert len({after[0] - before[0] for before, after in pairwise(index)}) <= 1
    assert index[:1] == tuple(chunks[:1])
    assert set(index) <= set(chunks)


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("started", "x"),
        ("started", True),
        ("started", -1),
        ("started", 1e300),
        ("command", [1]),
        ("username", 5),
        ("tty", "no"),
        ("id", None),
    ],
)
def test_a_head_of_other_types_is_damage_and_not_an_error_of_whoever_shows_it(member, value):
    members = orjson.loads(head_payload(head())) | {member: value}
    with pytest.raises(RecordingDamagedError):
        read_head(orjson.dumps(members))


def test_a_text_with_a_lone_surrogate_is_damage():
    with pytest.raises(RecordingDamagedError):
        head_of(orjson.loads(head_payload(head())) | {"username": "\ud800"})


@pytest.mark.parametrize(
    ("member", "value"),
    [("duration", "x"), ("duration", -1), ("chunks", True), ("exit_code", "0"), ("why", None), ("index", [5])],
)
def test_a_footer_of_other_types_is_damage(member, value):
    members = orjson.loads(footer_payload(FOOTER)) | {member: value}
    with pytest.raises(RecordingDamagedError):
        read_footer(orjson.dumps(members))

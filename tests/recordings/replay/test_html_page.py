"""A recording as one page."""

import base64
import json
import re
from dataclasses import replace
from hashlib import sha256

import pytest

from recordings.audit.row import harmless
from recordings.recorder.footer import Footer
from recordings.recorder.moment import Kind
from recordings.replay import html_page
from recordings.replay.html_page import PageTooLargeError, page
from recordings.replay.transcript import transcript
from tests.recordings.replay.conversation import HEAD, SHELL, other, said

FOOTER = Footer("exited", 3, "", "", received=1, sent=2, duration=11_000_000, chunks=1)


def made(moments=SHELL, head=HEAD, footer=FOOTER, **more) -> str:
    return page(head, moments, footer, list(transcript(head, moments)), **more)


def held(text: str) -> dict:
    return json.loads(re.search(r'<script type="application/json" id="recording">(.*?)</script>', text, re.DOTALL)[1])


def test_the_page_loads_nothing_and_runs_one_script_by_its_digest():
    text = made()
    script = re.search(r"<script>(.*?)</script>", text, re.DOTALL)[1]
    digest = base64.b64encode(sha256(script.encode()).digest()).decode()
    assert f"script-src &#x27;sha256-{digest}&#x27;" in text
    assert "default-src &#x27;none&#x27;" in text
    assert not re.search(r"(?:src|href)\s*=", text)
    assert "http" not in re.sub(r"http-equiv", "", text)


def test_the_page_holds_what_was_drawn_the_commands_and_how_it_ended():
    data = held(made())
    assert data["commands"] == [[2_000_000, "ls"], [4_000_000, "cat file\\ one"]]
    assert [4_100_000, "secret"] in data["lines"]
    assert ["Ended", "exit code 3"] in data["about"]
    assert data["duration"] == 11_000_000
    assert data["frames"][0] == [0, [], [0, 0], [40, 10]]
    assert data["styles"][0] == ["default", "default", 0]


def test_a_row_that_only_moves_stands_in_the_page_once():
    data = held(made([other(0, Kind.RESIZE, b"20x3"), *(said(n, b"\r\nrow %d" % n) for n in range(1, 9))]))
    assert sorted(row[0] for row in data["rows"] if row) == [f"row {n}" for n in range(1, 9)]
    assert data["frames"][-1][1] == [
        place for y, n in enumerate((6, 7, 8)) for place in (y, data["rows"].index([f"row {n}", 0]))
    ]


def test_input_is_left_out_unless_asked_for():
    assert "hunter2" not in made()
    assert "hunter2" in made(with_input=True)


@pytest.mark.parametrize("hostile", ["</script><script>alert(1)</script>", "<!--<script>", "\u2028alert()", "&lt;"])
def test_nothing_recorded_becomes_markup(hostile):
    head = replace(HEAD, username=hostile, pod=hostile, command=(hostile,))
    text = made([said(1, hostile.encode() + b"\r\n")], head)
    assert text.count("<script") == 2
    assert text.count("</script") == 2
    assert "\u2028" not in text
    assert ["Person", harmless(hostile)] in held(text)["about"]


def test_an_interrupted_recording_makes_a_page_too():
    data = held(made(footer=None))
    assert ["Ended", "no end is known"] in data["about"]
    assert data["duration"] == 10_300_000


def test_what_is_more_than_a_page_can_hold_is_said_so(monkeypatch):
    monkeypatch.setattr(html_page, "MAX_PAGE_CHARS", 100)
    with pytest.raises(PageTooLargeError, match="asciicast"):
        made()

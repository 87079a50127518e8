"""Claims about reading what an anchor has kept."""

from __future__ import annotations

import json

import pytest

from recordings.audit.anchors.kept import notes_of
from recordings.audit.checkpoint import to_line
from recordings.audit.note import NoteError
from tests.recordings.audit.anchors.conftest import checkpoint

ONE, TWO = checkpoint(10).note, checkpoint(9).note


@pytest.mark.parametrize(
    ("data", "kept"),
    [
        (ONE.encode(), [ONE]),
        (to_line(ONE) + to_line(TWO) + to_line(ONE), [TWO, ONE]),
        (to_line(ONE) + to_line(TWO)[:-1], [ONE]),
        (to_line(ONE) + to_line(TWO)[:30], [ONE]),
        (to_line(ONE) + to_line(TWO)[:30] + b"\n" + to_line(TWO), [TWO, ONE]),
        (to_line(ONE)[:5] + b"\n" + to_line(TWO), [TWO]),
        (json.dumps({"kind": "ConfigMap", "data": {"a": ONE, "b": TWO}}).encode(), [TWO, ONE]),
    ],
)
def test_every_form_in_which_an_anchor_keeps_them_is_read(data: bytes, kept: list[str]) -> None:
    assert notes_of(data) == kept


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\xff", "it is no text"),
        (b"", "a note is text"),
        (b"{}", "it is neither"),
        (b'{"data":{"a":"rubbish"}}', "a note is text"),
        (b'{"data":[]}', "it is neither"),
        (b'{"checkpoint":"rubbish"}\n', "a note is text"),
        (to_line(ONE).replace(b'{"', b'{ "'), "it is neither"),
    ],
)
def test_what_is_no_checkpoint_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(NoteError, match=said):
        notes_of(data)

"""Claims about remembering how far somebody has read."""

from __future__ import annotations

from pathlib import Path

import pytest

from recordings.audit.cursor import CursorError, Place, parse, read, save

PLACES = {"node-1": Place(11, 0, 900, 14), "node-0": Place(1, 2, 0, 1)}


def test_what_is_saved_is_read_and_an_absent_file_is_the_beginning(tmp_path: Path) -> None:
    path = tmp_path / "cursor"
    assert read(path) == {}
    save(path, PLACES)
    save(path, PLACES | {"node-2": Place(1, 0, 5, 1)})
    assert read(path) == PLACES | {"node-2": Place(1, 0, 5, 1)}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b'{"places":[]}',
        b'{"places":{"a":{"segment":1}}}',
        b'{"places":{"a":{"segment":1,"attempt":0,"byte":-1,"seq":1}}}',
        b'{"places":{"a":{"segment":"1","attempt":0,"byte":1,"seq":1}}}',
    ],
)
def test_a_file_that_is_none_is_not_the_beginning(data: bytes) -> None:
    with pytest.raises(CursorError):
        parse(data)

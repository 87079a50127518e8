"""Claims about legal holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from recordings.audit.holds import FILE, Hold, HoldError, add, as_json, parse, read, remove

DAY = "2026-01-{:02d}T00:00:00.000000Z"


def hold(name: str = "case-17", since: str = DAY.format(10), until: str = DAY.format(20)) -> Hold:
    return Hold(name, "Smith v. Smith", since, until, DAY.format(30))


@pytest.mark.parametrize(
    ("since", "until", "covered"),
    [
        (1, 9, False),
        (1, 10, True),
        (12, 13, True),
        (1, 30, True),
        (19, 25, True),
        (20, 25, False),
    ],
)
def test_a_hold_covers_what_reaches_into_its_span(since: int, until: int, *, covered: bool) -> None:
    assert hold().covers(DAY.format(since), DAY.format(until)) is covered
    assert hold(since="", until="").covers(DAY.format(since), DAY.format(until))


def test_a_time_that_is_not_known_is_covered() -> None:
    assert hold().covers("", "")


def test_a_hold_is_in_force_until_it_is_removed(tmp_path: Path) -> None:
    assert read(tmp_path) == ()
    add(tmp_path, hold())
    add(tmp_path, hold("case-18", "", ""))
    with pytest.raises(HoldError, match="already"):
        add(tmp_path, hold("case-18"))
    assert read(tmp_path) == (hold(), hold("case-18", "", ""))
    assert remove(tmp_path, "case-17") == hold()
    with pytest.raises(HoldError, match="no hold 'case-17'"):
        remove(tmp_path, "case-17")
    assert [one["name"] for one in as_json(read(tmp_path))] == ["case-18"]


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""},
        {"name": "../x"},
        {"name": "A"},
        {"name": "a" * 64},
        {"since": "yesterday"},
        {"until": DAY.format(10)},
    ],
)
def test_a_hold_that_cannot_be_is_refused(change: dict[str, str]) -> None:
    with pytest.raises(HoldError):
        hold(**change)


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b'{"holds":5}', b'{"holds":[{}]}', b'{"holds":[5]}', b'{"holds":[{"name":1}]}'],
)
def test_a_damaged_file_is_an_error_and_not_no_holds(tmp_path: Path, data: bytes) -> None:
    (tmp_path / FILE).write_bytes(data)
    with pytest.raises(HoldError):
        read(tmp_path)


def test_two_holds_of_one_name_are_an_error(tmp_path: Path) -> None:
    add(tmp_path, hold())
    data: Any = (tmp_path / FILE).read_bytes().replace(b"[", b"[" + b"%s," % as_line(hold()), 1)
    with pytest.raises(HoldError, match="same name"):
        parse(data)


def as_line(one: Hold) -> bytes:
    import orjson

    return orjson.dumps(as_json([one])[0])

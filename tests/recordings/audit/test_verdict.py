"""Claims about a verdict."""

from __future__ import annotations

from recordings.audit.verdict import Finding, Kind, Verdict


def test_a_place_is_said_as_exactly_as_it_is_known() -> None:
    assert Finding(Kind.KEYS, "keys", "x").place == "keys"
    assert Finding(Kind.ALTERED, "s", "x", 2, 2, 10, 20).place == "s, line 2, bytes 10-20"
    assert Finding(Kind.ALTERED, "s", "x", 2, 4, 10, 20).place == "s, lines 2-4, bytes 10-20"


def test_only_what_was_verified_and_has_no_finding_is_whole() -> None:
    assert not Verdict("d").is_whole
    assert Verdict("d", checkpoint="note").is_whole
    assert not Verdict("d", checkpoint="note", findings=[Finding(Kind.KEYS, "keys", "x")]).is_whole


def test_unanchored_is_what_no_other_place_tells_of() -> None:
    assert Verdict("d", size=10).unanchored == 10
    assert Verdict("d", size=10, anchored=7).unanchored == 3
    assert Verdict("d", size=10, anchored=12).unanchored == 0


def test_the_form_for_machines() -> None:
    verdict = Verdict("d", "o", 1, 2, 3, 4, 5, "r", "note", 4, [Finding(Kind.ADDED, "s", "m", 1, 2, 3, 4)], ["n"])
    assert verdict.as_json() == {
        "directory": "d",
        "origin": "o",
        "whole": False,
        "segments": 1,
        "lines": 2,
        "records": 3,
        "bytes": 4,
        "checkpoint": {"size": 5, "root": "r", "note": "note"},
        "anchoredLines": 4,
        "unanchoredLines": 1,
        "removedLines": 0,
        "findings": [
            {
                "kind": "added",
                "file": "s",
                "firstLine": 1,
                "lastLine": 2,
                "firstByte": 3,
                "endByte": 4,
                "message": "m",
            }
        ],
        "notices": ["n"],
    }

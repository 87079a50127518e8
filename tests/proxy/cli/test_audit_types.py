"""Claims about the table of types."""

from __future__ import annotations

import json

import pytest

from proxy.cli import main
from recordings.audit.record import TYPES


@pytest.mark.parametrize("form", ["text", "json", "markdown"])
def test_every_type_is_listed_with_its_meaning_and_fields(capsys: pytest.CaptureFixture[str], form: str) -> None:
    assert main(["audit", "types", "-o", form]) == 0
    shown = capsys.readouterr().out
    if form == "json":
        assert json.loads(shown) == [
            {"type": one.type, "meaning": one.meaning, "body": dict(one.fields)} for one in TYPES
        ]
    for one in TYPES:
        assert one.type in shown
        assert one.meaning in shown or form == "json"
        assert all(meaning in shown or form == "json" for _, meaning in one.fields)
    if form == "markdown":
        assert len(shown.splitlines()) == len(TYPES) + 2

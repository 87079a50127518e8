"""Claims about where a log is looked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.cli.audit_place import place, reading
from proxy.cli.client.problem import Problem
from recordings.errors import QuestionError


def test_a_directory_that_is_named_is_the_place(tmp_path: Path) -> None:
    assert place(tmp_path, None) == tmp_path
    with pytest.raises(Problem, match=r"there is no audit log in .*; name its directory with --dir"):
        place(tmp_path / "none", None)


def test_without_a_name_it_is_where_kwit_writes_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "kwit-data" / "audit").mkdir(parents=True)
    assert place(None, None) == Path("kwit-data/audit")


def test_a_config_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="Or name the log's directory with --dir"):
        place(None, tmp_path / "none.yaml")


def test_what_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    def forbidden() -> None:
        raise PermissionError(13, "Permission denied", "segment")

    def asked() -> None:
        raise QuestionError("a time")

    with pytest.raises(Problem, match="segment may not be read by you; run this as the user that runs kwit"):
        reading(forbidden, tmp_path)
    with pytest.raises(Problem, match="expected a time") as caught:
        reading(asked, tmp_path)
    assert caught.value.exit_code == 2

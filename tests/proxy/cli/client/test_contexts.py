"""Claims about replacing somebody's kubeconfig file."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from proxy.cli.client import contexts, private_file
from proxy.cli.client.problem import Problem


def test_the_file_is_chosen_as_kubectl_does(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert contexts.path("given") == Path("given")
    monkeypatch.setenv("KUBECONFIG", os.pathsep + "one" + os.pathsep + "two")
    assert contexts.path(None) == Path("one")
    monkeypatch.delenv("KUBECONFIG")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert contexts.path(None) == tmp_path / ".kube" / "config"


def test_a_link_stays_a_link_and_the_mode_stays(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_bytes(b"a\r\n")
    real.chmod(0o640)
    link.symlink_to(real)
    assert contexts.edit(link, lambda text: text + "b\r\n")
    assert (real.read_bytes(), link.is_symlink()) == (b"a\r\nb\r\n", True)
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert not contexts.edit(link, lambda text: text)


def test_a_new_file_is_private(tmp_path: Path) -> None:
    contexts.edit(tmp_path / "new" / "config", lambda _: "x")
    assert stat.S_IMODE((tmp_path / "new" / "config").stat().st_mode) == 0o600


def test_kubectls_lock_is_waited_for_and_then_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contexts, "LOCK_SECONDS", 0.0)
    (tmp_path / "config.lock").touch()
    with pytest.raises(Problem, match=r"config\.lock is held"):
        contexts.edit(tmp_path / "config", lambda _: "x")
    assert (tmp_path / "config.lock").exists()
    assert not (tmp_path / "config").exists()


def test_a_change_that_fails_leaves_file_and_lock_as_they_were(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("x")
    with pytest.raises(ZeroDivisionError):
        contexts.edit(tmp_path / "config", lambda _: str(1 // 0))
    assert [p.name for p in tmp_path.iterdir()] == ["config"]


def test_what_is_not_utf8_is_named(tmp_path: Path) -> None:
    (tmp_path / "config").write_bytes(b"ab\xff")
    with pytest.raises(Problem, match="byte 2"):
        contexts.edit(tmp_path / "config", lambda text: text)


def test_a_file_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError):
        private_file.write(tmp_path / "folder", "text")
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]

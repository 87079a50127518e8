"""A script is typed where it is awaited, and everything on the screen is kept."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from proxy.demo import terminal
from proxy.demo.terminal import Keys, Sat, Typist, sit

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX's")


def test_keys_are_typed_when_what_they_wait_for_has_come_however_it_is_cut() -> None:
    typist = Typist((Keys(b"$ ", b"one\r"), Keys(b"$ ", b"two\r")))
    assert [typist.see(data) for data in (b"pod$", b" ", b"one\r\n", b"$ ", b"two\r\n$ ")] == [
        b"", b"one\r", b"", b"two\r", b"",
    ]  # fmt: skip
    assert (typist.shown, typist.typed) == (b"pod$ one\r\n$ two\r\n$ ", b"one\rtwo\r")


async def test_a_command_has_a_terminal_of_its_own_and_ends_with_its_code(tmp_path: Path) -> None:
    command = ("sh", "-c", "stty size -echo; printf '? '; read answer; echo $answer; pwd; exit 3")
    sat = await sit(command, (Keys(b"? ", b"yes\r"),), at=tmp_path, environment=os.environ)
    assert sat == Sat(f"24 80\r\n? yes\r\n{tmp_path}\r\n".encode(), b"yes\r", 3)


async def test_what_never_comes_ends_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "SECONDS", 0.05)
    sat = await sit(("sleep", "1000"), (Keys(b"? ", b"yes\r"),), at=tmp_path, environment=os.environ)
    assert sat == Sat(b"", b"", -1)


async def test_a_command_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await sit(("no-such-program",), (), at=tmp_path, environment=os.environ)

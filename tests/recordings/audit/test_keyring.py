"""Claims about a writer's keys on the disk, also where a crash or a full disk cuts in."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from recordings.audit import keyring as module
from recordings.audit.key_chain import SegmentKey, note_of, verified_chain
from recordings.audit.keyring import KEYS, Keyring
from recordings.audit.note import Ed25519Signer, NoteError
from recordings.audit.root_key import private_pem
from recordings.errors import LogUnavailableError

ORIGIN = "acme/audit/node-0"
ROOT = Ed25519Signer.of("acme/audit-root", Ed25519PrivateKey.from_private_bytes(bytes(32)))


def ring(directory: Path) -> Keyring:
    made = Keyring(directory, ORIGIN, ROOT)
    made.open()
    return made


def chain(directory: Path) -> tuple[SegmentKey, ...]:
    lines = (directory / KEYS).read_bytes().split(b"\n")
    assert lines.pop() == b""
    return verified_chain([note_of(line) for line in lines], ROOT.public)


def private_keys(directory: Path) -> list[Path]:
    return sorted(directory.glob("*.key"))


def test_each_segments_key_is_vouched_for_by_the_one_before_also_over_a_restart(tmp_path: Path) -> None:
    one = ring(tmp_path)
    keys = [one.next(0).public]
    one.begun()
    keys.append(one.next(7).public)
    one.begun()
    again = ring(tmp_path)
    assert again.last_size == 7
    keys.append(again.next(9).public)
    assert chain(tmp_path) == (
        SegmentKey(0, keys[0], by_root=True),
        SegmentKey(7, keys[1], by_root=False),
        SegmentKey(9, keys[2], by_root=False),
    )
    assert len(set(keys)) == 3


def test_a_private_key_is_0600_and_destroyed_once_the_next_has_begun(tmp_path: Path) -> None:
    one = ring(tmp_path)
    one.next(0)
    one.begun()
    (first,) = private_keys(tmp_path)
    assert stat.S_IMODE(first.stat().st_mode) == 0o600
    one.next(7)
    one.begun()
    assert first in private_keys(tmp_path)
    one.tidy()
    assert len(private_keys(tmp_path)) == 1
    assert first not in private_keys(tmp_path)


def test_a_private_key_that_a_crash_kept_is_destroyed_after_the_next_start(tmp_path: Path) -> None:
    one = ring(tmp_path)
    one.next(0)
    one.begun()
    one.next(7)
    one.begun()
    again = ring(tmp_path)
    again.tidy()
    assert len(private_keys(tmp_path)) == 1
    again.next(8)
    assert [key.by_root for key in chain(tmp_path)] == [True, False, False]


def test_a_private_key_whose_destruction_a_crash_cut_short_keeps_no_start_from_beginning(tmp_path: Path) -> None:
    one = ring(tmp_path)
    one.next(0)
    one.begun()
    (old,) = private_keys(tmp_path)
    one.next(7)
    one.begun()
    old.write_bytes(bytes(old.stat().st_size))  # overwritten, and the power went
    again = ring(tmp_path)
    again.tidy()
    assert old not in private_keys(tmp_path)
    again.next(8)
    assert [key.by_root for key in chain(tmp_path)] == [True, False, False]


def test_a_key_file_that_holds_another_key_is_refused(tmp_path: Path) -> None:
    one = ring(tmp_path)
    one.next(0)
    one.begun()
    (path,) = private_keys(tmp_path)
    path.write_bytes(private_pem(Ed25519PrivateKey.from_private_bytes(bytes([9]) * 32)))
    with pytest.raises(LogUnavailableError, match="is not the key that its name says"):
        ring(tmp_path)


def test_a_directory_that_cannot_be_listed_breaks_no_chain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = ring(tmp_path)
    one.next(0)
    one.begun()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "iterdir", lambda _: (_ for _ in ()).throw(OSError(5, "broken")))
        with suppress(OSError):
            one.next(7)
    one.next(7)
    one.begun()
    one.next(9)
    assert [key.by_root for key in chain(tmp_path)] == [True, False, False]


def test_asked_again_for_the_same_place_it_gives_the_same_key(tmp_path: Path) -> None:
    one = ring(tmp_path)
    first = one.next(0)
    assert one.next(0) is first
    assert len(chain(tmp_path)) == len(private_keys(tmp_path)) == 1
    one.begun()
    assert one.next(0) is not first
    assert [key.size for key in chain(tmp_path)] == [0, 0]


def test_a_lost_private_key_lets_the_root_begin_anew(tmp_path: Path) -> None:
    one = ring(tmp_path)
    one.next(0)
    one.begun()
    for path in private_keys(tmp_path):
        path.unlink()
    ring(tmp_path).next(5)
    assert [key.by_root for key in chain(tmp_path)] == [True, True]


@pytest.mark.parametrize("cut", [1, 50, 200])
def test_an_entry_that_a_crash_left_unfinished_is_written_anew(tmp_path: Path, cut: int) -> None:
    one = ring(tmp_path)
    one.next(0)
    one.begun()
    whole = (tmp_path / KEYS).read_bytes()
    one.next(4)
    with (tmp_path / KEYS).open("r+b") as file:
        file.truncate(len(whole) + cut)
    again = ring(tmp_path)
    assert again.last_size == 0
    again.next(4)
    again.tidy()
    assert [(key.size, key.by_root) for key in chain(tmp_path)] == [(0, True), (4, False)]
    assert len(private_keys(tmp_path)) == 1


@pytest.mark.parametrize("call", ["write", "fsync", "short"])
def test_an_entry_that_could_not_be_written_is_written_later_with_the_same_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    one = ring(tmp_path)
    one.next(0)
    one.begun()
    real_write, real_fsync = os.write, os.fsync

    def write(fd: int, data: bytes) -> int:
        if data.startswith(b'{"key"') and call == "write":
            raise OSError(28, "full")
        return real_write(fd, data[:20] if data.startswith(b'{"key"') and call == "short" else data)

    def fsync(fd: int) -> None:
        if call == "fsync" and Path(f"/proc/self/fd/{fd}").readlink().name == KEYS:
            raise OSError(5, "broken")
        real_fsync(fd)

    with monkeypatch.context() as patch:
        patch.setattr(module.os, "write", write)
        patch.setattr(module.os, "fsync", fsync)
        for _ in range(3):
            with pytest.raises(OSError, match=r"full|broken|No space"):
                one.next(4)
    assert len(private_keys(tmp_path)) == 2
    one.next(4)
    one.begun()
    one.tidy()
    assert [(key.size, key.by_root) for key in chain(tmp_path)] == [(0, True), (4, False)]
    assert len(private_keys(tmp_path)) == 1


def test_keys_of_another_root_or_log_are_refused(tmp_path: Path) -> None:
    ring(tmp_path).next(0)
    other = Ed25519Signer.of("acme/audit-root", Ed25519PrivateKey.from_private_bytes(bytes([1]) * 32))
    with pytest.raises(LogUnavailableError, match=r"does not lead from the root key acme/audit-root.*key 1"):
        Keyring(tmp_path, ORIGIN, other).open()
    with pytest.raises(LogUnavailableError, match="speaks of acme/audit/node-0, and this log is acme/audit/node-1"):
        Keyring(tmp_path, "acme/audit/node-1", ROOT).open()


def test_an_origin_that_cannot_be_signed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NoteError):
        Keyring(tmp_path, "two words", ROOT)


def test_a_key_that_cannot_be_destroyed_stays_for_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = ring(tmp_path)
    for size in (0, 1):
        one.next(size)
        one.begun()

    def fails(_path: Path) -> None:
        raise OSError(5, "broken")

    with monkeypatch.context() as patch:
        patch.setattr(module, "destroy", fails)
        one.tidy()
    assert len(private_keys(tmp_path)) == 2
    one.tidy()
    assert len(private_keys(tmp_path)) == 1

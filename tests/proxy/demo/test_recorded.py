"""What a recording must hold of the demo's shell, and that a difference is told with its place."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from proxy.demo.evidence import Finding
from proxy.demo.recorded import Recorded, compare, plain, read, seals
from proxy.demo.terminal import Sat
from recordings.recorder.head import RecordingHead
from recordings.recorder.moment import Kind
from recordings.recorder.store import RecordingStore
from recordings.streams.events import Role, Side, StreamData
from recordings.streams.outcome import Ended, Outcome

ID = "a" * 26
HEAD = RecordingHead(ID, 1.7e9, "c", "n", "p", "exec", "audit", "iss", "sub", "alice", "login", "127.0.0.1", "v5")
Make = Callable[[], None]
WHOLE = "the shell's recording is whole, and its digest is in the log"


@pytest.fixture
async def recorded(tmp_path: Path) -> Recorded:
    """`ls` was typed, and `ls`, `file` shown."""
    loop = asyncio.get_running_loop()
    store = RecordingStore(tmp_path, loop=loop, mono=loop.time, max_bytes=1 << 20, writer="w")
    recorder = await store.open(HEAD)
    recorder.take([StreamData(Side.CLIENT, 0, Role.STDIN, b"ls\r")])
    recorder.take([StreamData(Side.SERVER, 1, Role.STDOUT, b"ls\r\n\x1b[1mfile\x1b[0m\r\n")])
    await recorder.close(Outcome(Ended.EXITED, 0), "")
    await store.close()
    found = read(tmp_path, ID)
    assert found is not None
    return found


SAT = Sat(b"ls\r\n\x1b[1mfile\x1b[0m\r\n", b"ls\r", 0)


def seal(recorded: Recorded) -> dict[str, str]:
    return {"recording": ID, "sha256": sha256(recorded.path.read_bytes()).hexdigest()}


async def test_a_recording_that_holds_what_passed_has_three_claims(recorded: Recorded) -> None:
    assert recorded.bytes_of(Kind.STDIN) == b"ls\r"
    assert compare(recorded, seal(recorded), SAT) == [
        Finding(WHOLE),
        Finding("it holds the 18 bytes that were on her screen, each one"),
        Finding("and the 3 that she typed"),
    ]


async def test_a_difference_is_told_with_its_place(recorded: Recorded) -> None:
    other = Sat(SAT.shown.replace(b"file", b"fire"), b"ls\rx", 0)
    digest, shown, typed = compare(recorded, {"sha256": "0" * 64}, other)
    assert digest.problem.startswith(f"the log says {'0' * 64}, the file is ")
    assert shown.problem == "18 bytes instead of 18; they differ from byte 10 on: b'le\\x1b[0m\\r\\n'"
    assert typed.problem == "3 bytes instead of 4; they differ from byte 4 on: b''"


async def test_a_changed_recording_is_told(recorded: Recorded) -> None:
    data = recorded.path.read_bytes()
    recorded.path.chmod(0o600)
    recorded.path.write_bytes(data[:-20])
    found = read(recorded.path.parents[3], ID)
    assert found is None or compare(found, seal(recorded), SAT)[0].problem


def test_without_a_recording_that_is_the_one_claim(tmp_path: Path) -> None:
    assert read(tmp_path, ID) is None
    (finding,) = compare(None, {}, SAT)
    assert finding == Finding("the shell's recording can be read", "there is none")


def test_the_log_tells_of_finished_recordings_only() -> None:
    records: list[dict[str, object]] = [{"type": "kube.request"}, {"type": "recording.seal", "body": {"recording": ID}}]
    assert seals(records) == [{"recording": ID}]


def test_text_has_no_colours_and_no_carriage_returns() -> None:
    assert plain(SAT.shown) == "ls\nfile\n"

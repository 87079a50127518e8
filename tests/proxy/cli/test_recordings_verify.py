"""`kwit recordings verify`: whole, unchanged, and the one that the log sealed."""

import hashlib
from pathlib import Path

import pytest

from proxy.cli.commands import run
from proxy.cli.recordings_verify import findings
from recordings.recorder.directory import RecordingDirectory
from tests.recordings.replay.conversation import HEAD, SHELL
from tests.recordings.replay.library import Library


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    library = Library(tmp_path / "recordings")
    await library.add(HEAD, SHELL)
    await library.close()
    found = RecordingDirectory(library.root).path_of(HEAD.id)
    assert found is not None
    return found


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


async def test_a_whole_recording_has_no_findings(path, capsys):
    assert findings(path, None) == []
    assert findings(path, {HEAD.id: digest(path)}) == []
    assert run(["recordings", "verify", str(path)]) == 0
    assert run(["recordings", "verify", HEAD.id, "--dir", str(path.parents[3])]) == 0
    assert run(["recordings", "verify", "--dir", str(path.parents[3])]) == 0
    assert "1 recording, 0 with findings" in capsys.readouterr().err


async def test_a_changed_byte_is_found(path, capsys):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert findings(path, None) != []
    assert run(["recordings", "verify", "--dir", str(path.parents[3])]) == 1
    assert HEAD.id in capsys.readouterr().out


async def test_another_file_than_the_log_sealed_is_found(path):
    assert findings(path, {}) == ["the log never sealed it"]
    assert findings(path, {HEAD.id: "0" * 64}) == ["it is not the file that the log sealed: another digest"]


async def test_a_recording_under_anothers_id_is_found(path):
    other = path.with_name("c" * 26 + ".kwr")
    other.write_bytes(path.read_bytes())
    assert findings(other, None) == [f"it says of itself that it is {HEAD.id}"]


async def test_what_is_no_recording_is_found(tmp_path):
    path = tmp_path / "x.kwr"
    path.write_bytes(b"nonsense")
    assert len(findings(path, None)) == 1


async def test_nothing_named_is_a_mistake(capsys):
    assert run(["recordings", "verify"]) == 2
    assert run(["recordings", "verify", "a" * 26]) == 2
    assert "--dir" in capsys.readouterr().err


async def test_a_recording_that_the_log_sealed_and_that_is_gone_is_found(path, tmp_path, monkeypatch, capsys):
    sealed = {"type": "recording.seal", "body": {"recording": HEAD.id, "sha256": digest(path)}}
    gone = {"type": "recording.seal", "body": {"recording": "d" * 26, "sha256": "0"}}
    removed = {"type": "recording.seal", "body": {"recording": "e" * 26, "sha256": "0"}}
    removal = {"type": "recording.remove", "outcome": "done", "body": {"recording": "e" * 26}}
    records = [sealed, gone, removed, removal]
    monkeypatch.setattr(
        "proxy.cli.recordings_verify.oldest_first",
        lambda _, question: (one for one in records if one["type"] == question.type),
    )
    (tmp_path / "audit").mkdir()
    words = ["recordings", "verify", "--dir", str(path.parents[3]), "--log", str(tmp_path / "audit")]
    assert run(words) == 1
    assert capsys.readouterr().out == f"{'d' * 26}: the log sealed it, and it is not there\n"

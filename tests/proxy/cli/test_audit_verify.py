"""Claims about `kwit audit verify`, run as an auditor runs it, on files as the log writes them."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from proxy.cli import main
from proxy.cli.audit_verify import described
from recordings.audit.keyring import Keyring
from recordings.audit.log import AuditLog, LogSettings
from recordings.audit.notary import Notary
from recordings.audit.note import Ed25519Signer
from recordings.audit.record import Outcome, RecordType
from recordings.audit.segments import segments
from recordings.audit.verdict import Finding, Kind, Verdict

ROOT = Ed25519Signer.of("acme/audit-root", Ed25519PrivateKey.from_private_bytes(bytes(32)))
KEY = str(ROOT.public)

Out = Callable[[], tuple[str, str]]


async def write(directory: Path) -> None:
    numbers = iter(range(100))
    log = AuditLog(
        LogSettings(directory, directory.name),
        loop=asyncio.get_running_loop(),
        clock=lambda: 1_700_000_000.0,
        mono=lambda: 0.0,
        new_id=lambda: f"record-{next(numbers):03d}",
        boot="b",
        notary=Notary(Keyring(directory, f"acme/audit/{directory.name}", ROOT)),
    )
    await log.open()
    await log.durable(log.append(RecordType.CONFIG_CHANGE, Outcome.DONE, body={"what": "\x9b31m red"}))
    await log.close()


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("proxy.cli.audit_verify.PATIENCE_TIMES", 0)
    root = tmp_path / "kwit-data" / "audit"
    asyncio.run(write(root / "node-0"))
    asyncio.run(write(root / "node-1"))
    return root


@pytest.fixture
def out(capsys: pytest.CaptureFixture[str]) -> Out:
    def read() -> tuple[str, str]:
        captured = capsys.readouterr()
        return captured.out, captured.err

    return read


def test_a_whole_log_is_exit_code_0_and_says_what_is_unanchored(log: Path, out: Out) -> None:
    assert main(["audit", "verify", "--key", KEY]) == 0
    text, error = out()
    assert error == ""
    assert text.splitlines()[0].startswith("acme/audit/node-0: whole. 3 records in 1 segment, ")
    assert text.splitlines()[2] == (
        "  anchored  none; 6 lines have no checkpoint kept elsewhere: loss of the newest would go unseen (--anchor)"
    )


def test_the_key_may_be_a_file_and_the_log_a_directory(log: Path, out: Out, tmp_path: Path) -> None:
    (tmp_path / "root.pub").write_text(KEY + "\n")
    assert main(["audit", "verify", str(log / "node-1"), "--key", "root.pub"]) == 0
    assert out()[0].startswith("acme/audit/node-1: whole.")


def test_a_line_that_was_changed_is_exit_code_1_and_named(log: Path, out: Out) -> None:
    (path,) = segments(log / "node-1")
    path.write_bytes(path.read_bytes().replace(b"red", b"rad"))
    assert main(["audit", "verify", "--key", KEY]) == 1
    text = out()[0]
    assert "acme/audit/node-0: whole." in text
    assert "acme/audit/node-1: NOT WHOLE." in text
    assert f"  ALTERED   {path.name}, line 4, bytes " in text
    assert main(["audit", "verify", "--key", KEY, "-o", "json"]) == 1
    read = json.loads(out()[0])
    assert (read["whole"], [one["whole"] for one in read["writers"]]) == (False, [True, False])
    (finding,) = read["writers"][1]["findings"]
    assert (finding["kind"], finding["file"], finding["firstLine"], finding["lastLine"]) == ("altered", path.name, 4, 4)


def test_checkpoints_kept_elsewhere_are_compared(log: Path, out: Out, tmp_path: Path) -> None:
    assert main(["audit", "verify", "--key", KEY, "-o", "json"]) == 0
    anchors = []
    for number, one in enumerate(json.loads(out()[0])["writers"]):
        (tmp_path / f"{number}.checkpoint").write_text(one["checkpoint"]["note"])
        anchors += ["--anchor", f"{number}.checkpoint"]
    assert main(["audit", "verify", "--key", KEY, *anchors]) == 0
    assert out()[0].count("every line has a checkpoint kept elsewhere") == 2
    for path in (log / "node-1").iterdir():
        path.unlink()
    asyncio.run(write(log / "node-1"))
    assert main(["audit", "verify", "--key", KEY, *anchors]) == 1
    assert "ANCHOR" in out()[0]


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--key", "none"], 2, "the public key none cannot be read: No such file or directory"),
        (["--key", "a+b+c"], 2, "--key takes NAME+ID+BASE64, or a file that holds it"),
        (["--key", KEY, "--anchor", "none"], 2, "the checkpoint none cannot be read"),
        (["--key", KEY, "--anchor", "rubbish"], 2, "rubbish is no checkpoint that was kept elsewhere: a note is"),
        (["--key", KEY, "--anchor", "binary"], 2, "binary is no checkpoint that was kept elsewhere: it is no text"),
        (["--key", KEY, "--anchor", "large"], 2, "large is no checkpoint that was kept elsewhere: a note has at most"),
        (["--key", KEY, "empty"], 1, "there is no log in empty"),
        (["--key", KEY, "none"], 1, "there is no audit log in none"),
        (["--key", KEY, "--proof", "rubbish"], 1, "rubbish does not hold: it is not a proof"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    log: Path, out: Out, tmp_path: Path, options: list[str], code: int, said: str
) -> None:
    (tmp_path / "rubbish").write_text("rubbish")
    (tmp_path / "binary").write_bytes(b"\xff")
    (tmp_path / "large").write_bytes(b"x" * 2_000_000)
    (tmp_path / "empty").mkdir()
    assert main(["audit", "verify", *options]) == code
    text, error = out()
    assert text == ""
    assert said in error
    assert error.count("\n") == 1


def test_without_a_key_it_is_wrong_usage(log: Path, out: Out) -> None:
    assert main(["audit", "verify"]) == 2
    assert "--key" in out()[1]


def test_a_proof_is_checked_anywhere(log: Path, out: Out, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["audit", "prove", "record-001", "--dir", str(log / "node-0"), "--out", "p.json"]) == 0
    out()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "p.json").rename(elsewhere / "p.json")
    monkeypatch.chdir(elsewhere)
    assert main(["audit", "verify", "--proof", "p.json", "--key", KEY]) == 0
    text, error = out()
    assert json.loads(text)["id"] == "record-001"
    assert "\x9b" not in text
    assert error == "line 4 of acme/audit/node-0, as signed when it had 4 lines:\n"
    assert main(["audit", "verify", "--proof", "p.json", "--key", KEY, "-o", "json"]) == 0
    read = json.loads(out()[0])
    assert [(one["line"], one["origin"], one["size"]) for one in read["records"]] == [(4, "acme/audit/node-0", 4)]
    (elsewhere / "p.json").write_text((elsewhere / "p.json").read_text().replace("red", "rad"))
    assert main(["audit", "verify", "--proof", "p.json", "--key", KEY]) == 1
    assert out() == ("", "kwit: p.json does not hold: record 1: the record is not leaf 3 of this tree of 4\n")


def test_what_the_files_say_cannot_command_a_terminal() -> None:
    finding = Finding(Kind.KEYS, "\x1b[2J", "\x9b31m")
    verdict = Verdict("d", origin="\x1b[31m", findings=[finding], notices=["\x07"])
    assert all(line.isprintable() for line in described(verdict))


def test_partly_anchored_is_said_with_both_numbers() -> None:
    verdict = Verdict("d", size=1000, anchored=900, checkpoint="note", root="r")
    assert described(verdict)[-1] == (
        "  anchored  900 lines; 100 lines have no checkpoint kept elsewhere: loss of the newest would go unseen"
    )


def test_progress_is_for_terminals_and_leaves_the_answer_alone(log: Path) -> None:
    outer, inner = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "proxy.cli", "audit", "verify", str(log), "--key", KEY],
        stdout=subprocess.PIPE,
        stderr=inner,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3]), "TERM": "xterm"},
        text=True,
        check=True,
    )
    os.close(inner)
    shown = os.read(outer, 65536)
    os.close(outer)
    assert b"bytes" in shown or b"B" in shown
    assert done.stdout.startswith("acme/audit/node-0: whole.")
    assert "\x1b" not in done.stdout


def test_a_log_that_is_being_written_is_waited_for(log: Path, out: Out, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proxy.cli.audit_verify.PATIENCE_TIMES", 2)
    (path,) = segments(log / "node-1")
    data = path.read_bytes()
    unsigned = data[: data[:-1].rfind(b"\n") + 1]
    path.write_bytes(unsigned)

    def sleep(_seconds: float) -> None:
        path.write_bytes(data)

    monkeypatch.setattr("proxy.cli.audit_verify.time.sleep", sleep)
    assert main(["audit", "verify", "--key", KEY]) == 0
    path.write_bytes(unsigned)
    monkeypatch.setattr("proxy.cli.audit_verify.time.sleep", lambda _seconds: None)
    assert main(["audit", "verify", "--key", KEY]) == 1
    assert "UNSIGNED" in out()[0]

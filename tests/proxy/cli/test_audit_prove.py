"""Claims about `kwit audit prove`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from proxy.cli import main
from recordings.audit.keyring import Keyring
from recordings.audit.log import AuditLog, LogSettings
from recordings.audit.notary import Notary
from recordings.audit.note import Ed25519Signer
from recordings.audit.proof import check_proof, parse_proof

ROOT = Ed25519Signer.of("acme/audit-root", Ed25519PrivateKey.from_private_bytes(bytes(32)))


async def write(directory: Path) -> None:
    log = AuditLog(
        LogSettings(directory, "node-0"),
        loop=asyncio.get_running_loop(),
        clock=lambda: 1_700_000_000.0,
        mono=lambda: 0.0,
        new_id=lambda: "record-0",
        boot="b",
        notary=Notary(Keyring(directory, "acme/audit/node-0", ROOT)),
    )
    await log.open()
    await log.close()


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    asyncio.run(write(tmp_path / "kwit-data" / "audit" / "node-0"))
    return tmp_path / "kwit-data" / "audit" / "node-0"


def test_the_proof_goes_to_stdout(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "prove", "record-0"]) == 0
    captured = capsys.readouterr()
    proof = parse_proof(captured.out.encode())
    check_proof(proof, ROOT.public)
    assert [json.loads(one.record)["type"] for one in proof.records] == ["log.start", "log.stop"]
    assert captured.err == ""


def test_or_to_a_new_file(log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "prove", "record-0", "--out", "p.json"]) == 0
    assert capsys.readouterr() == (
        "",
        "2 records proven in p.json; check it with: kwit audit verify --proof p.json --key PUB\n",
    )
    check_proof(parse_proof((tmp_path / "p.json").read_bytes()), ROOT.public)
    assert main(["audit", "prove", "record-0", "--out", "p.json"]) == 1
    assert capsys.readouterr().err == "kwit: p.json cannot be written: File exists\n"


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda path: None, "no record has the id 'record-1'; `kwit audit search -o name` lists ids"),
        (lambda path: path.write_bytes(path.read_bytes().replace(b"record-0", b"record-1")), "is not leaf"),
    ],
)
def test_what_cannot_be_proven_is_one_sentence(
    log: Path, capsys: pytest.CaptureFixture[str], harm: Callable[[Path], object], said: str
) -> None:
    harm(log / f"{1:020d}.ndjson")
    assert main(["audit", "prove", "record-1"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert err.count("\n") == 1

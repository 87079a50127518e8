"""Claims about proofs: they hold anywhere with the root key alone, and for nothing but what was recorded."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from recordings.audit.checkpoint import Checkpoint, signed, unverified
from recordings.audit.keyring import Keyring
from recordings.audit.log import AuditLog, LogSettings
from recordings.audit.merkle import ProofError, Stretch, Tree, leaf_hash
from recordings.audit.notary import Notary
from recordings.audit.note import Ed25519Signer
from recordings.audit.proof import Proof, ProvenRecord, check_proof, parse_proof
from recordings.audit.prove import prove
from recordings.audit.record import Outcome, RecordType
from recordings.audit.segments import forwards, segments

ROOT = Ed25519Signer.of("acme/audit-root", Ed25519PrivateKey.from_private_bytes(bytes(32)))
OTHER = Ed25519Signer.of("acme/audit-root", Ed25519PrivateKey.from_private_bytes(bytes([1]) * 32))
INDEPENDENT = Path(__file__).with_name("independent.py")


async def write(directory: Path, rounds: int = 12) -> None:
    numbers = iter(range(1000))
    log = AuditLog(
        LogSettings(directory, "w", segment_bytes=4_000),
        loop=asyncio.get_running_loop(),
        clock=lambda: 1_700_000_000.0,
        mono=lambda: 0.0,
        new_id=lambda: f"record-{next(numbers):04d}",
        boot="b",
        notary=Notary(Keyring(directory, "acme/audit/w", ROOT)),
    )
    await log.open()
    for number in range(rounds):
        event = {"auditID": f"request-{number:04d}", "userAgent": "ü" * 40}
        await log.durable(log.append(RecordType.KUBE_REQUEST, Outcome.INTENT, event=event))
        await log.durable(log.append(RecordType.KUBE_REQUEST, Outcome.DONE, event=event))
        log.append(RecordType.CONFIG_CHANGE, Outcome.DONE, body={"what": "x" * 60})
    await log.close()


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("log") / "w"
    asyncio.run(write(path))
    return path


@pytest.fixture(scope="module")
def proof(directory: Path) -> Proof:
    return prove(directory, "request-0007")


def independently(root: object, place: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", INDEPENDENT, str(root), str(place)], capture_output=True, text=True, check=False
    )


def test_every_record_can_be_proven_and_comes_back_from_its_file(directory: Path) -> None:
    for path in segments(directory):
        for line in forwards(path):
            record = json.loads(line)
            if "id" not in record:
                continue
            made = prove(directory, record["id"])
            assert parse_proof(made.as_json()) == made
            (checkpoint,) = check_proof(made, ROOT.public)
            assert [one.record for one in made.records] == [line]
            assert checkpoint.size > made.records[0].index


def test_a_request_is_proven_with_its_intent_and_its_outcome(proof: Proof) -> None:
    check_proof(proof, ROOT.public)
    assert [json.loads(one.record)["outcome"] for one in proof.records] == ["intent", "done"]
    assert len(proof.as_json()) < 10_000


def test_a_page_of_code_that_knows_nothing_of_ours_agrees(directory: Path, proof: Proof, tmp_path: Path) -> None:
    for name, data, expected in (
        ("good", proof.as_json(), "2 records hold\n"),
        ("bad", proof.as_json().replace(b"request-0007", b"request-0008"), ""),
    ):
        (tmp_path / name).write_bytes(data)
        assert independently(ROOT.public, tmp_path / name).stdout == expected
    lines = sum(len(list(forwards(path))) for path in segments(directory))
    assert independently(ROOT.public, directory).stdout == f"{lines} lines hold\n"
    assert independently(OTHER.public, directory).returncode == 1
    assert "import recordings" not in INDEPENDENT.read_text()
    assert "from recordings" not in INDEPENDENT.read_text()


def first(proof: Proof, **changed: Any) -> Proof:
    return replace(proof, records=(replace(proof.records[0], **changed), *proof.records[1:]))


def swapped(proof: Proof) -> Proof:
    one, two = proof.records
    return replace(proof, records=(replace(one, record=two.record), two))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda one: replace(one, records=()), "it proves nothing"),
        (lambda one: replace(one, keys=()), "no key is good for"),
        (lambda one: replace(one, keys=one.keys[1:]), "do not lead from the root key"),
        (lambda one: replace(one, keys=one.keys[:-1]), "record 1: its checkpoint: it is not signed by"),
        (lambda one: replace(one, keys=one.keys[:1] + one.keys[:1]), "key 2: it was there already"),
        (lambda one: replace(one, keys=("rubbish",)), "key 1"),
        (swapped, "record 1: the record is not leaf"),
        (lambda one: first(one, record=one.records[0].record + b" "), "record 1: the record is not leaf"),
        (lambda one: first(one, index=one.records[0].index + 1), "record 1: "),
        (lambda one: first(one, index=0), "good from line"),
        (lambda one: first(one, index=10**6), "record 1: a tree of"),
        (lambda one: first(one, path=()), "record 1: the proof is shorter"),
        (lambda one: first(one, path=one.records[0].path[::-1]), "record 1: "),
        (lambda one: first(one, path=(b"",)), "record 1: a proof is at most"),
        (lambda one: first(one, checkpoint="rubbish"), "record 1: its checkpoint"),
        (lambda one: first(one, checkpoint=one.keys[0]), "record 1: its checkpoint: a checkpoint is three lines"),
    ],
)
def test_what_does_not_hold_is_refused_with_the_reason(
    proof: Proof, change: Callable[[Proof], Proof], why: str
) -> None:
    with pytest.raises(ProofError, match=why):
        check_proof(change(proof), ROOT.public)


def test_a_proof_for_another_installation_is_refused(proof: Proof) -> None:
    with pytest.raises(ProofError, match="do not lead from the root key acme/audit-root"):
        check_proof(proof, OTHER.public)


def test_who_stole_the_newest_key_proves_nothing_of_sealed_segments(directory: Path, tmp_path: Path) -> None:
    (path,) = directory.glob("*.key")
    private = serialization.load_pem_private_key(path.read_bytes(), None)
    assert isinstance(private, Ed25519PrivateKey)
    thief = Ed25519Signer.of("acme/audit/w", private)
    newest = prove(directory, [json.loads(line) for line in forwards(segments(directory)[-1])][1]["id"])
    size = unverified(newest.records[0].checkpoint).size
    lines = [b"forged %d" % number for number in range(size)]
    tree = Tree()
    for line in lines:
        tree.add(line)
    stretch = Stretch(Tree(), [leaf_hash(line) for line in lines])
    note = signed(Checkpoint("acme/audit/w", size, tree.root()), thief)
    forged = Proof(newest.keys, (ProvenRecord(lines[3], 3, stretch.inclusion(3, size), note),))
    with pytest.raises(ProofError, match="it is signed with a key that is good from line"):
        check_proof(forged, ROOT.public)
    (tmp_path / "forged").write_bytes(forged.as_json())
    assert independently(ROOT.public, tmp_path / "forged").returncode == 1


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b'{"format":"other","keys":[],"proofs":[]}',
        b'{"format":"kubewitness.dev/audit-proof/v1","keys":"x","proofs":[]}',
        b'{"format":"kubewitness.dev/audit-proof/v1","keys":[1],"proofs":[]}',
        b'{"format":"kubewitness.dev/audit-proof/v1","keys":[],"proofs":[{}]}',
        b'{"format":"kubewitness.dev/audit-proof/v1","keys":[],"proofs":[7]}',
    ],
)
def test_what_is_no_proof_is_refused(data: bytes) -> None:
    with pytest.raises(ProofError):
        parse_proof(data)


@pytest.mark.parametrize(
    ("member", "value"),
    [("index", "7"), ("index", True), ("index", 7.0), ("path", ["?"]), ("path", [7]), ("record", 1)],
)
def test_a_member_of_another_type_is_refused(proof: Proof, member: str, value: object) -> None:
    read = json.loads(proof.as_json())
    read["proofs"][0][member] = value
    with pytest.raises(ProofError, match="of another type"):
        parse_proof(json.dumps(read).encode())


def test_a_line_that_is_no_text_cannot_be_written_as_a_proof() -> None:
    with pytest.raises(ProofError, match="no UTF-8"):
        Proof((), (ProvenRecord(b"\xff", 0, (), ""),)).as_json()


def test_a_file_beyond_the_limit_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recordings.audit.proof.MAX_BYTES", 10)
    with pytest.raises(ProofError, match="at most 10 bytes"):
        parse_proof(b'{"format":1}')


def test_the_path_is_written_as_base64(proof: Proof) -> None:
    assert json.loads(proof.as_json())["proofs"][0]["path"] == [b64encode(n).decode() for n in proof.records[0].path]

"""Claims about a witness: it signs what goes on from what it has seen, and nothing else."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from recordings.audit.anchors.cosignature import witness_key, witnessed_at
from recordings.audit.anchors.kept import notes_of
from recordings.audit.anchors.witness import Reply, Witness, request_body
from recordings.audit.checkpoint import Checkpoint
from recordings.audit.merkle import Stretch, Tree, leaf_hash
from recordings.audit.note import Ed25519Signer, sign

PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes([9]) * 32)
ROOT = Ed25519Signer.of("acme/audit-root", Ed25519PrivateKey.from_private_bytes(bytes(32)))
OTHER = Ed25519Signer.of("acme/audit-root", Ed25519PrivateKey.from_private_bytes(bytes([1]) * 32))
LINES = [b"%d" % number for number in range(40)]
NOW = 1_700_000_000.5


def note(size: int, signer: Ed25519Signer = ROOT, *, origin: str = "acme/node-0", lines: list[bytes] = LINES) -> str:
    tree = Tree()
    tree.extend(lines[:size])
    return sign(Checkpoint(origin, size, tree.root()).text, signer)


def proof(old: int, size: int) -> list[str]:
    leaves = [leaf_hash(line) for line in LINES]
    return [b64encode(one).decode() for one in Stretch(Tree(), leaves).consistency(old, size)] if old else []


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    return Witness(tmp_path, "w", PRIVATE, [ROOT.public])


def test_a_log_that_grows_is_signed_each_time_and_its_newest_checkpoint_is_kept(
    witness: Witness, tmp_path: Path
) -> None:
    old = 0
    for size in (1, 7, 7, 8, 40):
        reply = witness.add_checkpoint(request_body(old, proof(old, size), note(size)), NOW)
        assert reply.status == 200, reply
        assert witnessed_at(note(size) + reply.body, witness_key("w", PRIVATE)) == int(NOW)
        old = size
    (kept,) = tmp_path.iterdir()
    assert (kept.name, notes_of(kept.read_bytes())) == ("acme__node-0.checkpoint", [note(40)])
    again = Witness(tmp_path, "w", PRIVATE, [ROOT.public])
    assert again.add_checkpoint(request_body(0, [], note(1)), NOW).status == 409


def test_each_log_is_kept_by_itself(witness: Witness) -> None:
    assert witness.add_checkpoint(request_body(0, [], note(9)), NOW).status == 200
    assert witness.add_checkpoint(request_body(0, [], note(3, origin="acme/node-1")), NOW).status == 200


FORKED = note(9, lines=[b"x", *LINES[1:]])


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (request_body(0, [], note(9)), 409, "7\n"),
        (request_body(6, proof(6, 9), note(9)), 409, "7\n"),
        (request_body(8, proof(8, 9), note(9)), 409, "7\n"),
        (request_body(7, [], note(9)), 422, "the proof is empty\n"),
        (request_body(7, proof(6, 9), note(9)), 422, ""),
        (request_body(7, proof(7, 9), FORKED), 422, "the tree of 9 leaves does not go on from that of 7\n"),
        (request_body(7, [], note(7, lines=[b"x", *LINES[1:]])), 409, "7\n"),
        (request_body(7, proof(7, 9), note(6)), 400, "the old size is above the new one\n"),
        (request_body(6, [], note(6)), 409, "7\n"),
        (request_body(7, proof(7, 9), note(9, OTHER)), 404, "no key of this log is known here\n"),
        (request_body(7, proof(7, 9), note(9).replace("\n9\n", "\n8\n")), 403, ""),
        (request_body(0, [], note(9, origin="evil/node-0")), 403, "acme/audit-root does not sign for evil/node-0\n"),
        (b"rubbish", 400, ""),
        (b"\xff", 400, ""),
        (b"old 7\n" + note(9).encode(), 400, ""),
        (request_body(7, proof(7, 9), note(9)).replace(b"old 7", b"old 07"), 400, ""),
        (request_body(7, proof(7, 9), note(9)).replace(b"old 7", b"new 7"), 400, ""),
        (request_body(7, ["!"], note(9)), 400, ""),
        (request_body(7, ["AAAA"] * 65, note(9)), 400, ""),
        (request_body(7, [], "rubbish"), 403, ""),
    ],
)
def test_what_does_not_go_on_from_it_is_refused_and_nothing_changes(
    witness: Witness, tmp_path: Path, body: bytes, status: int, said: str
) -> None:
    witness.add_checkpoint(request_body(0, [], note(7)), NOW)
    reply = witness.add_checkpoint(body, NOW)
    assert (reply.status, reply.body.endswith("\n")) == (status, True)
    assert said in reply.body
    assert reply.content_type.startswith("text/x.tlog.size" if status == 409 else "text/plain")
    assert (tmp_path / "acme__node-0.checkpoint").read_text() == note(7)


def test_what_is_damaged_is_not_taken_for_a_log_that_nobody_has_seen(witness: Witness, tmp_path: Path) -> None:
    (tmp_path / "acme__node-0.checkpoint").write_text("rubbish")
    with pytest.raises(OSError, match="is damaged"):
        witness.add_checkpoint(request_body(0, [], note(7)), NOW)


def test_what_cannot_be_kept_is_not_signed(tmp_path: Path) -> None:
    witness = Witness(tmp_path / "absent", "w", PRIVATE, [ROOT.public])
    with pytest.raises(FileNotFoundError):
        witness.add_checkpoint(request_body(0, [], note(7)), NOW)
    assert Reply(200, "") != Reply(409, "")

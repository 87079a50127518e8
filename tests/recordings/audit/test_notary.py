"""Claims about what signs a log."""

from __future__ import annotations

from base64 import b64decode
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from recordings.audit.checkpoint import Checkpoint, note_of, verified
from recordings.audit.keyring import Keyring
from recordings.audit.merkle import Tree
from recordings.audit.notary import Notary
from recordings.audit.note import Ed25519Signer, PublicKey
from recordings.errors import LogUnavailableError

ORIGIN = "acme/audit/node-0"
ROOT = Ed25519Signer.of("acme/audit-root", Ed25519PrivateKey.from_private_bytes(bytes(32)))


def notary(directory: Path, tree: Tree | None = None) -> Notary:
    made = Notary(Keyring(directory, ORIGIN, ROOT))
    made.open(tree)
    return made


def test_a_checkpoint_speaks_of_all_lines_before_it_checkpoints_included(tmp_path: Path) -> None:
    one, model = notary(tmp_path), Tree()
    header = one.header()
    assert header["origin"] == ORIGIN
    assert header["tree"] == {"size": 0, "frontier": []}
    key = PublicKey.parse(header["key"])
    one.begun(b"header\n")
    one.add(b"record\n")
    model.add(b"header")
    model.add(b"record")
    for _ in range(3):
        line = one.checkpoint()
        assert line is not None
        assert verified(note_of(line[:-1]), key) == Checkpoint(ORIGIN, model.size, model.root())
        one.signed(line)
        assert one.checkpoint() is None
        one.add(b"more\n")
        model.add(line[:-1])
        model.add(b"more")


def test_the_next_segments_header_holds_the_frontier(tmp_path: Path) -> None:
    one, model = notary(tmp_path), Tree()
    one.header()
    one.begun(b"h\n")
    model.add(b"h")
    for number in range(6):
        one.add(b"%d\n" % number)
        model.add(b"%d" % number)
    header = one.header()
    assert header["tree"]["size"] == 7
    assert tuple(b64decode(node) for node in header["tree"]["frontier"]) == model.frontier
    assert one.header() == header


def test_nothing_is_signed_before_there_is_a_key(tmp_path: Path) -> None:
    one = notary(tmp_path)
    one.add(b"x\n")
    assert one.checkpoint() is None


def test_it_goes_on_from_the_lines_that_are_there_and_says_which_segment_is_not(tmp_path: Path) -> None:
    one = notary(tmp_path)
    assert not one.is_segment_missing
    one.header()
    one.begun(b"h\n")
    tree = Tree()
    assert notary(tmp_path, tree).is_segment_missing
    tree.add(b"h")
    again = notary(tmp_path, tree)
    assert not again.is_segment_missing
    assert again.checkpoint() is None
    assert again.header()["tree"]["size"] == 1


def test_a_log_that_lacks_lines_which_its_keys_know_of_is_refused(tmp_path: Path) -> None:
    one = notary(tmp_path)
    one.header()
    one.begun(b"h\n")
    one.header()
    with pytest.raises(LogUnavailableError, match="has 0 lines, but its keys speak of a segment behind line 1"):
        notary(tmp_path)

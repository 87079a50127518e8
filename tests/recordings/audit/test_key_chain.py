"""Claims about the chain of keys."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from recordings.audit.checkpoint import Checkpoint, signed, verified
from recordings.audit.key_chain import KIND, SegmentKey, note_of, to_line, verified_chain, vouched
from recordings.audit.note import Ed25519Signer, NoteError, sign

ORIGIN = "acme/audit/node-0"


def signer(number: int, name: str = ORIGIN) -> Ed25519Signer:
    return Ed25519Signer.of(name, Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32))


ROOT = signer(0, "acme/audit-root")
A, B, C = signer(1), signer(2), signer(3)
FIRST = SegmentKey(0, A.public, by_root=True)
SECOND = SegmentKey(10, B.public, by_root=False)


def test_each_key_is_vouched_for_by_the_one_before_and_the_first_by_the_root() -> None:
    notes = [vouched(FIRST, ROOT), vouched(SECOND, A), vouched(SegmentKey(10, C.public, by_root=False), B)]
    assert verified_chain(notes, ROOT.public) == (FIRST, SECOND, SegmentKey(10, C.public, by_root=False))
    assert verified_chain([], ROOT.public) == ()


def test_the_root_may_begin_anew_where_a_key_was_lost() -> None:
    notes = [vouched(FIRST, ROOT), vouched(SECOND, ROOT)]
    assert verified_chain(notes, ROOT.public) == (FIRST, SegmentKey(10, B.public, by_root=True))


@pytest.mark.parametrize(
    ("notes", "why"),
    [
        ([vouched(FIRST, A)], "key 1: it is not signed by acme/audit-root"),
        ([vouched(FIRST, signer(9, "acme/audit-root"))], "key 1: it is not signed by"),
        ([vouched(FIRST, ROOT), vouched(SECOND, C)], "key 2: it is not signed by"),
        ([vouched(FIRST, ROOT), vouched(SECOND, A), vouched(SECOND, A)], "key 3: it is not signed by"),
        ([vouched(SegmentKey(11, A.public, by_root=True), ROOT), vouched(SECOND, A)], "key 2: .* a place before"),
        ([vouched(FIRST, ROOT), vouched(SegmentKey(1, signer(4, "o").public, by_root=False), A)], "key 2: .* another"),
        ([sign(f"{KIND}\nother\n0\n{A.public}\n", ROOT)], "key 1: its name is not the log's origin"),
        ([sign(f"{KIND}\n{ORIGIN}\n00\n{A.public}\n", ROOT)], "key 1: it is not a segment key's note"),
        ([sign(f"{KIND}\n{ORIGIN}\n0\nrubbish\n", ROOT)], "key 1: "),
        (["rubbish"], "key 1: "),
        ([vouched(FIRST, ROOT), vouched(FIRST, ROOT)], "key 2: it was there already"),
        ([vouched(FIRST, ROOT) + vouched(FIRST, A).split("\n\n")[1]], "key 1: it has 2 signatures"),
    ],
)
def test_a_key_that_nobody_vouched_for_is_named(notes: list[str], why: str) -> None:
    with pytest.raises(NoteError, match=why):
        verified_chain(notes, ROOT.public)


def test_a_keys_note_is_no_checkpoint_and_a_checkpoint_no_keys_note() -> None:
    with pytest.raises(NoteError):
        verified(vouched(SECOND, A), A.public)
    checkpoint = signed(Checkpoint(ORIGIN, 10, bytes(32)), A)
    with pytest.raises(NoteError, match="key 2: it is not a segment key's note"):
        verified_chain([vouched(FIRST, ROOT), checkpoint], ROOT.public)


def test_a_line_holds_a_note_in_one_spelling() -> None:
    note = vouched(FIRST, ROOT)
    assert note_of(to_line(note).removesuffix(b"\n")) == note
    with pytest.raises(NoteError, match="not as a key's is written"):
        note_of(to_line(note))

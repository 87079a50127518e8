"""Claims about checkpoints that were kept elsewhere."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from recordings.audit.checkpoint import Checkpoint, signed
from recordings.audit.kept_checkpoints import KeptCheckpoints
from recordings.audit.key_chain import SegmentKey
from recordings.audit.merkle import Tree
from recordings.audit.note import Ed25519Signer

OURS, LATER, OTHER = (
    Ed25519Signer.of("log", Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)) for number in range(3)
)
CHAIN = (SegmentKey(0, OURS.public, by_root=True), SegmentKey(6, LATER.public, by_root=False))


def root_at(size: int) -> bytes:
    tree = Tree()
    tree.extend(b"%d" % number for number in range(size))
    return tree.root()


def note(size: int, signer: Ed25519Signer = OURS, *, root: bytes | None = None, origin: str = "log") -> str:
    return signed(Checkpoint(origin, size, root_at(size) if root is None else root), signer)


def read_through(kept: KeptCheckpoints, start: int, end: int) -> None:
    """The log from one line to another, stopping as it is told."""
    tree = Tree()
    tree.extend(b"%d" % number for number in range(start))
    while True:
        stop = kept.compare(tree)
        if tree.size == end:
            return
        step = min(stop if stop > tree.size else end, end)
        tree.extend(b"%d" % number for number in range(tree.size, step))


def test_the_largest_that_is_right_bounds_what_could_be_missing() -> None:
    kept = KeptCheckpoints([note(7), note(3), note(5)], "log", CHAIN)
    read_through(kept, 0, 9)
    assert (kept.anchored, kept.wrong, kept.absent, kept.beyond()) == (7, [], [], [])


def test_one_that_the_log_contradicts_is_wrong_and_the_others_count_all_the_same() -> None:
    kept = KeptCheckpoints([note(3), note(5, root=bytes(32)), note(7), note(7)], "log", CHAIN)
    read_through(kept, 0, 9)
    assert (kept.anchored, kept.wrong) == (7, [5])


def test_one_behind_the_end_of_the_log_says_that_lines_are_missing() -> None:
    kept = KeptCheckpoints([note(12), note(10), note(3)], "log", CHAIN)
    read_through(kept, 0, 9)
    assert (kept.anchored, kept.beyond()) == (3, [10, 12])


def test_those_of_lines_that_were_not_read_are_absent_and_later_ones_are_compared() -> None:
    kept = KeptCheckpoints([note(2), note(3), note(8)], "log", CHAIN)
    read_through(kept, 5, 9)
    assert (kept.anchored, kept.absent) == (8, [2, 3])


def test_one_that_no_key_of_the_log_has_signed_is_forged() -> None:
    kept = KeptCheckpoints([note(3, OTHER), note(3)], "log", CHAIN)
    read_through(kept, 0, 9)
    assert (kept.anchored, kept.forged) == (3, [3])


def test_a_key_is_no_witness_of_what_was_before_its_segment() -> None:
    kept = KeptCheckpoints([note(6, LATER), note(7, LATER)], "log", CHAIN)
    assert kept.forged == [6]
    read_through(kept, 0, 9)
    assert kept.anchored == 7


def test_those_of_other_logs_are_passed_over() -> None:
    theirs = Ed25519Signer.of("other", OTHER.private)
    kept = KeptCheckpoints([note(3, theirs, origin="other"), "rubbish"], "log", CHAIN)
    read_through(kept, 0, 9)
    assert (kept.anchored, kept.forged, kept.absent, kept.beyond()) == (0, [], [], [])

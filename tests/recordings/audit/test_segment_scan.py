"""Claims about reading a segment to verify it."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from recordings.audit import segment_scan
from recordings.audit.checkpoint import Checkpoint, signed, to_line
from recordings.audit.encode import encode
from recordings.audit.merkle import Tree
from recordings.audit.note import Ed25519Signer, NoteError
from recordings.audit.segment_header import parse_header, signed_fields
from recordings.audit.segment_scan import SegmentScan, first_fault, holds
from recordings.audit.verdict import Finding, Kind

SIGNER = Ed25519Signer.of("log", Ed25519PrivateKey.from_private_bytes(bytes(32)))
HEADER = encode({"header": {"first_seq": 1, **signed_fields("log", Tree(), SIGNER.public)}})


def segment(*parts: object) -> list[bytes]:
    """Lines with their newlines: the header, a record for each dict or bytes, a checkpoint for each None."""
    tree, found = Tree(), [HEADER]
    tree.add(HEADER[:-1])
    for part in parts:
        line = to_line(signed(Checkpoint("log", tree.size, tree.root()), SIGNER)) if part is None else part
        line = line if isinstance(line, bytes) else encode(line)  # type: ignore[arg-type]
        found.append(line)
        tree.add(line[:-1])
    return found


def scanned(path: Path) -> SegmentScan:
    scan = SegmentScan(Tree())
    scan.read(path, lambda _tree: -1, lambda _bytes: None)
    return scan


def put(folder: Path, parts: list[bytes]) -> Path:
    path = folder / f"{1:020d}.ndjson"
    path.write_bytes(b"".join(parts))
    return path


def test_it_counts_and_finds_the_last_checkpoint(tmp_path: Path) -> None:
    parts = segment({"seq": 1}, None, {"seq": 2}, {"seq": 3}, None, {"seq": 4})
    scan = scanned(put(tmp_path, [*parts, b'{"seq":5']))
    assert (scan.line, scan.records, scan.byte) == (7, 4, sum(map(len, parts)))
    assert (scan.last + b"\n", scan.last_line, scan.last_byte) == (parts[5], 6, sum(map(len, parts[:5])))
    assert scan.last_tree is not None
    assert (scan.last_tree.size, scan.tree.size) == (5, 7)
    assert holds(scan.last, SIGNER.public, scan.last_tree).size == 5


@settings(deadline=None)
@given(
    cut=st.integers(0, 400), block=st.integers(1, 90), kinds=st.lists(st.sampled_from([None, {"seq": 1}]), max_size=9)
)
def test_in_whatever_blocks_and_steps_it_reads_it_sees_the_same(
    tmp_path_factory: pytest.TempPathFactory, cut: int, block: int, kinds: list[object]
) -> None:
    folder = tmp_path_factory.mktemp("scan")
    data = b"".join(segment(*kinds))
    path = put(folder, [data])
    whole = scanned(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(segment_scan, "BLOCK_BYTES", block)
        path.write_bytes(data[:cut])
        scan = scanned(path)
        path.write_bytes(data)
        scan.read(path, lambda _tree: -1, lambda _bytes: None)
    for one in (whole, scan):
        assert (one.tree.size, one.tree.frontier) == (len(kinds) + 1, whole.tree.frontier)
    facts = [(one.line, one.byte, one.records, one.last, one.last_line, one.last_byte) for one in (whole, scan)]
    assert facts[0] == facts[1]
    frontiers = [None if one.last_tree is None else one.last_tree.frontier for one in (whole, scan)]
    assert frontiers[0] == frontiers[1]


def test_it_stands_still_at_each_size_that_somebody_wants_to_see(tmp_path: Path) -> None:
    path = put(tmp_path, segment(*({"seq": number} for number in range(1, 20))))
    wanted, seen = iter([1, 3, 4, 17, 99]), []

    def stops(tree: Tree) -> int:
        seen.append(tree.size)
        return next(wanted, -1) if len(seen) == 1 or tree.size == asked[-1] else asked[-1]

    asked: list[int] = []

    def remembered(tree: Tree) -> int:
        asked.append(stops(tree))
        return asked[-1]

    SegmentScan(Tree()).read(path, remembered, lambda _bytes: None)
    assert seen == [0, 1, 3, 4, 17]


def test_it_hears_what_the_log_says_of_itself_and_takes_no_persons_object_for_that(tmp_path: Path) -> None:
    suspect = {"seq": 1, "type": "log.suspect", "body": {"segment": "x"}}
    objects = {"seq": 2, "type": "kube.request", "event": {"requestObject": {"type": "log.suspect"}}}
    start = {"seq": 3, "type": "log.start"}
    scan = scanned(put(tmp_path, segment(suspect, objects, start, b'"type":"log.suspect"\n')))
    assert scan.told == [(2, suspect)]


def test_a_checkpoint_holds_for_just_its_lines() -> None:
    tree = Tree()
    tree.extend([b"a", b"b", b"c"])
    line = to_line(signed(Checkpoint("log", 3, tree.root()), SIGNER))[:-1]
    assert holds(line, SIGNER.public, tree).size == 3
    fewer, others = Tree(), Tree()
    fewer.extend([b"a", b"b"])
    others.extend([b"a", b"b", b"x"])
    with pytest.raises(NoteError, match="1 lines are missing here"):
        holds(line, SIGNER.public, fewer)
    with pytest.raises(NoteError, match="these lines are not those"):
        holds(line, SIGNER.public, others)
    others.add(b"y")
    with pytest.raises(NoteError, match="1 lines were added here"):
        holds(line, SIGNER.public, others)


def test_the_first_checkpoint_that_does_not_hold_is_named_with_its_lines(tmp_path: Path) -> None:
    parts = segment({"seq": 1}, None, {"seq": 2}, {"seq": 3}, None, {"seq": 4}, None)
    header = parse_header(HEADER)
    edited = [*parts[:3], parts[3].replace(b"2", b"7"), *parts[4:]]
    begin, end = sum(map(len, parts[:3])), sum(map(len, parts[:5]))
    odd = f"; line 4, bytes {begin}-{begin + len(parts[3])}, is the first that is odd"
    message = f"these lines are not those that the checkpoint behind them signs{odd}"
    found = first_fault(put(tmp_path, edited), header, SIGNER.public)
    assert found == Finding(Kind.ALTERED, f"{1:020d}.ndjson", message, 4, 5, begin, end)


def test_a_checkpoint_that_is_damaged_is_named_itself(tmp_path: Path) -> None:
    parts = segment({"seq": 1}, None, {"seq": 2}, None)
    damaged = [*parts[:2], parts[2].replace(b"log", b"lug", 1), *parts[3:]]
    found = first_fault(put(tmp_path, damaged), parse_header(HEADER), SIGNER.public)
    assert (found.first_line, found.last_line, found.message[:14]) == (3, 3, "a checkpoint: ")


def test_a_segment_in_which_all_holds_by_now_was_changed_meanwhile(tmp_path: Path) -> None:
    found = first_fault(put(tmp_path, segment({"seq": 1}, None)), parse_header(HEADER), SIGNER.public)
    assert found.message == "it was changed while it was read"

"""The Merkle tree of RFC 6962 §2.1 (RFC 9162 §2.1 is the same tree): growing it, proving with it, checking proofs.

`Tree` grows leaf by leaf and keeps only the roots of its perfect subtrees, its frontier: 32 bytes for each bit of its
size. `Stretch` has the leaf hashes of one stretch and the frontier before it, which is what one segment of a log holds;
from these it proves whatever concerns leaves of that stretch. The `check_*` functions return nothing or raise.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256

from recordings.errors import RecordingsError

HASH_BYTES = 32
MAX_PATH = 64
"""Hashes of a proof: a tree of 2^64 leaves needs no more."""
EMPTY_ROOT = sha256(b"").digest()


class ProofError(RecordingsError):
    """A proof does not lead to the root that it should lead to, or is none."""


def leaf_hash(data: bytes) -> bytes:
    """RFC 6962 §2.1: a leaf can never be taken for a node, since what is hashed begins with 0 and not with 1."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


class Tree:
    """A tree that grows. `size`: leaves. Copied by `Tree(tree.size, tree.frontier)`."""

    __slots__ = ("_frontier", "size")

    def __init__(self, size: int = 0, frontier: Iterable[bytes] = ()) -> None:
        """Raises ProofError where the frontier cannot be that of a tree of this size."""
        self.size = size
        self._frontier = list(frontier)
        if size < 0 or len(self._frontier) != size.bit_count() or any(len(h) != HASH_BYTES for h in self._frontier):
            raise ProofError(f"a tree of {size} leaves has a frontier of {max(size, 0).bit_count()} hashes of 32 bytes")

    @property
    def frontier(self) -> tuple[bytes, ...]:
        """Roots of the perfect subtrees, from left to right, which is from large to small."""
        return tuple(self._frontier)

    def add(self, data: bytes) -> None:
        """One more leaf. Spelt out and not called: this stands in the path of every record."""
        node = sha256(b"\x00" + data).digest()
        size, frontier = self.size, self._frontier
        self.size = size + 1
        while size & 1:
            node = sha256(b"\x01" + frontier.pop() + node).digest()
            size >>= 1
        frontier.append(node)

    def extend(self, lines: Iterable[bytes]) -> None:
        """As `add` for each; spelt out once more, since in verification all time goes here."""
        frontier, size = self._frontier, self.size
        for node in [sha256(b"\x00" + line).digest() for line in lines]:
            at = size
            if at & 1:
                joined = node
                while at & 1:
                    joined = sha256(b"\x01" + frontier.pop() + joined).digest()
                    at >>= 1
                frontier.append(joined)
            else:
                frontier.append(node)
            size += 1
        self.size = size

    def root(self) -> bytes:
        """Of the leaves so far."""
        if not self._frontier:
            return EMPTY_ROOT
        *left, root = self._frontier
        for node in reversed(left):
            root = node_hash(node, root)
        return root


class Stretch:
    """Consecutive leaves from index `before.size` on, with the frontier before them; it proves what concerns them."""

    def __init__(self, before: Tree, leaves: Sequence[bytes]) -> None:
        """`leaves`: their hashes."""
        self._start, self._leaves = before.size, leaves
        self._roots: dict[tuple[int, int], bytes] = {}
        begin = 0
        for node in before.frontier:
            end = begin + (1 << ((before.size - begin).bit_length() - 1))
            self._roots[begin, end] = node
            begin = end

    @property
    def size(self) -> int:
        return self._start + len(self._leaves)

    def inclusion(self, index: int, size: int) -> tuple[bytes, ...]:
        """PATH(index, D[size]) of RFC 6962 §2.1.1. Raises ProofError where leaf or size is not of this stretch."""
        if not self._start <= index < size <= self.size:
            raise ProofError(f"leaf {index} in a tree of {size} cannot be proven from leaves {self._start}-{self.size}")
        path, begin, end = [], 0, size
        while end - begin > 1:
            middle = begin + _split(end - begin)
            if index < middle:
                path.append(self._root(middle, end))
                end = middle
            else:
                path.append(self._root(begin, middle))
                begin = middle
        return tuple(reversed(path))

    def consistency(self, first: int, second: int) -> tuple[bytes, ...]:
        """PROOF(first, D[second]) of RFC 6962 §2.1.2. Raises ProofError where a size is not of this stretch."""
        if not max(self._start, 1) <= first <= second <= self.size:
            raise ProofError(f"{first} to {second} cannot be proven from leaves {self._start}-{self.size}")
        path, begin, end, is_known = [], 0, second, True
        while first - begin != end - begin:
            middle = begin + _split(end - begin)
            if first <= middle:
                path.append(self._root(middle, end))
                end = middle
            else:
                path.append(self._root(begin, middle))
                begin, is_known = middle, False
        return tuple(reversed(path if is_known else [*path, self._root(begin, end)]))

    def _root(self, begin: int, end: int) -> bytes:
        """MTH(D[begin:end]): level by level where every leaf is here, else in two halves."""
        known = self._roots.get((begin, end))
        if known is not None:
            return known
        if begin >= self._start:
            return _fold(self._leaves[begin - self._start : end - self._start])
        middle = begin + _split(end - begin)
        return node_hash(self._root(begin, middle), self._root(middle, end))


def check_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> None:
    """That the leaf of this hash is number `index` of the tree of `size` leaves and this root. RFC 9162 §2.1.3.2.

    Raises ProofError.
    """
    if not 0 <= index < size:
        raise ProofError(f"a tree of {size} leaves has none of index {index}")
    _check_hashes((leaf, root, *path))
    number, last, node = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            raise ProofError("the proof is longer than the tree is deep")
        if number & 1 or number == last:
            node = node_hash(sibling, node)
            while number & 1 == 0 and number != 0:
                number, last = number >> 1, last >> 1
        else:
            node = node_hash(node, sibling)
        number, last = number >> 1, last >> 1
    if last != 0:
        raise ProofError("the proof is shorter than the tree is deep")
    if node != root:
        raise ProofError(f"the record is not leaf {index} of this tree of {size}")


def check_consistency(first: int, second: int, path: Sequence[bytes], first_root: bytes, second_root: bytes) -> None:
    """That the tree of `second` leaves goes on from that of `first`. RFC 9162 §2.1.4.2. Raises ProofError."""
    if not 0 <= first <= second:
        raise ProofError(f"a tree of {second} leaves cannot go on from one of {first}")
    _check_hashes((first_root, second_root, *path))
    if first in (0, second):
        if path:
            raise ProofError("nothing needs to be proven, and yet there is a proof")
        if first_root != (second_root if first == second else EMPTY_ROOT):
            raise ProofError(f"two trees of {first} leaves have different roots")
        return
    if not path:
        raise ProofError("the proof is empty")
    nodes = list(path) if first & (first - 1) else [first_root, *path]
    number, last = first - 1, second - 1
    while number & 1:
        number, last = number >> 1, last >> 1
    old = new = nodes[0]
    for node in nodes[1:]:
        if last == 0:
            raise ProofError("the proof is longer than the tree is deep")
        if number & 1 or number == last:
            old, new = node_hash(node, old), node_hash(node, new)
            while number & 1 == 0 and number != 0:
                number, last = number >> 1, last >> 1
        else:
            new = node_hash(new, node)
        number, last = number >> 1, last >> 1
    if last != 0:
        raise ProofError("the proof is shorter than the tree is deep")
    if old != first_root or new != second_root:
        raise ProofError(f"the tree of {second} leaves does not go on from that of {first}")


def _check_hashes(hashes: Sequence[bytes]) -> None:
    if len(hashes) > MAX_PATH + 2 or any(len(one) != HASH_BYTES for one in hashes):
        raise ProofError("a proof is at most 64 hashes of 32 bytes")


def _split(length: int) -> int:
    """The largest power of two under `length`, which is over 1: where RFC 6962 divides a tree."""
    return 1 << ((length - 1).bit_length() - 1)


def _fold(level: Sequence[bytes]) -> bytes:
    """Pairs are joined level by level; who is left over goes up as it is. The same tree as dividing at `_split`."""
    while len(level) > 1:
        paired = [node_hash(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
        level = [*paired, level[-1]] if len(level) & 1 else paired
    return level[0]

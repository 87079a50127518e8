"""Claims about the tree: the RFC's own definitions are the model, published proofs and forgeries are the vectors."""

from __future__ import annotations

import json
from base64 import b64decode
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings.audit.merkle import (
    EMPTY_ROOT,
    ProofError,
    Stretch,
    Tree,
    check_consistency,
    check_inclusion,
    leaf_hash,
)

VECTORS = json.loads(Path(__file__).with_name("vectors").joinpath("merkle.json").read_text())

# The leaves and roots that RFC 6962's implementations have shared since certificate-transparency's first tests.
LEAVES = [bytes.fromhex(one) for one in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657",
                                          "606162636465666768696a6b6c6d6e6f")]  # fmt: skip
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def mth(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962 §2.1, as it is written there."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return sha256(b"\x00" + leaves[0]).digest()
    k = cut(len(leaves))
    return sha256(b"\x01" + mth(leaves[:k]) + mth(leaves[k:])).digest()


def path(m: int, leaves: list[bytes]) -> list[bytes]:
    """PATH of §2.1.1."""
    n = len(leaves)
    if n == 1:
        return []
    k = cut(n)
    return [*path(m, leaves[:k]), mth(leaves[k:])] if m < k else [*path(m - k, leaves[k:]), mth(leaves[:k])]


def subproof(m: int, leaves: list[bytes], whole: bool) -> list[bytes]:
    """SUBPROOF of §2.1.2."""
    n = len(leaves)
    if m == n:
        return [] if whole else [mth(leaves)]
    k = cut(n)
    if m <= k:
        return [*subproof(m, leaves[:k], whole), mth(leaves[k:])]
    return [*subproof(m - k, leaves[k:], False), mth(leaves[:k])]


def cut(n: int) -> int:
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def grown(leaves: list[bytes]) -> Tree:
    tree = Tree()
    for leaf in leaves:
        tree.add(leaf)
    return tree


def test_the_roots_are_those_that_everybody_has() -> None:
    assert Tree().root() == EMPTY_ROOT
    assert [grown(LEAVES[:n]).root().hex() for n in range(1, 9)] == ROOTS


@given(st.lists(st.binary(max_size=4), max_size=40), st.data())
def test_a_tree_that_grows_is_the_tree_of_the_definition(leaves: list[bytes], data: st.DataObject) -> None:
    tree = grown(leaves)
    assert (tree.size, tree.root()) == (len(leaves), mth(leaves))
    n = data.draw(st.integers(0, len(leaves)))
    half = grown(leaves[:n])
    again = Tree(half.size, half.frontier)
    for leaf in leaves[n:]:
        again.add(leaf)
    assert (again.root(), again.frontier) == (tree.root(), tree.frontier)
    assert half.root() == mth(leaves[:n])


@given(st.integers(1, 40), st.data())
def test_a_stretch_proves_inclusion_as_the_definition_does(n: int, data: st.DataObject) -> None:
    leaves = [bytes([i]) for i in range(n)]
    start = data.draw(st.integers(0, n - 1))
    size = data.draw(st.integers(start + 1, n))
    index = data.draw(st.integers(start, size - 1))
    stretch = Stretch(grown(leaves[:start]), [leaf_hash(leaf) for leaf in leaves[start:]])
    proof = stretch.inclusion(index, size)
    assert list(proof) == path(index, leaves[:size])
    check_inclusion(leaf_hash(leaves[index]), index, size, proof, mth(leaves[:size]))


@given(st.integers(1, 40), st.data())
def test_a_stretch_proves_consistency_as_the_definition_does(n: int, data: st.DataObject) -> None:
    leaves = [bytes([i]) for i in range(n)]
    first = data.draw(st.integers(1, n))
    start = data.draw(st.integers(0, first))
    second = data.draw(st.integers(first, n))
    proof = Stretch(grown(leaves[:start]), [leaf_hash(leaf) for leaf in leaves[start:]]).consistency(first, second)
    assert list(proof) == subproof(first, leaves[:second], True)
    check_consistency(first, second, proof, mth(leaves[:first]), mth(leaves[:second]))


@pytest.mark.parametrize("name", sorted({f"{one[0]}|{one[-1]}" for one in VECTORS["inclusion"]}))
def test_published_proofs_of_inclusion_are_judged_as_published(name: str) -> None:
    for desc, index, size, leaf, proof, root, good in VECTORS["inclusion"]:
        if f"{desc}|{good}" != name:
            continue
        try:
            check_inclusion(b64decode(leaf), index, size, [b64decode(one) for one in proof], b64decode(root))
        except ProofError:
            assert not good
        else:
            assert good


@pytest.mark.parametrize("name", sorted({f"{one[0]}|{one[-1]}" for one in VECTORS["consistency"]}))
def test_published_proofs_of_consistency_are_judged_as_published(name: str) -> None:
    for desc, first, second, proof, old, new, published in VECTORS["consistency"]:
        if f"{desc}|{published}" != name:
            continue
        good = published and len(b64decode(old)) == 32  # one has a text for a root; here a root has 32 bytes
        try:
            check_consistency(first, second, [b64decode(one) for one in proof], b64decode(old), b64decode(new))
        except ProofError:
            assert not good
        else:
            assert good


@given(st.integers(1, 20), st.data())
def test_no_proof_holds_for_another_leaf_place_or_root(n: int, data: st.DataObject) -> None:
    leaves = [bytes([i]) for i in range(n)]
    index = data.draw(st.integers(0, n - 1))
    proof = list(Stretch(Tree(), [leaf_hash(leaf) for leaf in leaves]).inclusion(index, n))
    leaf, root = leaf_hash(leaves[index]), mth(leaves)
    wrong = data.draw(st.sampled_from(["leaf", "root", "index", "longer", *(["shorter", "hash"] if proof else [])]))
    changed = {"leaf": leaf, "index": index, "path": proof, "root": root}
    if wrong in ("leaf", "root"):
        changed[wrong] = bytes(32)
    elif wrong == "index":
        changed["index"] = data.draw(st.integers(-2, n + 2).filter(lambda one: one != index))
    elif wrong == "longer":
        changed["path"] = [*proof, bytes(32)]
    elif wrong == "shorter":
        changed["path"] = proof[:-1]
    else:
        changed["path"] = [bytes(32), *proof[1:]]
    with pytest.raises(ProofError):
        check_inclusion(changed["leaf"], changed["index"], n, changed["path"], changed["root"])


@pytest.mark.parametrize(
    ("size", "frontier"), [(1, []), (0, [bytes(32)]), (3, [bytes(32)]), (1, [bytes(31)]), (-1, [])]
)
def test_a_frontier_that_cannot_be_is_refused(size: int, frontier: list[bytes]) -> None:
    with pytest.raises(ProofError, match="has a frontier of"):
        Tree(size, frontier)


def test_a_stretch_proves_nothing_of_what_it_does_not_hold() -> None:
    leaves = [bytes([i]) for i in range(8)]
    stretch = Stretch(grown(leaves[:4]), [leaf_hash(leaf) for leaf in leaves[4:]])
    for index, size in ((3, 8), (8, 8), (7, 9), (6, 6)):
        with pytest.raises(ProofError, match="cannot be proven"):
            stretch.inclusion(index, size)
    for first, second in ((3, 8), (5, 9), (8, 7)):
        with pytest.raises(ProofError, match="cannot be proven"):
            stretch.consistency(first, second)


def test_a_proof_of_inclusion_is_refused_for_what_is_wrong_with_it() -> None:
    one, other = bytes(32), bytes([1]) * 32
    for index, size, proof, root, why in (
        (2, 2, [], one, "has none of index 2"),
        (-1, 2, [], one, "has none of index -1"),
        (0, 1, [one], one, "longer"),
        (0, 3, [one], one, "shorter"),
        (0, 2, [one], other, "is not leaf 0 of this tree of 2"),
        (0, 2, [b""], one, "hashes of 32 bytes"),
        (0, 2, [one] * 65, one, "hashes of 32 bytes"),
    ):
        with pytest.raises(ProofError, match=why):
            check_inclusion(one, index, size, proof, root)


def test_a_proof_of_consistency_is_refused_for_what_is_wrong_with_it() -> None:
    one, other = bytes(32), bytes([1]) * 32
    for first, second, proof, old, new, why in (
        (3, 2, [], one, one, "cannot go on"),
        (2, 2, [one], one, one, "and yet there is a proof"),
        (2, 2, [], one, other, "different roots"),
        (0, 2, [], one, other, "different roots"),
        (1, 2, [], one, other, "is empty"),
        (1, 2, [one, one], one, other, "longer"),
        (1, 4, [one], one, other, "shorter"),
        (1, 2, [one], one, other, "does not go on"),
        (1, 2, [b""], one, other, "hashes of 32 bytes"),
        (1, 2, [one] * 65, one, other, "hashes of 32 bytes"),
    ):
        with pytest.raises(ProofError, match=why):
            check_consistency(first, second, proof, old, new)


@given(st.integers(0, 40), st.integers(0, 40))
def test_many_leaves_at_once_are_the_same_tree(first: int, more: int) -> None:
    leaves = [b"%d" % number for number in range(first + more)]
    one, other = Tree(), Tree()
    for leaf in leaves:
        one.add(leaf)
    other.extend(leaves[:first])
    other.extend(leaves[first:])
    assert (one.size, one.frontier) == (other.size, other.frontier)

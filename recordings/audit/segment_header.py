"""A segment's first line: `{"header":{v, writer, boot, first_seq, start, time, origin, tree, key}}`.

`tree` is the Merkle tree over all lines before this one: its size and its frontier. With it a segment can be verified,
and its records proven, without the segments before. `origin`, `tree` and `key` are missing where nothing is signed.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import Any

import orjson

from recordings.audit.merkle import ProofError, Tree
from recordings.audit.note import NoteError, PublicKey


@dataclass(frozen=True, slots=True)
class SegmentHeader:
    """What a signed segment says of itself; nothing of it is verified yet."""

    first_seq: int
    origin: str
    size: int
    frontier: tuple[bytes, ...]
    key: PublicKey

    @property
    def tree(self) -> Tree:
        """A new one at each call."""
        return Tree(self.size, self.frontier)


def signed_fields(origin: str, tree: Tree, key: PublicKey) -> dict[str, Any]:
    """The members that a signed segment's header has beside the others."""
    return {
        "origin": origin,
        "tree": {"size": tree.size, "frontier": [b64encode(one).decode() for one in tree.frontier]},
        "key": str(key),
    }


def parse_header(line: bytes) -> SegmentHeader:
    """Raises NoteError, saying what is wrong."""
    try:
        header = orjson.loads(line)["header"]
        first_seq, origin, size, key = header["first_seq"], header["origin"], header["tree"]["size"], header["key"]
        frontier = tuple(b64decode(one, validate=True) for one in header["tree"]["frontier"])
        if type(first_seq) is not int or type(size) is not int or type(origin) is not str or type(key) is not str:
            raise NoteError("a segment's header has members of other types")
        Tree(size, frontier)
        return SegmentHeader(first_seq, origin, size, frontier, PublicKey.parse(key))
    except (orjson.JSONDecodeError, KeyError, TypeError, binascii.Error, ValueError) as error:
        raise NoteError("the first line is not the header of a signed segment") from error
    except ProofError as error:
        raise NoteError(f"the header's tree cannot be: {error}") from error

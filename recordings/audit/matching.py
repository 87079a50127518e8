"""Lines of a segment that hold some bytes, found without cutting the segment into its lines.

A search through a gigabyte is then as fast as memory: only lines that may be meant are cut out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from recordings.audit.segments import whole
from recordings.audit.stored import open_stored

BLOCK_BYTES = 2 * 1024 * 1024
"""Looked through at once."""


@dataclass(frozen=True, slots=True)
class Needle:
    """What a line must hold. `folded`: it is in lower case, and A is a."""

    text: bytes
    folded: bool = False

    def haystack(self, block: bytes) -> bytes:
        """Of the same length, so that what is found in it has its place in the block."""
        return block.lower() if self.folded else block

    def is_in(self, line: bytes) -> bool:
        return self.text in self.haystack(line)


def forwards_with(path: Path, needle: Needle, start: int, end: int) -> Iterator[bytes]:
    """Complete lines of bytes `start` to `end` (lines' ends) that hold the needle. Raises OSError."""
    rest = b""  # the beginning of a line that ends in a later block
    with open_stored(path) as stored:
        at = start
        while at < end and (block := stored.read(at, min(BLOCK_BYTES, end - at))):
            at += len(block)
            first, last = block.find(b"\n") + 1, block.rfind(b"\n") + 1
            if not first:
                rest += block
                continue
            border = rest + block[: first - 1]
            if needle.is_in(border):
                yield border
            yield from _forwards(block, first, last, needle)
            rest = block[last:]


def backwards_with(path: Path, needle: Needle, end: int) -> Iterator[bytes]:
    """Complete lines before byte `end` (a line's end) that hold the needle, the last one first. Raises OSError."""
    rest, at = b"", end  # the end of a line that begins in an earlier block
    with open_stored(path) as stored:
        while at > 0:
            start = max(0, at - BLOCK_BYTES)
            block = whole(stored, start, at)
            at = start
            first, last = block.find(b"\n") + 1, block.rfind(b"\n") + 1
            if not first:
                rest = block + rest
                continue
            border = block[last:] + rest
            if needle.is_in(border):
                yield border
            yield from _backwards(block, first, last, needle)
            rest = block[: first - 1]
    if needle.is_in(rest):
        yield rest


def _forwards(block: bytes, first: int, last: int, needle: Needle) -> Iterator[bytes]:
    """Of the lines between two places behind newlines."""
    find: Callable[..., int] = needle.haystack(block).find
    hit = find(needle.text, first, last)
    while hit >= 0:
        begin, end = block.rfind(b"\n", 0, hit) + 1, block.find(b"\n", hit)
        yield block[begin:end]
        hit = find(needle.text, end + 1, last)


def _backwards(block: bytes, first: int, last: int, needle: Needle) -> Iterator[bytes]:
    rfind: Callable[..., int] = needle.haystack(block).rfind
    hit = rfind(needle.text, first, last)
    while hit >= 0:
        begin, end = block.rfind(b"\n", 0, hit) + 1, block.find(b"\n", hit)
        yield block[begin:end]
        hit = rfind(needle.text, first, max(first, begin - 1))

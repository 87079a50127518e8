"""A writer's files on the disk: their names, their order, and their complete lines, forwards and backwards.

`<first-seq>.ndjson`, or `<first-seq>-<attempt>.ndjson` where an earlier file of that number failed before its first
record; with `.zst` behind it once it is sealed. Readers need not know which: paths of either form are read, and a
segment that is sealed while somebody reads goes on. A line without its newline is not there yet, or never will be: no
reader shows it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from recordings.audit.stored import Stored, open_stored

NAME = re.compile(r"^(\d{20})(?:-(\d{1,9}))?\.ndjson(\.zst)?$", re.ASCII)
BLOCK_BYTES = 256 * 1024
"""Read at once: large enough for the disk, small enough that the newest ten lines of a gigabyte cost nothing."""


def segment_name(first_seq: int, attempt: int) -> str:
    return f"{first_seq:020d}.ndjson" if attempt == 0 else f"{first_seq:020d}-{attempt}.ndjson"


def segment_number(name: str) -> tuple[int, int] | None:
    """(first sequence number, attempt), by which segments are ordered; None for any other file."""
    match = NAME.match(name)
    return None if match is None else (int(match[1]), int(match[2] or 0))


def is_sealed(path: Path) -> bool:
    """By its name."""
    match = NAME.match(path.name)
    return match is not None and match[3] is not None


def segments(directory: Path) -> list[Path]:
    """A writer's segments in order, each once: plain as long as it is there. Raises OSError."""
    found: dict[tuple[int, int], Path] = {}
    for path in directory.iterdir():
        number = segment_number(path.name)
        if number is not None and (number not in found or not is_sealed(path)):
            found[number] = path
    return [path for _, path in sorted(found.items())]


def writers(root: Path) -> list[Path]:
    """The writers' directories below `root`; `root` itself where it is one. Raises OSError."""
    entries = sorted(root.iterdir())
    if any(segment_number(entry.name) is not None for entry in entries):
        return [root]
    return [entry for entry in entries if entry.is_dir()]


def length(path: Path) -> int:
    """How many bytes the segment has, which a sealed file's own length does not say. Raises OSError."""
    with open_stored(path) as stored:
        return stored.size


def complete(path: Path) -> int:
    """How many bytes of the segment are complete lines. Raises OSError."""
    with open_stored(path) as stored:
        at = stored.size
        while at > 0:
            start = max(0, at - BLOCK_BYTES)
            newline = whole(stored, start, at).rfind(b"\n")
            if newline >= 0:
                return start + newline + 1
            at = start
    return 0


def whole(stored: Stored, start: int, end: int) -> bytes:
    """Bytes `start` to `end`, over the borders of frames; fewer where the segment ends before. Raises OSError."""
    block = stored.read(start, end - start)
    while len(block) < end - start:
        more = stored.read(start + len(block), end - start - len(block))
        if not more:
            return block
        block += more
    return block


def forwards(path: Path, start: int = 0, end: int | None = None) -> Iterator[bytes]:
    """Complete lines of bytes `start` to `end`, without their newlines. Raises OSError."""
    with open_stored(path) as stored:
        at = start
        rest = b""
        while end is None or at < end:
            block = stored.read(at, BLOCK_BYTES if end is None else min(BLOCK_BYTES, end - at))
            if not block:
                return
            at += len(block)
            lines = (rest + block).split(b"\n")
            rest = lines.pop()
            yield from lines


def backwards(path: Path, end: int | None = None) -> Iterator[bytes]:
    """Complete lines before byte `end` (a line's end), the last one first, without newlines. Raises OSError."""
    at = complete(path) if end is None else end
    rest = b""  # the end of a line that begins before `at`
    with open_stored(path) as stored:
        while at > 0:
            start = max(0, at - BLOCK_BYTES)
            rest, *lines = (whole(stored, start, at) + rest).split(b"\n")
            yield from (line for line in reversed(lines) if line)
            at = start
    if rest:
        yield rest

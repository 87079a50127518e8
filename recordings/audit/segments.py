"""A writer's files on the disk: their names, their order, and their complete lines, forwards and backwards.

`<first-seq>.ndjson`, or `<first-seq>-<attempt>.ndjson` where an earlier file of that number failed before its first
record. A line without its newline is not there yet, or never will be: no reader shows it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

NAME = re.compile(r"^(\d{20})(?:-(\d{1,9}))?\.ndjson$", re.ASCII)
BLOCK_BYTES = 256 * 1024
"""Read at once: large enough for the disk, small enough that the newest ten lines of a gigabyte cost nothing."""


def segment_name(first_seq: int, attempt: int) -> str:
    return f"{first_seq:020d}.ndjson" if attempt == 0 else f"{first_seq:020d}-{attempt}.ndjson"


def segment_number(name: str) -> tuple[int, int] | None:
    """(first sequence number, attempt), by which segments are ordered; None for any other file."""
    match = NAME.match(name)
    return None if match is None else (int(match[1]), int(match[2] or 0))


def segments(directory: Path) -> list[Path]:
    """A writer's segments in order. Raises OSError."""
    found = [(number, path) for path in directory.iterdir() if (number := segment_number(path.name)) is not None]
    return [path for _, path in sorted(found)]


def writers(root: Path) -> list[Path]:
    """The writers' directories below `root`; `root` itself where it is one. Raises OSError."""
    entries = sorted(root.iterdir())
    if any(segment_number(entry.name) is not None for entry in entries):
        return [root]
    return [entry for entry in entries if entry.is_dir()]


def complete(path: Path) -> int:
    """How many bytes of the file are complete lines. Raises OSError."""
    with path.open("rb") as file:
        at = file.seek(0, 2)
        while at > 0:
            start = max(0, at - BLOCK_BYTES)
            file.seek(start)
            newline = file.read(at - start).rfind(b"\n")
            if newline >= 0:
                return start + newline + 1
            at = start
    return 0


def forwards(path: Path, start: int = 0, end: int | None = None) -> Iterator[bytes]:
    """Complete lines of bytes `start` to `end`, without their newlines. Raises OSError."""
    with path.open("rb") as file:
        file.seek(start)
        left = end - start if end is not None else None
        rest = b""
        while left is None or left > 0:
            block = file.read(BLOCK_BYTES if left is None else min(BLOCK_BYTES, left))
            if not block:
                return
            if left is not None:
                left -= len(block)
            lines = (rest + block).split(b"\n")
            rest = lines.pop()
            yield from lines


def backwards(path: Path, end: int | None = None) -> Iterator[bytes]:
    """Complete lines before byte `end` (a line's end), the last one first, without newlines. Raises OSError."""
    at = complete(path) if end is None else end
    rest = b""  # the end of a line that begins before `at`
    with path.open("rb") as file:
        while at > 0:
            start = max(0, at - BLOCK_BYTES)
            file.seek(start)
            rest, *lines = (file.read(at - start) + rest).split(b"\n")
            yield from (line for line in reversed(lines) if line)
            at = start
    if rest:
        yield rest

"""All files of a sealed segment, and taking them away."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

from recordings.audit.manifest import base, manifest_of
from recordings.audit.new_file import sync_directory
from recordings.audit.retention import Kept
from recordings.audit.segments import NAME, is_sealed, segments, writers
from recordings.audit.stored import sealed_path

_BESIDE = re.compile(r"^\d{20}(-\d+)?\.(parquet$|manifest\.json$|blob-)", re.ASCII)


def kept(root: Path) -> tuple[list[Kept], int]:
    """The sealed segments of all writers below `root`, and the bytes of everything else there. Raises OSError."""
    found: list[Kept] = []
    others = 0
    for writer in writers(root):
        sizes = _sizes(writer)
        for path in segments(writer):
            manifest = manifest_of(path) if is_sealed(path) else None
            if manifest is not None and manifest.writer == writer.name and manifest.segment == _plain(path).name:
                found.append(Kept(manifest, sizes.pop(base(path), 0)))
        others += sum(sizes.values())
    return found, others


def remove(writer: Path, segment: str) -> None:
    """All files of a sealed segment; done again, it finishes what was cut off. Raises OSError, ValueError.

    The segment itself goes first: what is left behind it is nobody's, and `sweep` removes it.
    """
    path = writer / segment
    if NAME.match(segment) is None or is_sealed(path):
        raise ValueError(f"no segment has the name {segment[:80]!r}")
    sealed_path(path).unlink(missing_ok=True)
    sync_directory(writer)
    _remove_rest(writer, base(path))


def sweep(writer: Path) -> None:
    """Remove what belongs to segments that are gone. Raises OSError."""
    there = {base(path) for path in segments(writer)}
    for path in list(writer.iterdir()):
        if path.name[0] != "." and _BESIDE.search(path.name) and base(path) not in there:
            path.unlink(missing_ok=True)


def _plain(path: Path) -> Path:
    return path.with_name(path.name.removesuffix(".zst"))


def _sizes(writer: Path) -> dict[str, int]:
    sizes: dict[str, int] = defaultdict(int)
    for path in writer.iterdir():
        if path.is_file():
            sizes[base(path)] += path.stat().st_size
    return sizes


def _remove_rest(writer: Path, name: str) -> None:
    for path in list(writer.iterdir()):
        if base(path) == name and path.is_file():
            path.unlink(missing_ok=True)

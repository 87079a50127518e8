"""One round over the files of a log: seal what grows no more, make the Parquet files, clear what was cut off.

It runs in a process of its own, at low priority: compressing takes a core for seconds, and requests come first. It
writes no record and removes no record.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from recordings.audit import placing, segment_files
from recordings.audit.manifest import Summary, manifest_of, manifest_path
from recordings.audit.parquet import connect, is_possible, parquet_path, write_parquet
from recordings.audit.sealing import blocks, manifest_for, ready, seal
from recordings.audit.segments import is_sealed, segments, writers


@dataclass(slots=True)
class Round:
    """What a round did; `problems` are sentences, one for each file that it failed on."""

    sealed: list[str] = field(default_factory=list)
    parquet: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def housekeep(root: Path, now: float) -> Round:
    """Everything that can be done now. What fails is left as it is, told, and tried again in the next round."""
    done = Round()
    for writer in writers(root):
        _try(done, writer, _clear, writer)
        for path, following in ready(writer, now):
            _try(done, path, _seal, path, following, done)
        for path, following in pairwise(segments(writer)):
            if is_sealed(path):
                _try(done, path, _complete, path, following, done)
    return done


def _clear(writer: Path) -> None:
    placing.clear(writer)
    segment_files.sweep(writer)


def _seal(path: Path, following: Path, done: Round) -> None:
    seal(path, following)
    done.sealed.append(f"{path.parent.name}/{path.name}")


def _complete(path: Path, following: Path, done: Round) -> None:
    """What can be made again from a sealed segment, where it is missing."""
    if manifest_of(path) is None:
        summary = Summary()
        for block in blocks(path):
            summary.add(block)
        placing.write(manifest_path(path), manifest_for(path, summary, following).to_json())
    if is_possible() and not parquet_path(path).exists():
        with connect(threads=1) as connection:
            write_parquet(connection, path)
        done.parquet.append(f"{path.parent.name}/{parquet_path(path).name}")


def _try(done: Round, path: Path, do: Callable[..., None], *given: object) -> None:
    """DuckDB's errors have a base of their own, which cannot be named where it is not installed."""
    try:
        do(*given)
    except Exception as error:  # noqa: BLE001 - one file must not keep the others from being sealed
        done.problems.append(f"{path}: {error}")

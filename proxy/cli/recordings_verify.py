"""`kwit recordings verify`: is a recording whole, and is it the one that the audit log sealed?"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from proxy.cli.client.problem import Problem
from proxy.cli.client.terminal import say
from proxy.cli.recordings_source import Folder
from recordings.audit.query import oldest_first
from recordings.audit.question import Question
from recordings.audit.record import RecordType
from recordings.recorder.frames import RecordingDamagedError
from recordings.recorder.head import ID
from recordings.recorder.reader import open_recording


@click.command("verify", epilog="\b\nExample:\n  kwit recordings verify --dir recordings --log audit\n")
@click.argument("recordings", metavar="[ID|FILE]...", nargs=-1)
@click.option("--dir", "directory", type=click.Path(path_type=Path, exists=True, file_okay=False), help="Their folder.")
@click.option(
    "--log",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="The audit log's directory: compare with the digests that it sealed. `kwit audit verify` proves the log.",
)
def verify(*, recordings: tuple[str, ...], directory: Path | None, log: Path | None) -> int:
    """Whether recordings are whole and unchanged; all of a folder if none is named. Exit code 1 on any finding."""
    if not recordings and directory is None:
        raise Problem("verify what? Name files, or a folder with --dir", exit_code=2)
    sealed = None if log is None else _sealed(log)
    count = bad = 0
    for path in _paths(recordings, directory):
        count += 1
        found = findings(path, sealed)
        bad += bool(found)
        for finding in found:
            click.echo(f"{path.stem}: {finding}")
    if sealed is not None and not recordings and directory is not None:
        there = {path.stem for path in Folder(directory).paths()}
        for missing in sorted(set(sealed) - there - _removed(log)):
            bad += 1
            click.echo(f"{missing}: the log sealed it, and it is not there")
    compared = "" if sealed is not None else "; give --log to compare with what the audit log sealed"
    plural = "" if count == 1 else "s"
    say(f"{count} recording{plural}, {bad} with findings{compared}")
    return 1 if bad else 0


def findings(path: Path, sealed: dict[str, str] | None) -> list[str]:
    """What is wrong with one file. `sealed`: id → digest, as the log has it."""
    try:
        with open_recording(path) as reader:
            found, whole, name = reader.verify(), reader.footer is not None, reader.head.id
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except (RecordingDamagedError, OSError) as error:
        return [str(error)]
    if ID.fullmatch(path.stem) and name != path.stem:
        found.append(f"it says of itself that it is {name[:64]}")
    if sealed is not None and whole:
        if path.stem not in sealed:
            found.append("the log never sealed it")
        elif sealed[path.stem] != digest:
            found.append("it is not the file that the log sealed: another digest")
    return found


def _paths(recordings: tuple[str, ...], directory: Path | None) -> Iterator[Path]:
    if not recordings and directory is not None:
        yield from Folder(directory).paths()
    for one in recordings:
        if directory is not None and ID.fullmatch(one):
            yield Folder(directory).path(one)
        elif Path(one).is_file():
            yield Path(one)
        else:
            raise Problem(f"{one[:200]!r} is no file; give a folder with --dir to name recordings by id", exit_code=2)


def _sealed(log: Path) -> dict[str, str]:
    """Id → SHA-256 of the file, of every recording that the log sealed."""
    bodies = [_body(record) for record in _records(log, RecordType.RECORDING_SEAL)]
    return {str(body.get("recording")): str(body.get("sha256")) for body in bodies}


def _removed(log: Path | None) -> set[str]:
    if log is None:
        return set()
    done = [record for record in _records(log, RecordType.RECORDING_REMOVE) if record.get("outcome") == "done"]
    return {str(_body(record).get("recording")) for record in done}


def _records(log: Path, kind: RecordType) -> Iterator[Any]:
    return oldest_first(log, Question(type=str(kind)))


def _body(record: Any) -> dict[str, Any]:
    body = record.get("body")
    return body if isinstance(body, dict) else {}

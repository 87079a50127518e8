"""`kwit audit verify`: whether a log, or a proof, is what was written. Needs the files and the root key, no more."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from proxy.cli.audit_bucket import SCHEME, fetched
from proxy.cli.audit_place import config_option, place, reading
from proxy.cli.byte_bar import byte_bar
from proxy.cli.client.problem import Problem
from proxy.cli.client.terminal import say
from recordings.audit.row import harmless

if TYPE_CHECKING:
    from recordings.audit.note import PublicKey
    from recordings.audit.verdict import Verdict

PATIENCE_SECONDS = 0.25
PATIENCE_TIMES = 8
"""Two seconds in all: a log that is being written signs what is there at least every 200 ms, on a slow disk later."""
MAX_FILE_BYTES = 1024 * 1024
"""Of a key's or a checkpoint's file; both have some hundred bytes."""

EPILOG = """\b
Examples:
  kwit audit verify kwit-data/audit --key audit-root.key.pub
  kwit audit verify /mnt/copy --key acme/audit-root+4f1d5a2c+AXyM… --anchor yesterday.checkpoint
  kwit audit verify s3://audit-archive/prod --key audit-root.key.pub --anchor anchors/
  kwit audit verify --proof case-17.json --key audit-root.key.pub
"""


@click.command("verify", epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("directory", required=False)
@click.option("--key", required=True, help="The installation's public root key, or the file that holds it.")
@click.option(
    "--anchor",
    "anchors",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Checkpoints that were kept elsewhere: a note, or the file or directory that an anchor wrote. Repeatable.",
)
@click.option("--proof", type=click.Path(path_type=Path), help="Check this proof and no log.")
@click.option("-o", "--output", "form", type=click.Choice(("text", "json")), default="text", help="How to show it.")
@config_option
def verify(
    *, directory: str | None, key: str, anchors: tuple[Path, ...], proof: Path | None, config: Path | None, form: str
) -> int:
    """Is the log whole? Exit code 0 if it is; 1 if anything was changed, removed or added.

    DIRECTORY is the log's, one writer's, or a copy; or s3://BUCKET/PREFIX, with the key that AWS_ACCESS_KEY_ID and
    AWS_SECRET_ACCESS_KEY hold, in AWS_REGION or at AWS_ENDPOINT_URL. Without --anchor, nothing can show that the newest
    records were removed by who had the disk: how many lines that concerns is stated.
    """
    root = _public_key(key)
    if proof is not None:
        return _verify_proof(proof, root, form)
    notes = [note for path in anchors for note in _kept(path)]
    shown = form == "text" and sys.stderr.isatty()
    with _log_at(directory, config, shown=shown) as where:
        verdicts = reading(lambda: _verified(where, root, notes, shown=shown), where)
    if form == "json":
        whole = bool(verdicts) and all(one.is_whole for one in verdicts)
        click.echo(json.dumps({"whole": whole, "writers": [one.as_json() for one in verdicts]}, indent=2))
        return 0 if whole else 1
    if not verdicts:
        raise Problem(f"there is no log in {directory or where}")
    for one in verdicts:
        click.echo("\n".join(described(one)))
    return 0 if all(one.is_whole for one in verdicts) else 1


@contextmanager
def _log_at(directory: str | None, config: Path | None, *, shown: bool) -> Iterator[Path]:
    """Raises Problem."""
    if directory is None or not directory.startswith(SCHEME):
        yield place(None if directory is None else Path(directory), config)
        return
    with fetched(directory, lambda total: byte_bar(total if shown else 0)) as folder:
        yield folder


def _verified(where: Path, root: PublicKey, notes: Sequence[str], *, shown: bool) -> list[Verdict]:
    """Raises Problem for a checkpoint that is none."""
    from recordings.audit import verify as verification
    from recordings.audit.note import NoteError

    left = iter(range(PATIENCE_TIMES))

    def wait() -> bool:
        if next(left, None) is None:
            return False
        time.sleep(PATIENCE_SECONDS)
        return True

    with byte_bar(verification.total_bytes(where) if shown else 0) as progress:
        try:
            return verification.verify(where, root, notes, progress=progress, patience=wait)
        except NoteError as error:
            raise Problem(str(error)) from error


def described(one: Verdict) -> list[str]:
    """A verdict for people; what comes from the files is harmless to a terminal."""
    name = harmless(one.origin or one.directory)
    plural = "" if one.segments == 1 else "s"
    facts = f"{one.records:,} records in {one.segments:,} segment{plural}, {one.bytes:,} bytes"
    lines = [f"{name}: {'whole' if one.is_whole else 'NOT WHOLE'}. {facts}."]
    lines += [f"  {each.kind.upper():<9} {harmless(each.place)}: {harmless(each.message)}" for each in one.findings]
    lines += [f"  note      {harmless(notice)}" for notice in one.notices]
    if one.checkpoint:
        lines.append(f"  signed    {one.size:,} lines, root {one.root}")
        unanchored = f"{one.unanchored:,} lines have no checkpoint kept elsewhere"
        if not one.unanchored:
            lines.append("  anchored  every line has a checkpoint kept elsewhere")
        elif one.anchored:
            lines.append(f"  anchored  {one.anchored:,} lines; {unanchored}: loss of the newest would go unseen")
        else:
            lines.append(f"  anchored  none; {unanchored}: loss of the newest would go unseen (--anchor)")
    return lines


def _verify_proof(path: Path, root: PublicKey, form: str) -> int:
    """Raises Problem where it does not hold."""
    from recordings.audit.merkle import ProofError
    from recordings.audit.proof import MAX_BYTES, check_proof, parse_proof

    try:
        proof = parse_proof(_bytes(path, "proof", MAX_BYTES))
        checkpoints = check_proof(proof, root)
    except ProofError as error:
        raise Problem(f"{path} does not hold: {harmless(str(error))}") from error
    rows = [
        {"record": one.record.decode(), "line": one.index + 1, "origin": checkpoint.origin, "size": checkpoint.size}
        for one, checkpoint in zip(proof.records, checkpoints, strict=True)
    ]
    if form == "json":
        click.echo(json.dumps({"whole": True, "records": rows}, indent=2))
        return 0
    for row in rows:
        say(f"line {row['line']:,} of {harmless(str(row['origin']))}, as signed when it had {row['size']:,} lines:")
        click.echo(harmless(str(row["record"])))
    return 0


def _public_key(given: str) -> PublicKey:
    """Raises Problem."""
    from recordings.audit.note import NoteError, PublicKey

    text = given if "+" in given and not Path(given).exists() else _text(Path(given), "public key")
    try:
        return PublicKey.parse(text.strip())
    except NoteError as error:
        raise Problem(f"--key takes NAME+ID+BASE64, or a file that holds it: {error}", exit_code=2) from error


def _kept(path: Path) -> list[str]:
    """The checkpoints of a file, or of all files of a directory and those below it. Raises Problem."""
    from recordings.audit.anchors.kept import MAX_BYTES, notes_of
    from recordings.audit.note import NoteError

    found: list[str] = []
    for file in sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]:
        try:
            found += notes_of(_bytes(file, "checkpoint", MAX_BYTES))
        except NoteError as error:
            raise Problem(f"{file} is no checkpoint that was kept elsewhere: {error}", exit_code=2) from error
    return found


def _text(path: Path, what: str) -> str:
    try:
        return _bytes(path, what, MAX_FILE_BYTES).decode()
    except UnicodeDecodeError as error:
        raise Problem(f"{path} is no {what}: it is no text", exit_code=2) from error


def _bytes(path: Path, what: str, limit: int) -> bytes:
    """Raises Problem."""
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise Problem(f"the {what} {path} cannot be read: {error.strerror}", exit_code=2) from error
    if len(data) > limit:
        raise Problem(f"{path} is no {what}: it has more than {limit:,} bytes", exit_code=2)
    return data

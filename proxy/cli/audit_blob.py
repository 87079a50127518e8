"""`kwit audit blob`: the whole of a record that was over the log's cap."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from proxy.cli.audit_place import place, place_options, reading
from proxy.cli.client.problem import Problem
from proxy.cli.help_pages import examples
from recordings.audit import blobs
from recordings.audit.row import harmless_json


@click.command(
    "blob",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=examples("kwit audit blob 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
)
@click.argument("digest", metavar="SHA256")
@place_options
def blob(*, digest: str, directory: Path | None, config: Path | None) -> None:
    """The whole of a record that was cut, by the digest that it names as `blob`; checked against it."""
    root = place(directory, config)
    try:
        whole = reading(lambda: blobs.find(root, digest), root)
    except blobs.BlobError as error:
        raise Problem(str(error)) from error
    if sys.stdout.isatty():
        click.echo(harmless_json(whole.decode("utf-8", "backslashreplace")), nl=False)
    else:
        sys.stdout.buffer.write(whole)

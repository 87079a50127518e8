"""`kwit audit prove`: one small file that shows to anybody that a record is in the log."""

from __future__ import annotations

from pathlib import Path

import click

from proxy.cli.audit_place import place, place_options, reading
from proxy.cli.client.problem import Problem
from proxy.cli.client.terminal import say
from recordings.audit.row import harmless

EPILOG = """\b
Examples:
  kwit audit prove 0199aef2-51c4-7d3a-9f60-1c2b3a4d5e6f > case-17.json
  kwit audit verify --proof case-17.json --key audit-root.key.pub
"""


@click.command("prove", epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("wanted", metavar="ID")
@click.option("--out", type=click.Path(path_type=Path), help="Write it there instead of to stdout.")
@place_options
def prove(*, wanted: str, out: Path | None, directory: Path | None, config: Path | None) -> None:
    """Prove that the records of a request are in the log: they, the way to a signed checkpoint, and its keys.

    ID is whole, that of a request or of a record. The file holds these records as stored, and nothing of others.
    """
    from recordings.audit import prove as proving
    from recordings.audit.merkle import ProofError

    where = place(directory, config)
    try:
        proof = reading(lambda: proving.prove(where, wanted), where)
        data = proof.as_json()
    except ProofError as error:
        raise Problem(harmless(str(error))) from error
    if out is None:
        click.echo(data, nl=False)
        return
    try:
        with out.open("xb") as file:
            file.write(data)
    except OSError as error:
        raise Problem(f"{out} cannot be written: {error.strerror}") from error
    say(f"{len(proof.records)} records proven in {out}; check it with: kwit audit verify --proof {out} --key PUB")

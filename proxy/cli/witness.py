"""`kwit witness`: run a witness for the logs of other installations."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from proxy.cli.client.problem import Problem
from proxy.cli.client.terminal import say

if TYPE_CHECKING:
    from recordings.audit.anchors.witness import Witness

EPILOG = """\b
Example, on a machine that the other installation's people cannot reach:
  kwit witness --name witness.example.com --log acme-root.pub --state witness --address 0.0.0.0:8446 \\
      --tls-cert witness.crt --tls-key witness.key
and in the other installation's kwit.yaml:
  audit: {anchors: [{type: witness, url: "https://witness.example.com:8446", key: "what kwit witness prints"}]}
"""


@click.command("witness", epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--name", required=True, help="Its name in what it signs, such as a host's.")
@click.option("--log", "logs", multiple=True, required=True, help="A root key to witness for, or its file. Repeatable.")
@click.option("--state", type=click.Path(path_type=Path), required=True, help="Where its key and checkpoints are kept.")
@click.option("--address", default="127.0.0.1:8446", show_default=True, help="Where it listens.")
@click.option("--tls-cert", type=click.Path(path_type=Path), help="Certificate chain in PEM; needed beyond loopback.")
@click.option("--tls-key", type=click.Path(path_type=Path), help="Its key.")
def command(
    *, name: str, logs: tuple[str, ...], state: Path, address: str, tls_cert: Path | None, tls_key: Path | None
) -> int:
    """Sign the checkpoints of other installations' logs, if each goes on from the last one that was seen.

    What it keeps in --state is an --anchor for `kwit audit verify`. SIGTERM or Ctrl-C ends it.
    """
    from proxy.config_types import address as parsed_address
    from recordings.errors import RecordingsError

    try:
        bind = parsed_address(address)
    except ValueError as error:
        raise Problem(f"--address takes {error}", exit_code=2) from error
    if (tls_cert is None) != (tls_key is None):
        raise Problem("--tls-cert and --tls-key go together", exit_code=2)
    if tls_cert is None and not bind.is_loopback:
        raise Problem("plain HTTP is for loopback only; name --tls-cert and --tls-key", exit_code=2)
    try:
        witness, key = made(name, logs, state)
    except RecordingsError as error:
        raise Problem(str(error), exit_code=2) from error
    say(f"witness key: {key}")
    return asyncio.run(_serve(witness, (bind.host, bind.port), tls_cert, tls_key))


def made(name: str, logs: tuple[str, ...], state: Path) -> tuple[Witness, str]:
    """The witness, and its public key. Its private key is made at the first start. Raises RecordingsError, OSError."""
    from recordings.audit.anchors.cosignature import witness_key
    from recordings.audit.anchors.witness import Witness
    from recordings.audit.note import PublicKey, check_name
    from recordings.audit.root_key import load_or_create_root_key

    check_name(name)
    keys = [PublicKey.parse((text if "+" in text else Path(text).read_text(encoding="utf-8")).strip()) for text in logs]
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    checkpoints = state / "checkpoints"
    checkpoints.mkdir(mode=0o700, exist_ok=True)
    private = load_or_create_root_key(state / "witness.key", name).private
    return Witness(checkpoints, name, private, keys), str(witness_key(name, private))


async def _serve(witness: Witness, where: tuple[str, int], cert: Path | None, key: Path | None) -> int:
    from proxy.listeners import listen
    from proxy.witness_server import WitnessServer, tls_context

    context = tls_context(cert, key) if cert is not None and key is not None else None
    server = WitnessServer(witness, clock=time.time, say=say)  # noqa: TID251 - the composition root
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    await server.start(listen(*where), context)
    say(f"listening on {where[0]}:{where[1]}")
    await ended.wait()
    await server.stop()
    return 0

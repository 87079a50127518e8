"""A flood that somebody else reads, so that whoever measures beside it is not kept from measuring.

python -m tests.bench.streams.flood ADDRESS CERTIFICATE KEY CA
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvloop

from tests.bench.processes import Running
from tests.bench.streams.shell import connected, context_for

CHECKOUT = Path(__file__).parents[3]
ENDLESS = 1 << 40


@contextmanager
def flooding(running: Running) -> Iterator[None]:
    """A stream through `running` carries as much as it can."""
    files = (running.certificate, running.key, running.ca)
    process = subprocess.Popen(
        [sys.executable, "-m", __name__, running.address, *files], stdout=subprocess.PIPE, cwd=CHECKOUT
    )
    assert process.stdout is not None
    try:
        process.stdout.readline()
        yield
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


async def main(address: str, certificate: str, key: str, ca: str) -> None:
    context = context_for(certificate, key, ca)
    flood = await connected(address, context, "flood", str(ENDLESS))
    print("it flows", flush=True)
    await flood.ended


if __name__ == "__main__":
    uvloop.run(asyncio.wait_for(main(*sys.argv[1:]), 600))

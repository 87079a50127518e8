"""Run with `python -O`: the listener refuses what it refuses, though every `assert` is gone. Security P5.

Exit code 0 and a count, or 1 and the first request that passed.
"""

from __future__ import annotations

import asyncio
import sys

from tests.battery.http.test_identity_headers import FORGED
from tests.battery.http.test_smuggling import REFUSED, SMALL, refused
from tests.proxy.dataplane import PODS, plane, request


async def main() -> int:
    if __debug__:
        sys.exit("run this with -O")
    async with plane() as it:
        for vector in SMALL:
            if await refused(it, [vector]) != REFUSED:
                sys.exit(f"not refused: {vector!r}")
        for name in FORGED:
            answer = await it.client().ask(request(b"GET", PODS, name + b": system:admin"))
            if answer[9:12] not in (b"403", b"400") or it.server.seen:
                sys.exit(f"not refused: {name!r}")
        if not (await it.client().ask(request())).startswith(b"HTTP/1.1 200 "):
            sys.exit("what is right does not pass")
    return len(SMALL) + len(FORGED)


if __name__ == "__main__":
    print(asyncio.run(main()))

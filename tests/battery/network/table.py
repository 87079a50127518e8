"""`python -m tests.battery.network.table [LINK WAY]` prints what comes of every cell, as `outcomes.yaml` has it."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from tests.battery.network.bed import Cell, bed
from tests.battery.network.fault import Fault, Moment


async def main(only: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with bed(Path(folder)) as it:
            for link in ("client", "api"):
                for way in ("get", "put", "exec"):
                    if only and [link, way] != only:
                        continue
                    print(f"{link}, {way}:", flush=True)
                    for fault in Fault:
                        words = []
                        for moment in Moment:
                            came = await it.run(cell := Cell(link, way, fault, moment))
                            words.append(came.word)
                            if came.wrong or it.seconds[cell.name] > 2:
                                print(f"  # {moment} {it.seconds[cell.name]:.1f} s {list(came.wrong)}")
                        print(f"  {fault}: {words}", flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))

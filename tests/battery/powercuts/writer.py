"""The server's work (`tests.battery.syscalls.work`) again and again, each time in a new folder of a mounted disk.

`python -m tests.battery.powercuts.writer MOUNTED PROMISES`: a line of PROMISES is `[number of the folder, kind, what]`,
written once it was promised. A folder goes when the second one behind it is done.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import shutil
import sys
from pathlib import Path

from tests.battery.syscalls.work import Place, work


def main(mounted: Path, promises: Path) -> None:
    out = os.open(promises, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for number in itertools.count():

        def promise(kind: str, what: object, number: int = number) -> None:
            os.write(out, json.dumps([number, kind, what]).encode() + b"\n")

        asyncio.run(work(Place(mounted / f"{number}"), promise))
        shutil.rmtree(mounted / f"{number - 2}", ignore_errors=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

"""The power goes: what had reached the disk at a random moment is all that is left.

`python -m tests.battery.powercuts.cuts CUTS [FILE_SYSTEM...]` works on a file system in a file, stops the writer at a
random moment, copies the file (its blocks are what the disk has; what only the page cache holds is not in it), mounts
the copy, and asks whether everything promised by then is true after the next start. Needs root, loop devices and the
file systems' mkfs.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.battery.syscalls.matrix import broken_promises
from tests.battery.syscalls.work import Place

CHECKOUT = Path(__file__).parents[3]
IMAGE_BYTES = 320 << 20
"""The least that mkfs.xfs takes is 300 MiB; the file is sparse."""
FILE_SYSTEMS = ("ext4", "xfs", "btrfs")
LONGEST_SECONDS = 0.15
"""Between two cuts: the work takes about as long once, so that cuts fall everywhere into it."""


class CannotMountError(RuntimeError):
    """This machine has no such file system, or lets nobody mount; the message says what is missing."""


@dataclass(frozen=True)
class Bench:
    """A file system in a file, mounted, and room for a copy of it."""

    kind: str
    image: Path
    mounted: Path
    copy: Path
    copied: Path


def command(*words: str | Path) -> None:
    """Raises CannotMountError."""
    try:
        subprocess.run(words, check=True, capture_output=True)
    except FileNotFoundError as error:
        raise CannotMountError(f"{words[0]} is not installed") from error
    except subprocess.CalledProcessError as error:
        raise CannotMountError(f"{words[0]}: {error.stderr.decode(errors='replace').strip()}") from error


@contextmanager
def mounted(kind: str, image: Path, where: Path) -> Iterator[None]:
    """Raises CannotMountError."""
    where.mkdir(exist_ok=True)
    # a copy has the original's UUID, which xfs refuses and btrfs copes with
    options = "loop,nouuid" if kind == "xfs" else "loop"
    command("mount", "-o", options, "-t", kind, image, where)
    try:
        yield
    finally:
        command("umount", where)


@contextmanager
def bench(kind: str, folder: Path) -> Iterator[Bench]:
    """Raises CannotMountError."""
    if os.geteuid() != 0:
        raise CannotMountError("only root may mount")
    made = Bench(kind, folder / "image", folder / "mounted", folder / "copy", folder / "copied")
    with made.image.open("wb") as file:
        file.truncate(IMAGE_BYTES)
    command(f"mkfs.{kind}", "-q", made.image)
    with mounted(kind, made.image, made.mounted):
        yield made


@contextmanager
def writing(made: Bench, promises: Path) -> Iterator[subprocess.Popen[bytes]]:
    command_line = [sys.executable, "-m", "tests.battery.powercuts.writer", str(made.mounted), str(promises)]
    process = subprocess.Popen(command_line, cwd=CHECKOUT)
    try:
        until = time.monotonic() + 20
        while not promises.exists() and time.monotonic() < until:
            time.sleep(0.01)
        yield process
        if process.poll() is not None:
            raise RuntimeError("the writer ended by itself")
    finally:
        process.kill()
        process.wait()


def cut(made: Bench, writer: subprocess.Popen[bytes], promises: Path) -> dict[int, list[tuple[str, Any]]]:
    """Copy what the disk has now; what had been promised before, by folder."""
    writer.send_signal(signal.SIGSTOP)
    promised: dict[int, list[tuple[str, Any]]] = {}
    for line in promises.read_text().splitlines():
        number, kind, what = json.loads(line)
        promised.setdefault(number, []).append((kind, what))
    command("cp", "--sparse=always", made.image, made.copy)
    writer.send_signal(signal.SIGCONT)
    return promised


def judged(made: Bench, promised: dict[int, list[tuple[str, Any]]]) -> list[str]:
    """Of the newest two folders, what is not true on the copy."""
    wrong: list[str] = []
    with mounted(made.kind, made.copy, made.copied):
        for number in sorted(promised)[-2:]:
            place = Place(made.copied / f"{number}")
            wrong += asyncio.run(broken_promises(place, promised[number]))
    return wrong


def cuts(kind: str, folder: Path, count: int, seed: int) -> Iterator[tuple[int, list[str]]]:
    """(how many promises were made in the folder that was being written, what is broken), for each cut."""
    rng, promises = random.Random(seed), folder / "promises"
    with bench(kind, folder) as made, writing(made, promises) as writer:
        for _ in range(count):
            time.sleep(rng.uniform(0, LONGEST_SECONDS))
            promised = cut(made, writer, promises)
            yield len(promised[max(promised)]) if promised else 0, judged(made, promised)


def main() -> int:
    count, kinds = int(sys.argv[1]), sys.argv[2:] or FILE_SYSTEMS
    bad = 0
    for kind in kinds:
        began, depth = time.monotonic(), Counter[int]()
        folder = Path(tempfile.mkdtemp(prefix="kwit-cuts."))
        try:
            for number, (promises, wrong) in enumerate(cuts(kind, folder, count, 0)):
                depth[promises] += 1
                bad += bool(wrong)
                if wrong:
                    print(f"{kind}, cut {number}: {'; '.join(wrong)}", flush=True)
        except CannotMountError as error:
            print(f"{kind}: left out, because {error}")
            continue
        finally:
            shutil.rmtree(folder)
        print(
            f"{kind}: {sum(depth.values()):,} cuts in {time.monotonic() - began:.0f} s, "
            f"after {min(depth)} to {max(depth)} promises of the work at hand; broken in {bad}"
        )
    return bool(bad)


if __name__ == "__main__":
    raise SystemExit(main())

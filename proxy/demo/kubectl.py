"""The kubectl that a person has: where it is, and whether it is new enough to speak to kwit."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass

MIN_MINOR = 24
"""1.24 is the oldest that is tested with real clusters; before 1.22 there was no v1 of the plugins' protocol."""
VERSION_SECONDS = 20.0
HOW_TO_GET = "https://kubernetes.io/docs/tasks/tools/ says how to get one"


@dataclass(frozen=True, slots=True)
class Kubectl:
    """A program and its minor version."""

    path: str
    minor: int


async def find(environ: Mapping[str, str]) -> tuple[Kubectl | None, str]:
    """The one on PATH, or None and why there is none that can be used."""
    path = shutil.which("kubectl", path=environ.get("PATH", ""))
    if path is None:
        return None, f"There is no kubectl on PATH; {HOW_TO_GET}."
    minor = await _minor(path, environ)
    if minor is None:
        return None, f"{path} does not say its version, so it is left alone; {HOW_TO_GET}."
    if minor < MIN_MINOR:
        return None, f"{path} is version 1.{minor}, and kwit needs 1.{MIN_MINOR} or newer; {HOW_TO_GET}."
    return Kubectl(path, minor), ""


async def _minor(path: str, environ: Mapping[str, str]) -> int | None:
    try:
        process = await asyncio.create_subprocess_exec(
            *(path, "version", "--client", "-o", "json"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=dict(environ),
        )
    except OSError:
        return None
    try:
        async with asyncio.timeout(VERSION_SECONDS):
            out, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return None
    return minor_in(out.decode(errors="replace"))


def minor_in(text: str) -> int | None:
    """The minor version of a client's version document; builds of vendors write `32+`."""
    try:
        version = json.loads(text)["clientVersion"]
        found = re.match(r"\d{1,4}", str(version["minor"]))
        return int(found[0]) if found and str(version["major"]) == "1" else None
    except (ValueError, LookupError, TypeError):
        return None

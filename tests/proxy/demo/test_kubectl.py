"""Which kubectl is used, and what is said where none can be."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from proxy.demo.kubectl import Kubectl, find, minor_in


def program(folder: Path, text: str) -> dict[str, str]:
    """A PATH with a kubectl that runs a line of shell."""
    path = folder / "kubectl"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return {"PATH": str(folder)}


def version(minor: str, major: str = "1") -> str:
    return json.dumps({"clientVersion": {"major": major, "minor": minor}})


async def test_the_one_on_path_is_used(tmp_path: Path) -> None:
    environ = program(tmp_path, f"echo '{version('30+')}'")
    assert await find(environ) == (Kubectl(str(tmp_path / "kubectl"), 30), "")


async def test_none_is_said_with_the_way_to_one(tmp_path: Path) -> None:
    found, why = await find({"PATH": str(tmp_path)})
    assert (found, why) == (
        None,
        "There is no kubectl on PATH; https://kubernetes.io/docs/tasks/tools/ says how to get one.",
    )


async def test_one_that_is_too_old_is_left_alone(tmp_path: Path) -> None:
    found, why = await find(program(tmp_path, f"echo '{version('23')}'"))
    assert found is None
    assert "is version 1.23, and kwit needs 1.24 or newer" in why


@pytest.mark.parametrize("text", ["exit 1", "echo no JSON", "echo '{}'"])
async def test_one_that_does_not_say_its_version_is_left_alone(tmp_path: Path, text: str) -> None:
    found, why = await find(program(tmp_path, text))
    assert found is None
    assert "does not say its version" in why


async def test_one_that_cannot_be_run_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "kubectl").write_bytes(b"\x7fELF no program")
    (tmp_path / "kubectl").chmod(0o755)
    found, _ = await find({"PATH": str(tmp_path)})
    assert found is None


@pytest.mark.parametrize(
    ("text", "minor"),
    [(version("24"), 24), (version("32+"), 32), (version("x"), None), (version("24", "2"), None), ("[]", None)],
)
def test_the_minor_version_is_read(text: str, minor: int | None) -> None:
    assert minor_in(text) == minor

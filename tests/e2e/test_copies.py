"""`kubectl cp` of many files and of a large one, both ways: what arrives is what was sent, and the log names each file.

KWIT_E2E_COPY_BYTES is the size of the large one; `make e2e` makes it a gibibyte.
"""

import hashlib
import os
import random
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.installation import Installation
from tests.e2e.story import Person
from tests.e2e.way import WAYS, Way, Ways

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

FILES = 5_000
FOLDERS = 50
LARGE = int(os.environ.get("KWIT_E2E_COPY_BYTES") or 64 << 20)
BLOCK = random.Random(2).randbytes(1 << 20)


def test_five_thousand_files_are_copied_both_ways_and_each_is_in_the_log(
    ways: Ways, installation: Installation, tmp_path: Path
) -> None:
    _, proxied = ways
    source, back = tmp_path / "source", tmp_path / "back"
    for number in range(FILES):
        path = source / f"{number % FOLDERS}" / f"{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"file %d\n" % number * (number % 300))
    expected = tree(source)
    before, there = len(files(installation)), f"/tmp/{random.randrange(1 << 40)}"
    assert proxied.run("cp", str(source), f"p:{there}", "-c", "main")[0] == 0
    code, _, problem = proxied.run("cp", f"p:{there}", str(back), "-c", "main")
    assert code == 0, problem
    assert tree(back) == expected
    sent = {path: digest for path, digest in expected.items() if digest}  # kubectl sends no folder that holds something
    bodies = wait_for_files(installation, before, len(sent) + len(expected))
    for direction, carried in (("to-pod", sent), ("from-pod", expected)):
        rows = [row for body in bodies for row in body["rows"] if row["direction"] == direction]
        assert named(rows) == carried
        assert all(row["complete"] for row in rows)
    assert not any("doubt" in body for body in bodies)
    proxied.run("exec", "p", "-c", "main", "--", "rm", "-rf", there)


@pytest.mark.parametrize("way", ["newest", "newest by SPDY"])
def test_a_large_file_is_copied_both_ways_and_its_digest_is_in_the_log(
    people: dict[str, Person], kubectls: dict[int, Path], installation: Installation, tmp_path: Path, way: str
) -> None:
    minor, environment = WAYS[way]
    proxied = Way(people["kwit"], kubectls[minor], environment)
    source, back, there = tmp_path / "large", tmp_path / "back", f"/tmp/{random.randrange(1 << 40)}"
    digest = write_large(source)
    before = len(files(installation))
    try:
        assert proxied.run("cp", str(source), f"p:{there}", "-c", "main", patience=PATIENCE)[0] == 0
        code, _, problem = proxied.run("cp", f"p:{there}", str(back), "-c", "main", patience=PATIENCE)
        assert code == 0, problem
        assert (back.stat().st_size, digest_of(back)) == (LARGE, digest)
        bodies = wait_for_files(installation, before, 2)
        rows = [row for body in bodies for row in body["rows"]]
        assert [(row["direction"], row["size"], row["sha256"], row["complete"]) for row in rows] == [
            ("to-pod", LARGE, digest, True),
            ("from-pod", LARGE, digest, True),
        ]
    finally:
        proxied.run("exec", "p", "-c", "main", "--", "rm", "-f", there)
        source.unlink()
        back.unlink(missing_ok=True)
        for recording in {body["recording"] for body in wait_for_files(installation, before, 1)}:
            remove(installation, recording)


PATIENCE = 400.0  # seconds for one copy


def write_large(path: Path) -> str:
    """Write the large file, no two blocks alike, and return its digest."""
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for number in range(0, LARGE, len(BLOCK)):
            block = number.to_bytes(8) + BLOCK[8:]
            file.write(block)
            digest.update(block)
    return digest.hexdigest()


def digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def tree(folder: Path) -> dict[str, str]:
    """Digest by path, empty for a folder."""
    return {
        str(path.relative_to(folder)): "" if path.is_dir() else digest_of(path) for path in (folder, *folder.rglob("*"))
    }


def named(rows: list[dict[str, Any]]) -> dict[str, str]:
    """Digest by path below the copied folder."""
    return {str(Path(*Path(row["path"]).parts[depth(row["path"]) :])): row["sha256"] for row in rows}


def depth(path: str) -> int:
    """How many parts stand before what the folder holds: kubectl sends `N/…`, the pod's tar `tmp/N/…`."""
    return 2 if path.startswith("tmp/") else 1


def files(installation: Installation) -> list[dict[str, Any]]:
    """The bodies of every `stream.files`."""
    return [record["body"] for record in installation.records() if record["type"] == "stream.files"]


def wait_for_files(installation: Installation, before: int, count: int) -> list[dict[str, Any]]:
    """The bodies of `stream.files` behind the first `before`, once they name so many files."""
    found: list[dict[str, Any]] = []

    def are_here() -> bool:
        found[:] = files(installation)[before:]
        return sum(len(body["rows"]) for body in found) >= count

    installation.wait_until(are_here, "no rows of the files")
    return found


def remove(installation: Installation, recording: str) -> None:
    """A recording of a gigabyte is not kept for the rest of the run."""
    for path in (installation.folder / "data" / "recordings").rglob(f"{recording}*"):
        path.unlink()

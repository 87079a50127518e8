"""Promise 3, Unaltered: any change to the log is found offline with a public key; what a lost tail hides is stated."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from proxy.cli import main
from proxy.config import Config
from recordings.audit.checkpoint import PREFIX
from recordings.audit.segments import segments
from tests.promises.conftest import settled
from tests.proxy.running import run

CONFIGMAPS = "/api/v1/namespaces/default/configmaps"


@dataclass
class Copy:
    """What an auditor has: a copy of the log, the public key, what an anchor has kept."""

    root: Path
    key: Path
    kept: Path
    capsys: pytest.CaptureFixture[str]

    @property
    def writer(self) -> Path:
        """Of the process that served kubectl."""
        (found,) = self.root.glob("*-0")
        return found

    @property
    def segment(self) -> Path:
        return segments(self.writer)[-1]

    def lines(self) -> list[bytes]:
        return self.segment.read_bytes().split(b"\n")[:-1]

    def put(self, lines: list[bytes]) -> None:
        self.segment.write_bytes(b"".join(line + b"\n" for line in lines))

    def verify(self, *options: str) -> tuple[int, dict[str, Any]]:
        """The exit code, and what is said of the writer that served kubectl."""
        self.capsys.readouterr()
        code = main(["audit", "verify", str(self.root), "--key", str(self.key), "-o", "json", *options])
        said = json.loads(self.capsys.readouterr().out)
        (ours,) = (one for one in said["writers"] if one["directory"] == self.writer.name)
        return code, ours

    def verify_anchored(self) -> tuple[int, dict[str, Any]]:
        return self.verify("--anchor", str(self.kept))


def is_a_request(line: bytes) -> bool:
    """Of Ada's, answered: nobody else asks anything here."""
    return b'"type":"kube.request"' in line and b'"outcome":"done"' in line


@pytest.fixture
def kwit_yaml(kwit_yaml: Path) -> Path:
    """With an anchor in a directory of its own."""
    document = yaml.safe_load(kwit_yaml.read_text())
    document["audit"]["anchors"] = [{"type": "file", "path": "kept"}]
    kwit_yaml.write_text(yaml.safe_dump(document))
    (kwit_yaml.parent / "kept").mkdir()
    return kwit_yaml


@pytest.fixture
async def copy(kwit_yaml: Path, upstream: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Copy:
    """Of a server that served some requests and ended in order. The key was written down on its first day."""
    del upstream
    async with run(kwit_yaml) as running:
        ada = await running.certificate()
        key = tmp_path / "root.pub"
        shutil.copy(running.config.audit_directory / "root.pub", key)
        for number in range(8):
            url = running.config.kube.url + CONFIGMAPS
            async with running.engineer.at.browser.post(url, ssl=ada, json={"number": number}) as answer:
                assert answer.status == 200
        await settled(running, 8)
    shutil.copytree(running.config.audit_directory, tmp_path / "copy")
    return Copy(tmp_path / "copy", key, kwit_yaml.parent / "kept", capsys)


def test_what_was_served_is_whole_and_every_line_of_it_is_kept_elsewhere(copy: Copy) -> None:
    code, said = copy.verify_anchored()
    assert (code, said["whole"], said["findings"]) == (0, True, [])
    assert said["records"] > 16
    assert (said["anchoredLines"], said["unanchoredLines"]) == (said["checkpoint"]["size"], 0)


def edited(lines: list[bytes], at: int) -> list[bytes]:
    return [*lines[:at], lines[at].replace(b"ada", b"eve", 1), *lines[at + 1 :]]


def deleted(lines: list[bytes], at: int) -> list[bytes]:
    return lines[:at] + lines[at + 1 :]


def swapped(lines: list[bytes], at: int) -> list[bytes]:
    return [*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]]


def doubled(lines: list[bytes], at: int) -> list[bytes]:
    return [*lines[:at], lines[at], *lines[at:]]


def invented(lines: list[bytes], at: int) -> list[bytes]:
    return [*lines[:at], lines[at].replace(b'"outcome":"done"', b'"outcome":"refused"'), *lines[at:]]


@pytest.mark.parametrize("change", [edited, deleted, swapped, doubled, invented], ids=lambda one: one.__name__)
def test_whatever_somebody_with_the_disk_does_to_a_record_is_found_with_its_place(
    copy: Copy, change: Callable[[list[bytes], int], list[bytes]]
) -> None:
    lines = copy.lines()
    at = next(number for number, line in enumerate(lines) if is_a_request(line))
    copy.put(change(lines, at))
    code, said = copy.verify()
    (finding,) = said["findings"]
    assert (code, said["whole"], finding["file"]) == (1, False, copy.segment.name)
    assert finding["firstLine"] <= at + 1 <= finding["lastLine"]
    assert finding["firstByte"] <= len(b"\n".join(lines[:at])) + 1 < finding["endByte"]


def test_the_loss_of_the_newest_records_is_bounded_by_what_was_kept_elsewhere_and_the_bound_is_stated(
    copy: Copy,
) -> None:
    lines = copy.lines()
    marks = [number for number, line in enumerate(lines) if line.startswith(PREFIX)]
    for mark in marks[:-1]:
        copy.put(lines[: mark + 1])
        code, said = copy.verify()
        assert (code, said["anchoredLines"], said["unanchoredLines"]) == (0, 0, said["checkpoint"]["size"])
        code, said = copy.verify_anchored()
        assert code == 1
        assert {one["kind"] for one in said["findings"]} == {"anchor"}


def test_a_log_that_is_gone_is_found_where_a_checkpoint_of_it_was_kept(copy: Copy) -> None:
    shutil.rmtree(copy.writer)
    arguments = ["audit", "verify", str(copy.root), "--key", str(copy.key), "--anchor", str(copy.kept)]
    assert main(arguments) == 1
    assert "a checkpoint speaks of this log, and it is not here" in copy.capsys.readouterr().out


def test_a_record_is_proven_to_anybody_with_the_key_alone(copy: Copy, tmp_path: Path) -> None:
    record = json.loads(next(line for line in copy.lines() if is_a_request(line)))
    proof, audit_id = tmp_path / "proof.json", record["event"]["auditID"]
    assert main(["audit", "prove", audit_id, "--dir", str(copy.root), "--out", str(proof)]) == 0
    shutil.rmtree(copy.root)
    arguments = ["audit", "verify", "--proof", str(proof), "--key", str(copy.key), "-o", "json"]
    copy.capsys.readouterr()
    assert main(arguments) == 0
    proven = [json.loads(one["record"]) for one in json.loads(copy.capsys.readouterr().out)["records"]]
    assert [(one["outcome"], one["event"]["auditID"]) for one in proven] == [("intent", audit_id), ("done", audit_id)]
    proof.write_text(proof.read_text().replace("ada", "eve"))
    assert main(arguments) == 1


async def test_the_logs_of_every_process_of_a_server_are_whole(kwit_yaml: Path, upstream: object) -> None:
    del upstream
    kwit_yaml.write_text(kwit_yaml.read_text() + "workers: 2\n")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "proxy.cli", "serve", "-c", str(kwit_yaml)),
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert process.stderr is not None
    said = b""
    while b"operators" not in said:
        line = await process.stderr.readline()
        assert line, said
        said += line
    process.send_signal(signal.SIGTERM)
    _, rest = await process.communicate()
    assert process.returncode == 0, rest
    audit = Config.load(kwit_yaml).audit_directory
    arguments = ["audit", "verify", str(audit), "--key", str(audit / "root.pub")]
    assert main([*arguments, "--anchor", str(kwit_yaml.parent / "kept")]) == 0
    assert len([path for path in audit.iterdir() if path.is_dir()]) == 3

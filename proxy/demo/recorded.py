"""What the demo's shell left behind: its recording, compared byte for byte with what passed, and as text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from proxy.demo.evidence import Finding, Record
from proxy.demo.terminal import Sat
from recordings.audit.record import RecordType
from recordings.recorder.directory import RecordingDirectory
from recordings.recorder.frames import RecordingDamagedError
from recordings.recorder.moment import Kind, Moment
from recordings.recorder.reader import open_recording

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[@-Z\\-_])")
"""ECMA-48's control sequences; the demo's own output has no others."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A recording that was read to its end."""

    id: str
    path: Path
    moments: tuple[Moment, ...]
    seconds: float
    wrong: tuple[str, ...]
    """What is wrong with the file; nothing where it is whole."""

    def bytes_of(self, kind: Kind) -> bytes:
        """All of one direction."""
        return b"".join(moment.data for moment in self.moments if moment.kind is kind)


def seals(records: Sequence[Record]) -> list[dict[str, Any]]:
    """What the log says of recordings that are finished."""
    bodies = (record.get("body") for record in records if record.get("type") == RecordType.RECORDING_SEAL)
    return [body for body in bodies if isinstance(body, dict)]


def read(directory: Path, recording: str) -> Recorded | None:
    """The recording of this id, None where there is none that can be read."""
    path = RecordingDirectory(directory).path_of(recording)
    if path is None:
        return None
    try:
        with open_recording(path) as reader:
            return Recorded(recording, path, tuple(reader.moments()), reader.duration / 1e6, tuple(reader.verify()))
    except (RecordingDamagedError, OSError):
        return None


def compare(recorded: Recorded | None, seal: dict[str, Any], sat: Sat) -> list[Finding]:
    """The promises of a recording: nothing is missing, nothing differs, nothing can be changed unseen."""
    if recorded is None:
        return [Finding("the shell's recording can be read", "there is none")]
    whole = "; ".join(recorded.wrong)
    digest = sha256(recorded.path.read_bytes()).hexdigest()
    return [
        Finding("the shell's recording is whole, and its digest is in the log", whole or _differs(digest, seal)),
        Finding(
            f"it holds the {len(sat.shown)} bytes that were on her screen, each one",
            _unlike(recorded.bytes_of(Kind.STDOUT), sat.shown),
        ),
        Finding(f"and the {len(sat.typed)} that she typed", _unlike(recorded.bytes_of(Kind.STDIN), sat.typed)),
    ]


def _differs(digest: str, seal: dict[str, Any]) -> str:
    return "" if seal.get("sha256") == digest else f"the log says {seal.get('sha256')}, the file is {digest}"


def _unlike(found: bytes, expected: bytes) -> str:
    if found == expected:
        return ""
    at = next((at for at, (a, b) in enumerate(zip(found, expected, strict=False)) if a != b), len(expected))
    return f"{len(found)} bytes instead of {len(expected)}; they differ from byte {at} on: {found[at : at + 40]!r}"


def plain(shown: bytes) -> str:
    """What a screen showed, line by line, without colours."""
    return _ESCAPES.sub("", shown.decode(errors="replace")).replace("\r\n", "\n").replace("\r", "")

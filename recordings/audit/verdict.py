"""What verification says of one writer's log."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """What was found. Each is a failure of the whole log."""

    ALTERED = "altered"
    MISSING = "missing"
    ADDED = "added"
    UNSIGNED = "unsigned"
    KEYS = "keys"
    ANCHOR = "anchor"


@dataclass(frozen=True, slots=True)
class Finding:
    """Where and what. Lines count from 1, bytes from 0, `end_byte` is not included; 0 lines: the file as a whole."""

    kind: Kind
    file: str
    message: str
    first_line: int = 0
    last_line: int = 0
    first_byte: int = 0
    end_byte: int = 0

    @property
    def place(self) -> str:
        """For people."""
        if not self.first_line:
            return self.file
        lines = f"line {self.first_line}"
        if self.last_line > self.first_line:
            lines = f"lines {self.first_line}-{self.last_line}"
        return f"{self.file}, {lines}, bytes {self.first_byte}-{self.end_byte}"


@dataclass(slots=True)
class Verdict:
    """Of one writer. `size`, `root`: of the last checkpoint that holds; `checkpoint`: its note, to be kept elsewhere.
    `removed`: lines that are not here, and of which a signed record says that they were removed.

    `anchored`: lines that a checkpoint kept elsewhere speaks of; whoever has the disk and stops the process could have
    removed what comes after them, and nothing here would show it.
    """

    directory: str
    origin: str = ""
    segments: int = 0
    lines: int = 0
    records: int = 0
    bytes: int = 0
    size: int = 0
    root: str = ""
    checkpoint: str = ""
    anchored: int = 0
    findings: list[Finding] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    removed: int = 0

    @property
    def is_whole(self) -> bool:
        """Nothing was found, and something was verified."""
        return not self.findings and bool(self.checkpoint or self.removed)

    @property
    def unanchored(self) -> int:
        """Lines of which only this copy tells."""
        return max(0, self.size - self.anchored)

    def as_json(self) -> dict[str, Any]:
        """For machines; members are only ever added."""
        return {
            "directory": self.directory,
            "origin": self.origin,
            "whole": self.is_whole,
            "segments": self.segments,
            "lines": self.lines,
            "records": self.records,
            "bytes": self.bytes,
            "checkpoint": {"size": self.size, "root": self.root, "note": self.checkpoint},
            "anchoredLines": self.anchored,
            "unanchoredLines": self.unanchored,
            "removedLines": self.removed,
            "findings": [
                {
                    "kind": one.kind,
                    "file": one.file,
                    "firstLine": one.first_line,
                    "lastLine": one.last_line,
                    "firstByte": one.first_byte,
                    "endByte": one.end_byte,
                    "message": one.message,
                }
                for one in self.findings
            ],
            "notices": self.notices,
        }

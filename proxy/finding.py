"""What a check found: how bad, about what, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """`fail`: kwit cannot keep a promise. `warn`: it soon might not, or more is granted than is needed."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding. `fix` is a sentence for the person who reads it; empty when there is nothing to fix."""

    level: Level
    subject: str
    message: str
    fix: str = ""


def ok(subject: str, message: str) -> Finding:
    return Finding(Level.OK, subject, message)


def warn(subject: str, message: str, fix: str) -> Finding:
    return Finding(Level.WARN, subject, message, fix)


def fail(subject: str, message: str, fix: str) -> Finding:
    return Finding(Level.FAIL, subject, message, fix)

"""Whether a command in a container is a tar whose archive passes through its standard input or output.

A heuristic for rows beside the recording, which has the bytes in any case: what is not understood here has no rows.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

_PACKED = frozenset("zjJZa")
_PACKED_WORDS = ("--gzip", "--bzip2", "--xz", "--zstd", "--lzma", "--lzip", "--lzop", "--compress", "--auto-compress")
_TAKES_VALUE = frozenset("CTXbHIgKLNV")
_TAILED = re.compile(r"(?P<tar>[^|;&<>`$\n]+)\|\s*tail\s+-c\s*\+(?P<from>[0-9]{1,18})\s*")
MAX_SCRIPT = 8_192
"""Characters; kubectl's are as long as one path."""


class Direction(StrEnum):
    """Which way the files go; written into records, so a value is never renamed."""

    FROM_POD = "from-pod"
    TO_POD = "to-pod"


@dataclass(frozen=True, slots=True)
class TarCommand:
    """`skipped`: bytes at the archive's beginning that the command leaves out."""

    direction: Direction
    skipped: int = 0


def tar_command(command: Sequence[str]) -> TarCommand | None:
    """What a command means for its stdin or stdout; None where neither is a tar archive, or not plainly.

    `kubectl cp` runs `tar cf - PATH`, `tar -xmf - -C PATH`, and where it may try again
    `sh -c 'tar cf - PATH | tail -c+N'` (k8s.io/kubectl pkg/cmd/cp).
    """
    if len(command) == 3 and command[0].rpartition("/")[2] in {"sh", "bash", "ash"} and command[1] == "-c":
        return _script(command[2])
    direction = _direction(command)
    return TarCommand(direction) if direction else None


def _script(text: str) -> TarCommand | None:
    found = _TAILED.fullmatch(text) if len(text) <= MAX_SCRIPT else None
    try:
        words = shlex.split(found["tar"] if found else text[:MAX_SCRIPT])
    except ValueError:
        return None
    if not found and re.search(r"[|;&<>`$\n]", text):
        return None
    direction = _direction(words)
    if direction is None or (found and direction is Direction.TO_POD):
        return None
    return TarCommand(direction, max(0, int(found["from"]) - 1) if found else 0)


def _direction(words: Sequence[str]) -> Direction | None:
    """The first word is letters even without a dash."""
    if len(words) < 2 or words[0].rpartition("/")[2] not in {"tar", "gtar", "bsdtar"}:
        return None
    letters, is_piped, rest = "", False, list(words[1:])
    if not rest[0].startswith("-"):
        rest[0] = "-" + rest[0]
    while rest:
        word = rest.pop(0)
        if word == "--":
            break
        if word.startswith("--"):
            letters += {"--create": "c", "--extract": "x", "--get": "x"}.get(word, "")
            is_piped = is_piped or word == "--file=-" or (word == "--file" and rest[:1] == ["-"])
            if word in _PACKED_WORDS or word.startswith("--use-compress-program"):
                return None
        elif word.startswith("-") and len(word) > 1:
            flags, has_file, value = word[1:].partition("f")
            letters += flags + ("" if value == "-" else value)
            is_piped = is_piped or (bool(has_file) and (value == "-" or "-" in rest[:2]))
            if not _TAKES_VALUE.isdisjoint(flags) and rest and not has_file:
                rest.pop(0)
    is_making, is_taking = "c" in letters, "x" in letters
    if not is_piped or is_making == is_taking or not _PACKED.isdisjoint(letters):
        return None
    return Direction.FROM_POD if is_making else Direction.TO_POD

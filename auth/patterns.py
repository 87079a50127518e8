"""Name patterns of roles: a literal, or text with `*` for any run of characters. Matching is linear, no backtracking.

The greedy two-pointer walk visits each character of the name at most once per star segment and keeps no stack
(the classic wildcard argument: only the last star ever needs to be extended).
"""

from __future__ import annotations

from dataclasses import dataclass

MAX_PATTERN = 256
"""Characters; Kubernetes' longest name has 253."""


class PatternError(ValueError):
    """A pattern that cannot be: too long, or with characters that no name holds."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled pattern."""

    pieces: tuple[str, ...]

    def matches(self, name: str) -> bool:
        pieces = self.pieces
        if len(pieces) == 1:
            return name == pieces[0]
        first, last = pieces[0], pieces[-1]
        if len(name) < len(first) + len(last) or not name.startswith(first) or not name.endswith(last):
            return False
        at, end = len(first), len(name) - len(last)
        for piece in pieces[1:-1]:
            found = name.find(piece, at, end)
            if found < 0:
                return False
            at = found + len(piece)
        return True


def compile_pattern(text: str) -> Pattern:
    """A pattern as written in a role. Raises PatternError."""
    if not text or len(text) > MAX_PATTERN:
        raise PatternError(f"a pattern has 1 to {MAX_PATTERN} characters")
    if not text.isprintable() or any(c in text for c in "?[]{}\\"):
        raise PatternError("a pattern is a name in which * stands for any characters; ? [ ] { } \\ mean nothing here")
    return Pattern(tuple(text.split("*")))


@dataclass(frozen=True, slots=True)
class NameSet:
    """Patterns that admit, less patterns that except. No admitting pattern admits everything."""

    include: tuple[Pattern, ...] = ()
    exclude: tuple[Pattern, ...] = ()

    def matches(self, name: str) -> bool:
        if self.include and not any(p.matches(name) for p in self.include):
            return False
        return not any(p.matches(name) for p in self.exclude)

"""Name patterns of roles: a literal, or text with `*` for any run of characters.

Matching never goes back: each piece between two stars is looked for once, behind where the one before ended. The first
place is always the right one, since whatever fits behind a later place fits behind the first too.
"""

from __future__ import annotations

from dataclasses import dataclass

MAX_PATTERN = 256
"""Characters; Kubernetes' longest name has 253."""


class PatternError(ValueError):
    """A pattern that cannot be: too long, or with characters that no name holds."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled pattern: the texts between its stars; one piece is a literal."""

    pieces: tuple[str, ...]

    def matches(self, name: str) -> bool:
        """Whether the whole name fits."""
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
    """Names that some pattern of `include` admits and none of `exclude` takes out. No pattern admits nothing."""

    include: tuple[Pattern, ...]
    exclude: tuple[Pattern, ...] = ()

    def matches(self, name: str) -> bool:
        return any(p.matches(name) for p in self.include) and not any(p.matches(name) for p in self.exclude)

"""What a command says when it cannot do what was asked."""

from __future__ import annotations


class Problem(Exception):  # noqa: N818 - it is shown to people, as a sentence
    """One sentence with the next step. `reason`: the server's machine-readable word, where it gave one."""

    def __init__(self, sentence: str, *, reason: str = "", exit_code: int = 1) -> None:
        super().__init__(sentence)
        self.reason = reason
        self.exit_code = exit_code


class Unreachable(Problem):
    """The server did not answer: nothing is known about what it would have said."""


class NotSignedIn(Problem):
    """There is no login, or the server no longer knows it."""

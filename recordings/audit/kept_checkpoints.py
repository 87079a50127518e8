"""Checkpoints of one log that were kept elsewhere: each must be the root of the log when it had so many lines.

They are what bounds the removal of the newest lines, and what finds a log that was written anew with a stolen key.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from recordings.audit.checkpoint import Checkpoint, unverified, verified
from recordings.audit.key_chain import SegmentKey
from recordings.audit.merkle import Tree
from recordings.audit.note import NoteError


class KeptCheckpoints:
    """Compared while the log is read from its beginning on. `anchored`: the most lines of which one was right."""

    def __init__(self, notes: Iterable[str], origin: str, chain: Sequence[SegmentKey]) -> None:
        """Those of `origin`; notes of others, and what is no checkpoint, are passed over.

        `forged`: sizes of those that no key of this log has signed: somebody has two logs, or made one up.
        """
        self.anchored = 0
        self.wrong: list[int] = []
        self.forged: list[int] = []
        self.absent: list[int] = []
        """Sizes at which the log that was read does not stop: its lines there are missing."""
        self._waiting: list[Checkpoint] = []
        for note in notes:
            claimed = _claimed(note)
            if claimed is None or claimed.origin != origin:
                continue
            if any(_is_by(note, one) for one in chain):
                self._waiting.append(claimed)
            else:
                self.forged.append(claimed.size)
        self._waiting.sort(key=lambda one: one.size, reverse=True)

    def compare(self, tree: Tree) -> int:
        """The log as it stands. The size at which the next comparison is due; -1 where none is."""
        while self._waiting and self._waiting[-1].size <= tree.size:
            kept = self._waiting.pop()
            if kept.size < tree.size:
                self.absent.append(kept.size)
            elif kept.root != tree.root():
                self.wrong.append(kept.size)
            else:
                self.anchored = kept.size
        return self._waiting[-1].size if self._waiting else -1

    def beyond(self) -> list[int]:
        """Sizes that the log has not, once all of it was read."""
        return [kept.size for kept in reversed(self._waiting)]


def _claimed(note: str) -> Checkpoint | None:
    try:
        return unverified(note)
    except NoteError:
        return None


def _is_by(note: str, key: SegmentKey) -> bool:
    try:
        return verified(note, key.public).size > key.size
    except NoteError:
        return False

"""One writer's lines as leaves of its tree, from any number on: what proves that a log has only grown."""

from __future__ import annotations

from base64 import b64encode
from itertools import islice
from pathlib import Path

from recordings.audit.merkle import ProofError, Stretch, Tree, leaf_hash
from recordings.audit.note import NoteError
from recordings.audit.segment_header import parse_header
from recordings.audit.segments import forwards, segment_number, segments


class LogLines:
    """Remembers where it stood, so a log that grows is read once."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._tree = Tree()
        self._segment: tuple[int, int] | None = None
        self._byte = 0

    def consistency(self, first: int, second: int) -> list[str]:
        """The proof, hashes in base64, that the log of `second` lines goes on from that of `first`.

        Raises ProofError where these lines are not here, OSError.
        """
        if first == 0:
            self._stand_at(second)
            return []
        self._stand_at(first)
        before = Tree(self._tree.size, self._tree.frontier)
        leaves = self._on_to(second)
        return [b64encode(one).decode() for one in Stretch(before, leaves).consistency(first, second)]

    def _stand_at(self, size: int) -> None:
        if self._tree.size > size or self._segment is None:
            self._begin_before(size)
        self._on_to(size)

    def _begin_before(self, size: int) -> None:
        """At the beginning of the last segment that has at most so many lines before it."""
        for path in reversed(segments(self._directory)):
            try:
                tree = parse_header(next(forwards(path), b"")).tree
            except NoteError:
                continue
            if tree.size <= size:
                self._tree, self._segment, self._byte = tree, segment_number(path.name), 0
                return
        raise ProofError(f"line {size} of the log is not here")

    def _on_to(self, size: int) -> list[bytes]:
        """The hashes of the lines up to there."""
        leaves: list[bytes] = []
        for path in segments(self._directory):
            number = segment_number(path.name)
            if number is None or self._segment is None or number < self._segment:
                continue
            if self._tree.size == size:
                break
            if number != self._segment:
                self._segment, self._byte = number, 0
            for line in islice(forwards(path, self._byte), size - self._tree.size):
                leaves.append(leaf_hash(line))
                self._tree.add(line)
                self._byte += len(line) + 1
        if self._tree.size != size:
            raise ProofError(f"the log has {self._tree.size} lines, not {size}")
        return leaves

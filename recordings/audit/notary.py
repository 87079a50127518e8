"""What signs one writer's log: the tree over its lines, and the key of the open segment.

Every line is a leaf, without its newline: headers, records, and checkpoints too, so that none of them can be taken
away unseen. `AuditLog` tells the notary of each line once the kernel has it, and asks for a checkpoint before each
sync.
"""

from __future__ import annotations

from typing import Any

from recordings.audit.checkpoint import Checkpoint, signed, to_line
from recordings.audit.keyring import Keyring
from recordings.audit.merkle import Tree
from recordings.audit.note import Signer
from recordings.audit.segment_header import signed_fields
from recordings.errors import LogUnavailableError


class Notary:
    """Of one writer. Not for two threads, but for `tidy`."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring
        self._tree = Tree()
        self._signer: Signer | None = None
        self._signed_size = 0
        self.is_segment_missing = False
        """Whether `keys` speaks of a segment behind all lines that are there, as `open` found it: a crash can leave
        that, if it comes between the two files, and so can somebody who takes the newest segment away."""

    def open(self, tree: Tree | None) -> None:
        """`tree`: over the lines that are there. Raises LogUnavailableError, OSError."""
        self._keyring.open()
        self._tree = tree or Tree()
        self._signed_size = self._tree.size
        expected = self._keyring.last_size
        if expected is not None and expected > self._tree.size:
            raise LogUnavailableError(
                f"the audit log {self._keyring.origin} has {self._tree.size} lines, but its keys speak of a segment "
                f"behind line {expected}: lines are missing; restore them, or move the directory away for the auditors"
            )
        self.is_segment_missing = expected == self._tree.size

    def header(self) -> dict[str, Any]:
        """What a new segment's header says of the tree before it and of its key. Raises OSError."""
        self._signer = self._keyring.next(self._tree.size)
        return signed_fields(self._keyring.origin, self._tree, self._signer.public)

    def begun(self, line: bytes) -> None:
        """The new segment's header is written. `line` with its newline, here and below."""
        self._tree.add(line[:-1])
        self._keyring.begun()

    def add(self, line: bytes) -> None:
        """A record is written."""
        self._tree.add(line[:-1])

    def checkpoint(self) -> bytes | None:
        """The line to write now; None if the last line of the log is a checkpoint. May raise what the signer raises."""
        size = self._tree.size
        if size == self._signed_size or self._signer is None:
            return None
        return to_line(signed(Checkpoint(self._keyring.origin, size, self._tree.root()), self._signer))

    def signed(self, line: bytes) -> None:
        """The checkpoint is written."""
        self._tree.add(line[:-1])
        self._signed_size = self._tree.size

    def tidy(self) -> None:
        """Destroy private keys that are over. In any thread; never raises."""
        self._keyring.tidy()

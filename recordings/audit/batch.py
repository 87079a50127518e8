"""Which records are written, which are on the disk, which never were: the log's arithmetic, without its I/O.

Sequence numbers begin at 1 and have no gaps. A number is in one of three standings and only ever leaves PENDING.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Standing(StrEnum):
    """What may be said of a record."""

    PENDING = "pending"
    DURABLE = "durable"
    LOST = "lost"


@dataclass(slots=True)
class Ledger:
    """`written`: the last number handed to the kernel. `synced`: nothing up to it is pending."""

    written: int = 0
    synced: int = 0
    lost: list[tuple[int, int]] = field(default_factory=list)
    """Ranges, both ends included, ascending and apart: written, and never confirmed to be on the disk."""

    def write(self) -> int:
        """One more record is in the kernel's hands; its number."""
        self.written += 1
        return self.written

    def sync(self, upto: int) -> None:
        """An fdatasync that began after `upto` was written has succeeded, and nothing failed in between."""
        assert upto <= self.written
        self.synced = max(self.synced, upto)

    def fail(self) -> tuple[int, int] | None:
        """What is pending will never be confirmed: the kernel may have dropped it. The range, or None if nothing was.

        An fdatasync that is tried again after an error reports success for pages that it has thrown away.
        """
        if self.synced == self.written:
            return None
        first, last = self.synced + 1, self.written
        if self.lost and self.lost[-1][1] == first - 1:
            self.lost[-1] = (self.lost[-1][0], last)
        else:
            self.lost.append((first, last))
        self.synced = last
        return first, last

    def standing(self, seq: int) -> Standing:
        """Of a number that was written."""
        if seq > self.synced:
            return Standing.PENDING
        return Standing.LOST if any(first <= seq <= last for first, last in self.lost) else Standing.DURABLE

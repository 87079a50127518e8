"""Bytes of the wire that wait until what they carry has been understood.

A SPDY frame may be spread over many WebSocket messages. The wire's bytes go on in their order: a payload byte when the
layer inside has understood it, its frame's head with the first of them, pings when all that came before has gone.
"""

from __future__ import annotations

from recordings.streams.fault import Fault, StreamFaultError

MAX_HELD_BYTES = 256 * 1024
"""The largest thing that is understood only as a whole is a SPDY control frame of 64 KiB; sent in reasonable messages
it is not half again as long on the wire. Whoever needs four times as much is filling memory with empty messages or
pings."""


_MAX_PIECES = 1024
"""Kept apart; so bytes that come one by one do not cost forty times their size."""


class Held:
    """The bytes of one direction that have been read and not yet released."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._length = 0
        """Of all pieces."""
        self._runs: list[int] = [0, 0, 0]
        """Lengths of framing, lead and payload in turns; together they are as long as the pieces."""
        self._gone = 0
        self._payload = 0
        """How many payload bytes have gone, and how many wait."""

    def __len__(self) -> int:
        return self._length

    @property
    def begins_with_lead(self) -> bool:
        """Whether what waits is a frame of which nothing has gone."""
        return not self._runs[0] and self._runs[1] > 0

    def framing(self, raw: bytes) -> None:
        """Hold `raw`, which goes as soon as everything before it has gone."""
        if self._runs[-1]:
            self._runs += (0, 0, 0)
        self._runs[-3] += len(raw)
        self._hold(raw)

    def payload(self, raw: bytes, lead: bytes = b"") -> None:
        """Hold `raw`, each byte of which goes when it has been understood; `lead`, the head of its frame, goes with
        the first of them: before that the frame can still be given up unseen.
        """
        if lead:
            if self._runs[-1]:
                self._runs += (0, 0, 0)
            self._runs[-2] = len(lead)
            self._hold(lead)
        self._runs[-1] += len(raw)
        self._hold(raw)
        self._payload += len(raw)

    def release(self, understood: int) -> bytes:
        """Return what may go on, given how many payload bytes have been understood since the beginning."""
        free = understood - self._gone
        if free == self._payload:
            return self._all()
        if not free and not self._runs[0]:
            return b""
        self._gone += free
        self._payload -= free
        length = index = 0
        while self._runs[index + 2] <= free:
            length += sum(self._runs[index : index + 3])
            free -= self._runs[index + 2]
            index += 3
        del self._runs[:index]
        length += self._runs[0]
        if free:
            length += self._runs[1] + free
            self._runs[1] = 0
            self._runs[2] -= free
        self._runs[0] = 0
        raw = b"".join(self._pieces)
        self._pieces = [raw[length:]]
        self._length -= length
        return raw[:length]

    def check(self) -> None:
        """Raise when too much waits."""
        if self._length > MAX_HELD_BYTES:
            raise StreamFaultError(Fault.HELD_TOO_LONG, f"{self._length} bytes wait for the end of one frame")

    def _hold(self, raw: bytes) -> None:
        self._pieces.append(raw)
        self._length += len(raw)
        if len(self._pieces) > _MAX_PIECES:
            self._pieces = [b"".join(self._pieces)]

    def _all(self) -> bytes:
        released = b"".join(self._pieces)
        self._pieces.clear()
        self._length = 0
        self._runs = [0, 0, 0]
        self._gone += self._payload
        self._payload = 0
        return released

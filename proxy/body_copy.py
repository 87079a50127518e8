"""A copy of a body that passes, for its record: what is inside the framing, up to a limit."""

from __future__ import annotations

from recordings.audit.bodies.body import MAX_BODY_BYTES, Body


class BodyCopy:
    """Fed with the framed bytes that were matched already (`proxy.http1`), cut anywhere."""

    __slots__ = ("_chunked", "_kept", "_line", "_remaining", "_size", "content_encoding", "content_type")

    def __init__(self, content_type: bytes | None, content_encoding: bytes | None, *, chunked: bool) -> None:
        self.content_type = content_type or b""
        self.content_encoding = content_encoding or b""
        self._chunked = chunked
        self._kept = bytearray()
        self._size = 0
        self._line = b""
        self._remaining = 0

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        if not self._chunked:
            self._keep(data)
            return
        at = 0
        while at < len(data):
            if self._remaining:
                piece = data[at : at + self._remaining]
                self._keep(piece)
                self._remaining -= len(piece)
                at += len(piece)
                continue
            stop = data.find(b"\n", at)
            self._line += data[at:] if stop < 0 else data[at:stop]
            if stop < 0:
                return
            line, self._line, at = self._line.strip(), b"", stop + 1
            if line:  # an empty line ends a chunk
                self._remaining = int(line, 16)

    def body(self) -> Body:
        """What passed so far."""
        payload = bytes(self._kept) if self._size <= MAX_BODY_BYTES else None
        return Body(payload, self._size, self.content_type.decode("latin-1"), self.content_encoding.decode("latin-1"))

    def _keep(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size <= MAX_BODY_BYTES:
            self._kept += piece
        elif self._kept:
            self._kept = bytearray()

"""The one buffer that every connection of a process reads into.

A TLS connection that is read by `data_received` gets 256 KiB of fresh memory for each read, however little comes; read
into a buffer of ours, it costs one copy of what did come. One is enough for all: nothing else runs between the two
calls, and the bytes are copied out before anybody sees them.
"""

from __future__ import annotations

BUFFER_BYTES = 256 * 1024
"""As much as uvloop reads from one TLS connection at once; sixteen full records."""

_buffer = memoryview(bytearray(BUFFER_BYTES))


def buffer() -> memoryview:
    """Where the next bytes go."""
    return _buffer


def received(count: int) -> bytes:
    """The bytes that came, as one's own."""
    return bytes(_buffer[:count])

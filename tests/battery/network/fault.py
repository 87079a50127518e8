"""What a network can do to a connection, and when."""

from __future__ import annotations

from enum import StrEnum


class Fault(StrEnum):
    """From the moment on, of one connection in both directions unless it says otherwise."""

    LATENCY = "latency"
    """Each piece is 10 ms late."""
    JITTER = "jitter"
    """Each piece is up to 10 ms late."""
    BANDWIDTH = "bandwidth"
    """1 KiB in a millisecond."""
    SLICER = "slicer"
    """Each byte goes in a packet of its own."""
    RESET = "reset"
    """RST both ways, at once."""
    HALF_CLOSE_TO_SERVER = "half-close-to-server"
    """The server is told that the client has ended; its own bytes still pass."""
    HALF_CLOSE_TO_CLIENT = "half-close-to-client"
    """The client is told that the server has ended; its own bytes still pass."""
    BLACK_HOLE = "black-hole"
    """Everything is taken and nothing delivered."""
    CORRUPT = "corrupt"
    """One bit of the next piece flips."""
    DUPLICATE = "duplicate"
    """The next piece is delivered twice."""
    SLOW_ACCEPT = "slow-accept"
    """Nothing is taken for a fifth of a second."""
    HANDSHAKE_STALL = "handshake-stall"
    """The server hears everything, the client nothing."""
    EARLY_FIN = "early-fin"
    """Both are told that the other has ended, at once."""
    RST_AFTER_REQUEST = "rst-after-request"
    """What the client sends is delivered; the server's next word ends in RST both ways."""
    TRUNCATED = "truncated"
    """Half of the server's next piece is delivered, then the end."""


class Moment(StrEnum):
    """Named by what has happened before."""

    BEGINNING = "beginning"
    """Nothing: the connection is yet to be made."""
    ASKED = "asked"
    """The server has the whole request, and has said nothing."""
    ANSWERED = "answered"
    """The client has the first half of the answer."""


SILENT = frozenset({Fault.BLACK_HOLE, Fault.HANDSHAKE_STALL})
"""They last until somebody has waited long enough."""
AT_ONCE = frozenset({Fault.RESET, Fault.EARLY_FIN, Fault.HALF_CLOSE_TO_SERVER, Fault.HALF_CLOSE_TO_CLIENT})
"""These wait for no bytes."""

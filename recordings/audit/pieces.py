"""A request's record in pieces: everything that is the same each time is encoded once, what differs goes in between.

The pieces are cut out of the real encoding of the real record, so the two cannot drift apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from recordings.audit.event import DOMAIN

HOLE = "\x00"
"""Stands where a value goes. JSON writes it `\\u0000`; a record that holds one of its own is not cut."""
_HOLE = b"\\u0000"
HOLES = 5
MAX_BYTES = 16 * 1024
"""Longer records are rare, and are encoded each time."""

BYTES_IN, BYTES_OUT = f"{DOMAIN}/bytes-in", f"{DOMAIN}/bytes-out"


def pieces(members: Mapping[str, Any]) -> tuple[bytes, ...] | None:
    """The members of a `kube.request` record behind its envelope, cut at what differs; None where that cannot be.

    The record's `event` is an outcome's.
    """
    event = members["event"]
    holed = {
        **event,
        "auditID": HOLE,
        "requestReceivedTimestamp": HOLE,
        "stageTimestamp": HOLE,
        "annotations": {**event["annotations"], BYTES_IN: HOLE, BYTES_OUT: HOLE},
    }
    try:
        encoded = orjson.dumps({**members, "event": holed}, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:
        return None  # text that is no Unicode: the careful way copes
    found = tuple(encoded[1:].split(_HOLE))
    return found if len(found) == HOLES + 1 and len(encoded) <= MAX_BYTES else None


def joined(cut: tuple[bytes, ...], audit_id: str, received: str, stage: str, *, bytes_in: int, bytes_out: int) -> bytes:
    """The members again, with these values, to the end of the line."""
    a, b, c, d, e, f = cut
    return b"%b%b%b%b%b%b%b%d%b%d%b" % (
        a, audit_id.encode(), b, received.encode(), c, stage.encode(), d, bytes_in, e, bytes_out, f,
    )  # fmt: skip

"""How much of a request is recorded."""

from __future__ import annotations

from enum import StrEnum


class Level(StrEnum):
    """`audit.k8s.io/v1` Level. Our log holds every request at Metadata or more; None keeps one out of exports."""

    NONE = "None"
    METADATA = "Metadata"
    REQUEST = "Request"
    """With the request's body."""
    REQUEST_RESPONSE = "RequestResponse"
    """With both bodies."""

    @property
    def rank(self) -> int:
        """0 to 3: a higher level holds all that a lower one does."""
        return list(Level).index(self)


class Stage(StrEnum):
    """`audit.k8s.io/v1` Stage."""

    REQUEST_RECEIVED = "RequestReceived"
    RESPONSE_STARTED = "ResponseStarted"
    RESPONSE_COMPLETE = "ResponseComplete"
    PANIC = "Panic"

"""A cluster that cannot be asked: why, and what the client is told of it."""

from __future__ import annotations

import ssl

from auth.errors import Reason
from proxy.status import Refusal


def cause(error: OSError) -> str:
    """In a few words; of TLS, OpenSSL's reason."""
    if isinstance(error, ssl.SSLError):
        return f"TLS: {getattr(error, 'reason', None) or 'handshake failed'}"
    return error.strerror or type(error).__name__


ASK = "ask its owners, or try again"
LOOK = "whether it did what was asked is not known, so look before you try again"
"""For a write that was sent."""


def timed_out(cluster: str, *, unknown: bool = False) -> Refusal:
    return Refusal(Reason.CLUSTER_TIMEOUT, f"cluster {cluster!r} does not answer; {LOOK if unknown else ASK}")


def unreachable(cluster: str, why: str) -> Refusal:
    return Refusal(Reason.CLUSTER_UNREACHABLE, f"cluster {cluster!r} cannot be reached ({why}); {ASK}")


def gone(cluster: str, why: str) -> Refusal:
    """It was asked to change something, and went before it answered."""
    return Refusal(Reason.CLUSTER_UNREACHABLE, f"cluster {cluster!r} gave no answer ({why}); {LOOK}")


def invalid(cluster: str, why: str, *, unknown: bool) -> Refusal:
    return Refusal(
        Reason.UPSTREAM_INVALID,
        f"cluster {cluster!r} sent an answer that is not valid HTTP ({why})" + (f"; {LOOK}" if unknown else ""),
    )

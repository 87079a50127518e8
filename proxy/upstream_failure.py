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


def timed_out(cluster: str) -> Refusal:
    return Refusal(Reason.CLUSTER_TIMEOUT, f"cluster {cluster!r} does not answer; ask its owners, or try again")


def unreachable(cluster: str, why: str) -> Refusal:
    return Refusal(
        Reason.CLUSTER_UNREACHABLE, f"cluster {cluster!r} cannot be reached ({why}); ask its owners, or try again"
    )

"""What a recording says of itself before anything happens: who, where, what."""

from __future__ import annotations

import re
from dataclasses import dataclass

ID = re.compile(r"[a-z2-7]{26}")
"""128 random bits in lower-case base32 without padding (RFC 4648, section 6): nothing of a path, nothing to guess."""


@dataclass(frozen=True, slots=True)
class RecordingHead:
    """Empty text where something is not known. Nothing here is a secret, but it is evidence, and is kept as it came."""

    id: str
    started: float
    """Wall clock, seconds since 1970."""
    cluster: str
    namespace: str
    pod: str
    subresource: str
    """`exec` or `attach`."""
    audit_id: str
    issuer: str
    subject: str
    username: str
    login: str
    """The login's id."""
    source: str
    """The client's address."""
    protocol: str
    """What both sides spoke: the subprotocol, with `SPDY/3.1 ` before it where it was that."""
    container: str = ""
    command: tuple[str, ...] = ()
    stdin: bool = False
    tty: bool = False
    role: str = ""
    strict: bool = False
    """Output was released only once it was stored."""
    hides_input: bool = False
    """Input typed while echo is off is kept as its length."""

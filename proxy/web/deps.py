"""What the web listener is given: every value, object and function that it did not make itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from auth.ca import IssuedCertificate, PublicKey
from auth.connectors import Connector
from auth.identity import LoginID
from auth.rbac import Policy
from auth.state.seal import Seal
from auth.state.store import Store
from recordings.audit.record import RecordType

Audit = Callable[[RecordType, Mapping[str, Any]], Awaitable[None]]
"""(type, `{outcome, actor, login, source, cluster, body}`): returns once the record is durable.

Raises LogUnavailableError, and then nothing may happen.
"""

Issue = Callable[[PublicKey, str, LoginID, float, float], IssuedCertificate]
"""(key, cluster, login, now, lifetime in seconds)."""


@dataclass(frozen=True, slots=True)
class WebDeps:
    """Times in seconds. `url` is the listener's own, as people type it, without a slash at its end."""

    installation: str
    version: str
    url: str
    kube_url: str
    kube_ca_pem: str
    kube_tls_server_name: str | None
    login_ttl: float
    certificate_ttl: float
    groups_max_age: float
    store: Store
    connectors: Mapping[str, Connector]
    seal: Seal
    issue: Issue
    policy: Callable[[], Policy]
    clusters: Callable[[], Mapping[str, Mapping[str, str]]]
    """Name → labels of every cluster that is served."""
    system_names: Callable[[str], Collection[str]]
    """The names under `system:` that a cluster accepts."""
    audit: Audit
    refused: Callable[[str, str, str], None]
    """(reason, source address, detail): a refusal before anybody is known, rolled up with exact counts."""
    changed: Callable[[], Awaitable[None]]
    """The state was changed: workers in this process read it at once."""
    clock: Callable[[], float]
    random: Callable[[int], bytes]
    recordings: Path | None = None
    """Where recordings are; None: nobody may ask for any here."""
    audit_log: Path | None = None
    """Where the audit log is; None: nobody may ask it here."""

    @property
    def secure(self) -> bool:
        """False only for the demo on loopback."""
        return self.url.startswith("https://")

    @property
    def host(self) -> str:
        """What the `Host` header must be."""
        return urlsplit(self.url).netloc.lower()

    @property
    def cookie(self) -> str:
        """`__Host-`: set by this host alone, over TLS alone (RFC 6265bis, section 4.1.3.2)."""
        return "__Host-kwit-login" if self.secure else "kwit-login"

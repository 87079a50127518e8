"""The certificate that a listener of ours shows: the operator's files, or one of our own server CA; both renewed while
we run. New handshakes get the new one; connections that are open keep what they have.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from auth.ca import CertificateAuthority
from auth.keystore import serving_certificate
from proxy.config import Tls
from proxy.config_types import Address

OWN_RENEWAL_SECONDS = 86_400.0
"""Ours live 90 days; a new one each day costs nothing, and nobody finds out in three months that renewal fails."""


class ServingCertificate:
    """Paths for the context, and `renew`, to be called every few seconds."""

    def __init__(
        self, tls: Tls | None, directory: Path, name: str, ca: CertificateAuthority, names: Sequence[str], *, now: float
    ) -> None:
        """`names`: host names and addresses that our own certificate is good for. Raises OSError."""
        self._tls = tls
        self._directory, self._name, self._ca, self._names = directory, name, ca, list(names)
        self._made_at = now
        self.chain, self.key = (tls.certificate, tls.key) if tls is not None else self._make(now)
        self._stamp = self._look()
        self.problem = ""

    @property
    def ca_pem(self) -> str:
        """What a client must trust besides its system's CAs: ours, or nothing where the operator gave a certificate."""
        return self._ca.pem if self._tls is None else ""

    def renew(self, context: ssl.SSLContext, now: float) -> bool:
        """Load what is new into `context`. True when something was; `problem` says what kept it from being loaded."""
        try:
            if self._tls is None and not 0 <= now - self._made_at < OWN_RENEWAL_SECONDS:
                self._make(now)
                self._made_at = now
            stamp = self._look()
            if stamp == self._stamp:
                return False
            # a pair that does not fit would leave the context without any: it is tried elsewhere first
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self.chain, self.key)
            context.load_cert_chain(self.chain, self.key)
        except (OSError, ssl.SSLError) as error:  # half of a pair was replaced, or the disk is full: the old one serves
            self.problem = f"{self.chain}: {error}"
            return False
        self._stamp, self.problem = stamp, ""
        return True

    def _make(self, now: float) -> tuple[Path, Path]:
        return serving_certificate(self._directory, self._name, self._ca, self._names, now=now)

    def _look(self) -> tuple[tuple[int, int], ...]:
        return tuple((stat.st_mtime_ns, stat.st_ino) for stat in (self.chain.stat(), self.key.stat()))


def names_of(url: str, address: Address) -> tuple[str, ...]:
    """What a certificate for a listener must name: the host that people type, and the address it listens on."""
    host = urlsplit(url).hostname or ""
    listened = () if address.is_every_interface or address.host == host else (address.host,)
    return (host, *listened)


def hosts_of(url: str, address: Address) -> frozenset[bytes]:
    """`Host` headers of requests meant for the listener at `url`, lower case: with and without the default port."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    hosts = {parts.netloc.lower(), f"{_bracketed(parts.hostname or '')}:{port}"}
    if port == 443:
        hosts.add(_bracketed(parts.hostname or ""))
    if not address.is_every_interface:
        hosts.add(f"{_bracketed(address.host)}:{address.port}")
    return frozenset(host.encode() for host in hosts)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host

"""How kwit proves itself to a cluster: where the token or certificate comes from, and the copy in memory.

The hot path reads `Credentials.authorization` and never waits. `Credentials.refresh` is called off the hot path every
few seconds; it re-reads files as they rotate and runs plugins shortly before what they gave expires. When a source
fails, the last good material stands until it expires, and `problem` says what is wrong.
"""

from __future__ import annotations

import asyncio
import ssl
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

REREAD_SECONDS = 30.0
"""A bound service account token rotates at four fifths of an hour; its old form stays valid for minutes."""
RENEW_BEFORE_SECONDS = 60.0
"""A request that leaves now with a token that ends in less may arrive too late."""
RETRY_SECONDS = 10.0
"""After a failure: soon, but not with every tick."""
MAX_CREDENTIAL_BYTES = 256 * 1024
"""A token is some kilobytes; a chain of certificates some tens."""


class CredentialError(Exception):
    """The credential for a cluster cannot be had. The message has the place and the next step, and no secret."""


@dataclass(frozen=True, slots=True)
class Material:
    """What a source gave. `expires_at` is seconds since the epoch, None where the source does not say."""

    token: str | None = field(default=None, repr=False)
    certificate_pem: bytes | None = field(default=None, repr=False)
    key_pem: bytes | None = field(default=None, repr=False)
    expires_at: float | None = None

    def __post_init__(self) -> None:
        if self.token is None and self.certificate_pem is None:
            raise CredentialError("neither a token nor a client certificate was given")
        if (self.certificate_pem is None) != (self.key_pem is None):
            raise CredentialError("a client certificate and its key come together")
        if self.token is not None and not (self.token and self.token.isascii() and self.token.isprintable()):
            raise CredentialError("the token is empty or has characters that no token has")
        if self.token is not None and " " in self.token:
            raise CredentialError("the token has a blank in it")


class Source(Protocol):
    """Where material comes from. `fetch` may block for seconds; it runs in a thread. Raises CredentialError."""

    def fetch(self) -> Material: ...


@dataclass(frozen=True, slots=True)
class TokenFile:
    """A bearer token in a file, re-read as it rotates: also a pod's own service account."""

    path: Path

    def fetch(self) -> Material:
        return Material(token=read_bounded(self.path).decode("ascii", "replace").strip())


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """A client certificate and its key, PEM."""

    certificate: Path
    key: Path

    def fetch(self) -> Material:
        return Material(certificate_pem=read_bounded(self.certificate), key_pem=read_bounded(self.key))


@dataclass(frozen=True, slots=True)
class Fixed:
    """Material that was written into a file and never changes."""

    material: Material

    def fetch(self) -> Material:
        return self.material


class Credentials:
    """The material in force for one cluster.

    `refresh(now)` must be called before the first request and then at least every few seconds. `generation` grows
    whenever the client certificate changes, so that TLS contexts are made anew.
    """

    __slots__ = ("_authorization", "_due", "_fetching", "_material", "_source", "generation", "problem")

    def __init__(self, source: Source) -> None:
        self._source = source
        self._material: Material | None = None
        self._authorization: bytes | None = None
        self._due = float("-inf")
        self._fetching = asyncio.Lock()
        self.generation = 0
        self.problem: str | None = "not read yet"

    @property
    def material(self) -> Material | None:
        return self._material

    def authorization(self) -> bytes | None:
        """The value of the Authorization header; None where a certificate proves us, or nothing does."""
        return self._authorization

    async def refresh(self, now: float) -> bool:
        """Fetch if it is time. True when what is in force changed. Never raises: `problem` says what went wrong."""
        if now < self._due or self._fetching.locked():
            return False
        async with self._fetching:
            try:
                material = await asyncio.to_thread(self._source.fetch)
            except CredentialError as error:
                self.problem = str(error)
                self._due = now + RETRY_SECONDS
                return self._drop_if_expired(now)
            self.problem = None
            self._due = _due(material, now)
            return self._take(material)

    def _take(self, material: Material) -> bool:
        before, self._material = self._material, material
        self._authorization = f"Bearer {material.token}".encode() if material.token is not None else None
        if before is None or (before.certificate_pem, before.key_pem) != (material.certificate_pem, material.key_pem):
            self.generation += 1
        return material != before

    def _drop_if_expired(self, now: float) -> bool:
        """What has expired proves nothing; sending it would only be refused elsewhere, with a worse sentence."""
        if self._material is None or self._material.expires_at is None or now < self._material.expires_at:
            return False
        self._material = self._authorization = None
        self.generation += 1
        return True


def tls_context(ca_pem: str, material: Material | None) -> ssl.SSLContext:
    """A client context that trusts `ca_pem` alone. Raises CredentialError when a PEM cannot be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_verify_locations(cadata=ca_pem)
    except (ssl.SSLError, ValueError) as error:
        raise CredentialError(f"the cluster's CA is not PEM certificates: {error}") from error
    if material is not None and material.certificate_pem is not None and material.key_pem is not None:
        _load_pair(context, material.certificate_pem, material.key_pem)
    return context


def _load_pair(context: ssl.SSLContext, certificate_pem: bytes, key_pem: bytes) -> None:
    """Python reads key pairs from files only: a directory of our own (0700), gone before we return."""
    with tempfile.TemporaryDirectory(prefix="kwit-") as directory:
        pair = Path(directory) / "pair.pem"
        pair.touch(mode=0o600)
        pair.write_bytes(certificate_pem + b"\n" + key_pem)
        try:
            context.load_cert_chain(pair, password=_no_password)
        except (ssl.SSLError, ValueError) as error:
            raise CredentialError(f"the client certificate and its key do not fit or are no PEM: {error}") from error


def _no_password() -> str:
    raise CredentialError("the client key is encrypted; give it without a passphrase, readable by kwit alone")


def read_bounded(path: Path) -> bytes:
    """A small file. Raises CredentialError."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_CREDENTIAL_BYTES + 1)
    except OSError as error:
        raise CredentialError(f"{path} cannot be read: {error.strerror}") from error
    if not data.strip():
        raise CredentialError(f"{path} is empty")
    if len(data) > MAX_CREDENTIAL_BYTES:
        raise CredentialError(f"{path} is larger than {MAX_CREDENTIAL_BYTES} bytes")
    return data


def _due(material: Material, now: float) -> float:
    if material.expires_at is None:
        return now + REREAD_SECONDS
    return max(material.expires_at - RENEW_BEFORE_SECONDS, now + RETRY_SECONDS)

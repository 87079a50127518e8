"""Everything secret that one installation keeps: its two CAs, and the keys of its state and its log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509

from auth.ca import CertificateAuthority, IssuedCertificate, PublicKey, issue
from auth.identity import LoginID
from auth.keystore import load_or_create_ca, load_or_create_secret
from auth.secret import Secret
from auth.state.seal import KEY_BYTES
from proxy.config import Config
from recordings.audit.note import Signer
from recordings.audit.root_key import given_root_key, load_or_create_root_key, publish

REDACTION_KEY_BYTES = 32
"""HMAC-SHA-256 (security: one per installation, so that hashes of equal values match)."""

ROOT_KEY = "audit-root.key"
ROOT_PUBLIC_KEY = "root.pub"


@dataclass(frozen=True, slots=True)
class Keys:
    """`people` signs client certificates, `servers` our own listeners'; neither is good for the other."""

    people: CertificateAuthority
    servers: CertificateAuthority
    state: Secret
    redaction: bytes = field(repr=False)


def load_keys(config: Config, now: float) -> Keys:
    """Made on the first start, the same ever after. Raises KeystoreError, OSError."""
    directory: Path = config.ca_directory
    config.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Keys(
        people=load_or_create_ca(directory, "people", f"kubewitness {config.installation} people", now),
        servers=load_or_create_ca(directory, "servers", f"kubewitness {config.installation} servers", now),
        state=Secret(load_or_create_secret(directory / "state.secret", KEY_BYTES)),
        redaction=load_or_create_secret(directory / "redaction.secret", REDACTION_KEY_BYTES),
    )


def audit_root(config: Config) -> Signer:
    """What signs the first key of each of the log's writers. Made on the first start, where no file of it is given.

    Its public key is put into the log's directory, for who looks at the log here; an auditor takes it from elsewhere.
    Raises LogUnavailableError, OSError.
    """
    name, given = f"{config.installation}/audit-root", config.audit.root_key_file
    if given is None:
        root = load_or_create_root_key(config.ca_directory / ROOT_KEY, name)
    else:
        root = given_root_key(given, name)
    publish(config.audit_directory / ROOT_PUBLIC_KEY, root.public)
    return root


def issuer(
    people: CertificateAuthority, installation: str
) -> Callable[[PublicKey, str, LoginID, float, float], IssuedCertificate]:
    """Issues client certificates of this installation: (key, cluster, login, now, lifetime in seconds)."""

    def issued(key: PublicKey, cluster: str, login: LoginID, now: float, lifetime: float) -> IssuedCertificate:
        return issue(
            people,
            key,
            installation=installation,
            cluster=cluster,
            login_id=login,
            now=now,
            lifetime_seconds=lifetime,
            serial_number=x509.random_serial_number(),
        )

    return issued

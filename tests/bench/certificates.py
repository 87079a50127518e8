"""The keys of one run: a CA, a serving certificate for loopback, one for the load generator, one for the proxies."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

LIFETIME = timedelta(days=1)
"""No run lasts as long."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key, as PEM files."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Certificates:
    """Everything is P-256 and of one CA: contenders differ in what they do, not in what they sign with."""

    ca: Path
    server: Pair
    client: Pair
    proxy: Pair


def make(folder: Path) -> Certificates:
    """Write them all into `folder`."""
    key = ec.generate_private_key(ec.SECP256R1())
    ca = _sign("kubewitness bench", key, key, None, ca=True)
    path = folder / "ca.pem"
    path.write_bytes(ca.public_bytes(serialization.Encoding.PEM))

    def pair(name: str) -> Pair:
        own = ec.generate_private_key(ec.SECP256R1())
        made = Pair(folder / f"{name}.pem", folder / f"{name}.key")
        made.certificate.write_bytes(_sign(name, own, key, ca, ca=False).public_bytes(serialization.Encoding.PEM))
        made.key.write_bytes(key_pem(own))
        return made

    return Certificates(path, pair("server"), pair("client"), pair("proxy"))


def key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    plain = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)


def _sign(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    signer: ec.EllipticCurvePrivateKey,
    issuer: x509.Certificate | None,
    *,
    ca: bool,
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(signer, hashes.SHA256())
    )

"""The certificate profile and its signing. Key, serial number and time come in as arguments.

A person's certificate proves possession of a key, for one cluster, for about an hour: EC P-256 CA, clientAuth only,
CN = login id, one URI SAN `kwit://INSTALLATION/CLUSTER/LOGIN`, no names, no groups. RFC 5280; design, section 5.
"""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from auth.errors import AuthError, Reason
from auth.identity import KeyHash, LoginID

BACKDATE = timedelta(minutes=5)
"""Clocks of clients differ; the API server's own certificates are back-dated alike."""
MAX_CSR_BYTES = 16 * 1024
"""An RSA 8192 request is 4 KiB."""
CA_LIFETIME = timedelta(days=3650)
SERVER_LIFETIME = timedelta(days=90)
SCHEME = "kwit"
NAME = re.compile(r"[A-Za-z0-9._-]{1,63}")
"""An installation or a cluster, as it stands in a certificate's URI."""

PublicKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey


@dataclass(frozen=True, slots=True)
class CertificateAuthority:
    """A CA's certificate and key; the key's repr shows nothing of it."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()


@dataclass(frozen=True, slots=True)
class IssuedCertificate:
    """What was issued; times in seconds since the epoch."""

    pem: str
    serial_number: str
    not_before: float
    not_after: float
    login_id: LoginID
    cluster: str


def new_ca(common_name: str, now: float, key: ec.EllipticCurvePrivateKey | None = None) -> CertificateAuthority:
    """A self-signed EC P-256 CA for ten years, path length 0; its key is new unless given."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    start = datetime.fromtimestamp(now, UTC) - BACKDATE
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + CA_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return CertificateAuthority(certificate, key)


def issue(
    ca: CertificateAuthority,
    public_key: PublicKey,
    *,
    installation: str,
    cluster: str,
    login_id: LoginID,
    now: float,
    lifetime_seconds: float,
    serial_number: int,
) -> IssuedCertificate:
    """A person's certificate for one cluster. `serial_number`: 128 random bits, positive.

    Raises ValueError for names that could not be read back, and for a lifetime that is none: a caller's mistake.
    """
    if not (NAME.fullmatch(installation) and NAME.fullmatch(cluster) and lifetime_seconds >= 1):
        raise ValueError(f"no certificate for {installation[:80]!r}, {cluster[:80]!r}, {lifetime_seconds!r} seconds")
    start = datetime.fromtimestamp(int(now), UTC)
    end = min(start + timedelta(seconds=int(lifetime_seconds)), ca.certificate.not_valid_after_utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, login_id)]))
        .issuer_name(ca.certificate.subject)
        .public_key(public_key)
        .serial_number(serial_number)
        .not_valid_before(start - BACKDATE)
        .not_valid_after(end)
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.UniformResourceIdentifier(f"{SCHEME}://{installation}/{cluster}/{login_id}")]
            ),
            critical=False,
        )
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
    )
    certificate = _leaf(builder, ca, public_key)
    return IssuedCertificate(
        certificate.public_bytes(serialization.Encoding.PEM).decode(),
        f"{serial_number:x}",
        (start - BACKDATE).timestamp(),
        end.timestamp(),
        login_id,
        cluster,
    )


def issue_server(
    ca: CertificateAuthority, public_key: PublicKey, names: Sequence[str], *, now: float, serial_number: int
) -> str:
    """A serving certificate (PEM) for host names and addresses, 90 days."""
    start = datetime.fromtimestamp(int(now), UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])]))
        .issuer_name(ca.certificate.subject)
        .public_key(public_key)
        .serial_number(serial_number)
        .not_valid_before(start - BACKDATE)
        .not_valid_after(start + SERVER_LIFETIME)
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    )
    return _leaf(builder, ca, public_key).public_bytes(serialization.Encoding.PEM).decode()


def _leaf(builder: x509.CertificateBuilder, ca: CertificateAuthority, public_key: PublicKey) -> x509.Certificate:
    issuer = ca.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return (
        builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer), critical=False)
        .sign(ca.key, hashes.SHA256())
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def public_key_from_csr(pem: str) -> PublicKey:
    """The key of a certificate request whose signature proves possession. Nothing else in it is looked at.

    Raises AuthError(CSR_INVALID).
    """
    if len(pem) > MAX_CSR_BYTES:
        raise AuthError(Reason.CSR_INVALID, f"the certificate request is larger than {MAX_CSR_BYTES} bytes")
    try:
        request = x509.load_pem_x509_csr(pem.encode())
        valid = request.is_signature_valid
        key = request.public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm, InvalidSignature, x509.InvalidVersion) as error:
        raise AuthError(Reason.CSR_INVALID, "the certificate request cannot be read") from error
    if not valid:
        raise AuthError(Reason.CSR_INVALID, "the certificate request is not signed by its own key")
    return check_key(key)


def check_key(key: object) -> PublicKey:
    """A key strong enough to certify. Raises AuthError(CSR_INVALID)."""
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, (ec.SECP256R1, ec.SECP384R1)):
        return key
    if isinstance(key, ed25519.Ed25519PublicKey):
        return key
    if isinstance(key, rsa.RSAPublicKey) and 2048 <= key.key_size <= 8192:
        return key
    raise AuthError(Reason.CSR_INVALID, "the key must be EC P-256 or P-384, Ed25519, or RSA of 2048 to 8192 bits")


def key_hash(key: PublicKey) -> KeyHash:
    """Unpadded base64url of the SHA-256 of the SubjectPublicKeyInfo."""
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return KeyHash(base64.urlsafe_b64encode(sha256(der).digest()).rstrip(b"=").decode())

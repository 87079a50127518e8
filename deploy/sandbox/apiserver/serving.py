"""The sandbox's TLS: a serving certificate of its own CA, and client certificates for who comes without a token."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from auth.ca import CertificateAuthority
from auth.keystore import serving_certificate
from deploy.sandbox.apiserver.caller import Subject

CLIENT_LIFETIME = timedelta(days=1)
"""A demo's day."""
_BACKDATE = timedelta(minutes=1)


def tls_context(directory: Path, ca: CertificateAuthority, host: str, now: float) -> ssl.SSLContext:
    """A fresh serving certificate; clients may show a certificate of the same CA."""
    chain, key = serving_certificate(directory, "apiserver", ca, [host, "localhost"], now=now)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(chain, key)
    context.load_verify_locations(cadata=ca.pem)
    context.verify_mode = ssl.CERT_OPTIONAL
    return context


def client_certificate(ca: CertificateAuthority, user: str, groups: tuple[str, ...], now: float) -> tuple[str, str]:
    """(certificate, key) in PEM: CN is the user, each O a group."""
    key = ec.generate_private_key(ec.SECP256R1())
    start = datetime.fromtimestamp(int(now), UTC)
    names = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([*names, x509.NameAttribute(NameOID.COMMON_NAME, user)]))
        .issuer_name(ca.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start - _BACKDATE)
        .not_valid_after(start + CLIENT_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .sign(ca.key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return pem, key.private_bytes(encoding, form, serialization.NoEncryption()).decode()


def subject(der: bytes | None) -> Subject | None:
    """Of the certificate that the TLS layer has verified."""
    if not der:
        return None
    name = x509.load_der_x509_certificate(der).subject
    common = [str(one.value) for one in name.get_attributes_for_oid(NameOID.COMMON_NAME)]
    groups = tuple(str(one.value) for one in name.get_attributes_for_oid(NameOID.ORGANIZATION_NAME))
    return Subject(common[0] if common else "", groups)

"""Claims about the certificate profile, and about what is taken from a request: the key, and nothing else."""

from __future__ import annotations

import base64
import ipaddress
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from auth import ca
from auth.client_cert import read_credential
from auth.errors import AuthError, Reason
from auth.identity import Credential, LoginID

NOW = 1_800_000_000.5
LOGIN = LoginID("abcdefghijklmnopqrstuvwx23")
CA = ca.new_ca("kubewitness example", NOW)
KEY = ec.generate_private_key(ec.SECP256R1())


def issued(**changes: object) -> ca.IssuedCertificate:
    wanted = {
        "installation": "example", "cluster": "prod", "login_id": LOGIN, "now": NOW, "lifetime_seconds": 3600,
        "serial_number": 2**127 + 1,
    } | changes  # fmt: skip
    return ca.issue(CA, KEY.public_key(), **wanted)  # type: ignore[arg-type]


def test_a_persons_certificate_has_the_profile_and_nothing_more() -> None:
    certificate = x509.load_pem_x509_certificate(issued().pem.encode())
    certificate.verify_directly_issued_by(CA.certificate)
    assert certificate.subject.rfc4514_string() == f"CN={LOGIN}"
    assert {e.oid._name: e.critical for e in certificate.extensions} == {
        "subjectAltName": False,
        "extendedKeyUsage": False,
        "basicConstraints": True,
        "keyUsage": True,
        "subjectKeyIdentifier": False,
        "authorityKeyIdentifier": False,
    }
    start = datetime.fromtimestamp(int(NOW), UTC)
    assert (certificate.not_valid_before_utc, certificate.not_valid_after_utc) == (
        start - timedelta(minutes=5),
        start + timedelta(hours=1),
    )


names = st.from_regex(r"[A-Za-z0-9._-]{1,63}", fullmatch=True)


@given(names, names, st.from_regex(r"[a-z2-7]{26}", fullmatch=True), st.integers(1, 2**128 - 1), st.integers(1, 86400))
@settings(max_examples=40, deadline=None)
def test_what_is_issued_is_read_back_as_it_was_meant(
    installation: str, cluster: str, login: str, serial: int, lifetime: int
) -> None:
    result = issued(
        installation=installation, cluster=cluster, login_id=LoginID(login), serial_number=serial,
        lifetime_seconds=lifetime,
    )  # fmt: skip
    certificate = x509.load_pem_x509_certificate(result.pem.encode())
    der = certificate.public_bytes(serialization.Encoding.DER)
    assert read_credential(der, installation) == Credential(
        installation, cluster, LoginID(login), f"{serial:x}", result.not_before, result.not_after,
        certificate.fingerprint(hashes.SHA256()).hex(),
    )  # fmt: skip
    assert (result.not_before, result.not_after) == (int(NOW) - 300, int(NOW) + lifetime)


def test_no_certificate_outlives_its_ca() -> None:
    assert issued(lifetime_seconds=20 * 365 * 86400).not_after == CA.certificate.not_valid_after_utc.timestamp()


@pytest.mark.parametrize(
    "changes",
    [{"cluster": ""}, {"cluster": "a/b"}, {"cluster": "x" * 64}, {"installation": "a b"}, {"lifetime_seconds": 0},
     {"lifetime_seconds": -5}, {"lifetime_seconds": float("nan")}, {"serial_number": 0}, {"serial_number": 2**160}],
)  # fmt: skip
def test_what_could_not_be_read_back_is_not_issued(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        issued(**changes)


def test_a_ca_signs_certificates_and_no_other_cas() -> None:
    extensions = CA.certificate.extensions
    assert extensions.get_extension_for_class(x509.BasicConstraints).value == x509.BasicConstraints(True, 0)
    usage = extensions.get_extension_for_class(x509.KeyUsage).value
    assert (usage.key_cert_sign, usage.digital_signature) == (True, False)
    assert ca.new_ca("again", NOW, CA.key).certificate.public_key() == CA.certificate.public_key()


def test_a_serving_certificate_names_hosts_and_addresses() -> None:
    pem = ca.issue_server(CA, KEY.public_key(), ["kwit.example.com", "127.0.0.1", "::1"], now=NOW, serial_number=7)
    certificate = x509.load_pem_x509_certificate(pem.encode())
    assert list(certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value) == [
        x509.DNSName("kwit.example.com"),
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
        x509.IPAddress(ipaddress.ip_address("::1")),
    ]
    assert list(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [
        ExtendedKeyUsageOID.SERVER_AUTH
    ]
    with pytest.raises(AuthError):
        read_credential(certificate.public_bytes(serialization.Encoding.DER), "example")


# T7: requests


SHA256 = hashes.SHA256()


def request(key=KEY, subject: x509.Name | None = None, *extensions: x509.ExtensionType, digest=SHA256) -> str:
    builder = x509.CertificateSigningRequestBuilder(subject or x509.Name([]))
    for extension in extensions:
        builder = builder.add_extension(extension, critical=True)
    if isinstance(key, (ed25519.Ed25519PrivateKey, ed448.Ed448PrivateKey)):
        digest = None
    return builder.sign(key, digest).public_bytes(serialization.Encoding.PEM).decode()


def name(**parts: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(getattr(NameOID, oid), value) for oid, value in parts.items()])


CA_USAGE = x509.KeyUsage(True, True, True, False, False, True, True, False, False)
WISHES = {
    "none": request(),
    "another login": request(KEY, name(COMMON_NAME="z" * 26)),
    "system:masters": request(KEY, name(COMMON_NAME="admin", ORGANIZATION_NAME="system:masters")),
    "a CA": request(KEY, None, x509.BasicConstraints(True, None), CA_USAGE),
    "another cluster": request(
        KEY, None, x509.SubjectAlternativeName([x509.UniformResourceIdentifier(f"kwit://example/other/{LOGIN}")])
    ),
    "a host": request(KEY, None, x509.SubjectAlternativeName([x509.DNSName("kube.example.com")])),
    "serverAuth": request(KEY, None, x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])),
    "any usage": request(KEY, None, x509.ExtendedKeyUsage([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE])),
    "an unknown extension": request(
        KEY, None, x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.57683.2"), b"\x0c\x01x")
    ),
    "SHA-512": request(digest=hashes.SHA512()),
    "words around": "hello\n" + request() + "bye\n",
    "a second request behind": request() + request(ec.generate_private_key(ec.SECP256R1())),
}


@pytest.mark.parametrize("wish", WISHES)
def test_whatever_a_request_asks_for_only_its_key_is_taken(wish: str) -> None:
    key = ca.public_key_from_csr(WISHES[wish])
    assert key == KEY.public_key()
    certificate = x509.load_pem_x509_certificate(issued().pem.encode())
    again = ca.issue(
        CA, key, installation="example", cluster="prod", login_id=LOGIN, now=NOW, lifetime_seconds=3600,
        serial_number=2**127 + 1,
    )  # fmt: skip
    assert x509.load_pem_x509_certificate(again.pem.encode()).tbs_certificate_bytes == certificate.tbs_certificate_bytes


STRONG = {
    "P-256": KEY,
    "P-384": ec.generate_private_key(ec.SECP384R1()),
    "Ed25519": ed25519.Ed25519PrivateKey.generate(),
    "RSA 2048": rsa.generate_private_key(65537, 2048),
}
WEAK = {
    "P-521": ec.generate_private_key(ec.SECP521R1()),
    "P-224": ec.generate_private_key(ec.SECP224R1()),
    "secp256k1": ec.generate_private_key(ec.SECP256K1()),
    "brainpool": ec.generate_private_key(ec.BrainpoolP256R1()),
    "RSA 1024": rsa.generate_private_key(65537, 1024),
    "Ed448": ed448.Ed448PrivateKey.generate(),
    "DSA": dsa.generate_private_key(2048),
}


@pytest.mark.parametrize("kind", STRONG)
def test_keys_of_these_kinds_are_certified(kind: str) -> None:
    assert ca.public_key_from_csr(request(STRONG[kind])) == STRONG[kind].public_key()


@pytest.mark.parametrize("kind", WEAK)
def test_keys_of_other_kinds_are_refused(kind: str) -> None:
    with pytest.raises(AuthError) as caught:
        ca.public_key_from_csr(request(WEAK[kind]))
    assert caught.value.reason is Reason.CSR_INVALID


def swapped_key() -> str:
    """A request for somebody else's key, under our signature."""
    theirs = ec.generate_private_key(ec.SECP256R1()).public_key()
    spki = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    der = x509.load_pem_x509_csr(request().encode()).public_bytes(serialization.Encoding.DER)
    forged = der.replace(KEY.public_key().public_bytes(*spki), theirs.public_bytes(*spki))
    return x509.load_der_x509_csr(forged).public_bytes(serialization.Encoding.PEM).decode()


CERTIFICATE = issued().pem
BROKEN = {
    "nothing": "",
    "words": "hello",
    "a certificate": CERTIFICATE,
    "a certificate under the other label": CERTIFICATE.replace("CERTIFICATE", "CERTIFICATE REQUEST"),
    "a cut one": request()[:200],
    "one without its end": request().rsplit("-----END", 1)[0],
    "no base64": "-----BEGIN CERTIFICATE REQUEST-----\n!!!!\n-----END CERTIFICATE REQUEST-----\n",
    "empty PEM": "-----BEGIN CERTIFICATE REQUEST-----\n-----END CERTIFICATE REQUEST-----\n",
    "too large": request() + "x" * ca.MAX_CSR_BYTES,
    "a swapped key": swapped_key(),
    "a private key": KEY.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode(),
    "a surrogate": "\ud800" + request(),
    "NUL": request().replace("\n", "\0", 1),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_what_is_no_request_is_refused_with_a_reason(kind: str) -> None:
    with pytest.raises(AuthError) as caught:
        ca.public_key_from_csr(BROKEN[kind])
    assert caught.value.reason is Reason.CSR_INVALID


@given(st.integers(0, 10_000), st.integers(0, 255))
@settings(max_examples=150, deadline=None)
def test_a_request_with_any_byte_changed_is_refused_or_has_the_same_key(position: int, value: int) -> None:
    der = bytearray(x509.load_pem_x509_csr(request().encode()).public_bytes(serialization.Encoding.DER))
    der[position % len(der)] = value
    body = base64.encodebytes(bytes(der)).decode()
    try:
        key = ca.public_key_from_csr(f"-----BEGIN CERTIFICATE REQUEST-----\n{body}-----END CERTIFICATE REQUEST-----\n")
    except AuthError:
        return
    assert key == KEY.public_key()


def test_a_keys_hash_is_that_of_its_public_key_info() -> None:
    assert ca.key_hash(KEY.public_key()) == ca.key_hash(ca.public_key_from_csr(request()))
    assert len(ca.key_hash(KEY.public_key())) == 43

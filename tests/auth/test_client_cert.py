"""Claims about a presented certificate: hostile ones are refused with a reason, whoever signed them."""

from __future__ import annotations

import warnings
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from auth.ca import new_ca
from auth.client_cert import MAX_DER_BYTES, check_dates, read_credential
from auth.errors import AuthError, Reason
from auth.identity import Credential, LoginID

NOW = 1_800_000_000.0
START, END = datetime.fromtimestamp(NOW, UTC), datetime.fromtimestamp(NOW + 3600, UTC)
LOGIN = LoginID("a" * 26)
CA = new_ca("example", NOW)
KEY = ec.generate_private_key(ec.SECP256R1())
URI = f"kwit://example/prod/{LOGIN}"
CLIENT = ExtendedKeyUsageOID.CLIENT_AUTH
SIGNS = (True, False, False, False, False, False, False, False, False)


def uri(*values: str) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName([x509.UniformResourceIdentifier(value) for value in values])


def subject(*pairs: tuple[x509.ObjectIdentifier, str], kind: object = None) -> x509.Name:
    return x509.Name([x509.NameAttribute(oid, value, kind) for oid, value in pairs])  # type: ignore[arg-type]


NO_CA = x509.BasicConstraints(False, None)
ONLY_SIGNS = x509.KeyUsage(*SIGNS)
FOR_CLIENTS = x509.ExtendedKeyUsage([CLIENT])
OURS = uri(URI)


def made(
    *,
    key: object = None,
    name: x509.Name | None = None,
    serial: int = 1,
    basic: x509.ExtensionType | None = NO_CA,
    usage: x509.ExtensionType | None = ONLY_SIGNS,
    extended: x509.ExtensionType | None = FOR_CLIENTS,
    san: x509.ExtensionType | None = OURS,
    more: tuple[tuple[x509.ExtensionType, bool], ...] = (),
) -> bytes:
    """A certificate of the right CA, right but for what is named."""
    name = subject((NameOID.COMMON_NAME, LOGIN)) if name is None else name
    builder = x509.CertificateBuilder(CA.certificate.subject, name, key or KEY.public_key(), serial, START, END)
    for extension, critical in ((basic, True), (usage, True), (extended, False), (san, False), *more):
        if extension is not None:
            builder = builder.add_extension(extension, critical)
    return builder.sign(CA.key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


GOOD = made()
CN, OU, O = NameOID.COMMON_NAME, NameOID.ORGANIZATIONAL_UNIT_NAME, NameOID.ORGANIZATION_NAME  # noqa: E741
UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
PADDING = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.5"), b"\x04\x84\x00\x01\x11\x70" + b"x" * 70_000)
RDN = x509.RelativeDistinguishedName


def with_serial(replacement: bytes) -> bytes:
    """Serial number 1 (02 01 01) replaced by another encoding of one octet."""
    return GOOD.replace(b"\x02\x01\x01", replacement, 1)


HOSTILE: dict[str, bytes] = {
    "nothing": b"",
    "garbage": b"garbage",
    "PEM": b"-----BEGIN CERTIFICATE-----\n",
    "cut": GOOD[:-1],
    "something behind": GOOD + b"\0",
    "huge": made(san=uri(*[URI] * 2000)),
    "right but padded to be huge": made(more=((PADDING, False),)),
    "huge and empty": b"\x30" * (MAX_DER_BYTES + 1),
    "the CA itself": CA.certificate.public_bytes(serialization.Encoding.DER),
    "CA:TRUE": made(basic=x509.BasicConstraints(True, None)),
    "CA:TRUE, path 0": made(basic=x509.BasicConstraints(True, 0)),
    "no basic constraints": made(basic=None),
    "no key usage": made(usage=None),
    "keyCertSign": made(usage=x509.KeyUsage(True, False, False, False, False, True, False, False, False)),
    "cRLSign": made(usage=x509.KeyUsage(True, False, False, False, False, False, True, False, False)),
    "no digitalSignature": made(usage=x509.KeyUsage(False, False, True, False, False, False, False, False, False)),
    "no extended key usage": made(extended=None),
    "any usage": made(extended=x509.ExtendedKeyUsage([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE])),
    "serverAuth": made(extended=x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])),
    "clientAuth and serverAuth": made(extended=x509.ExtendedKeyUsage([CLIENT, ExtendedKeyUsageOID.SERVER_AUTH])),
    "clientAuth and any": made(extended=x509.ExtendedKeyUsage([CLIENT, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE])),
    "codeSigning": made(extended=x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING])),
    "an unknown critical extension": made(more=((UNKNOWN, True),)),
    "critical name constraints": made(more=((x509.NameConstraints([x509.DNSName("x")], None), True),)),
    "no SAN": made(san=None),
    "two URIs": made(san=uri(URI, URI)),
    "two clusters": made(san=uri(URI, f"kwit://example/other/{LOGIN}")),
    "a DNS name": made(san=x509.SubjectAlternativeName([x509.DNSName("kwit")])),
    "a DNS name that looks like ours": made(san=x509.SubjectAlternativeName([x509.DNSName(URI)])),
    "an address of mail": made(san=x509.SubjectAlternativeName([x509.RFC822Name("a@example.com")])),
    "a URI and a DNS name": made(
        san=x509.SubjectAlternativeName([x509.UniformResourceIdentifier(URI), x509.DNSName("x")])
    ),
    "another scheme": made(san=uri(f"spiffe://example/prod/{LOGIN}")),
    "the scheme in capitals": made(san=uri(f"KWIT://example/prod/{LOGIN}")),
    "a path too many": made(san=uri(f"{URI}/x")),
    "a path too few": made(san=uri(f"kwit://example/{LOGIN}")),
    "no cluster": made(san=uri(f"kwit://example//{LOGIN}")),
    "a query": made(san=uri(f"{URI}?x")),
    "a newline": made(san=uri(f"{URI}\n")),
    "NUL in the URI": made(san=uri(f"kwit://example/prod\0/{LOGIN}")),
    "a percent sign": made(san=uri(f"kwit://example/%70rod/{LOGIN}")),
    "a user in the URI": made(san=uri(f"kwit://u@example/prod/{LOGIN}")),
    "a port in the URI": made(san=uri(f"kwit://example:1/prod/{LOGIN}")),
    "a long cluster": made(san=uri(f"kwit://example/{'p' * 64}/{LOGIN}")),
    "another login in the URI": made(san=uri(f"kwit://example/prod/{'b' * 26}")),
    "no subject": made(name=x509.Name([])),
    "no CN": made(name=subject((O, "x"))),
    "two CNs": made(name=subject((CN, LOGIN), (CN, LOGIN))),
    "two CNs in one RDN": made(
        name=x509.Name([RDN([x509.NameAttribute(CN, LOGIN), x509.NameAttribute(CN, "b" * 26)])])
    ),
    "CN and O": made(name=subject((CN, LOGIN), (O, "system:masters"))),
    "O and CN": made(name=subject((O, "system:masters"), (CN, LOGIN))),
    "a UID": made(name=subject((CN, LOGIN), (x509.ObjectIdentifier("1.3.6.1.4.1.57683.2"), "0"))),
    "a short CN": made(name=subject((CN, "a" * 25))),
    "a person's name": made(name=subject((CN, "admin"))),
    "a CN in capitals": made(name=subject((CN, "A" * 26))),
    "a CN with a newline": made(name=subject((CN, LOGIN + "\n"))),
    "a CN with NUL": made(name=subject((CN, LOGIN + "\0"))),
    "full-width letters": made(name=subject((CN, "a" * 25 + "\uff41"))),
    "the login as OU": made(name=subject((OU, LOGIN))),
    "RSA 1024": made(key=rsa.generate_private_key(65537, 1024).public_key()),
    "P-224": made(key=ec.generate_private_key(ec.SECP224R1()).public_key()),
    "P-521": made(key=ec.generate_private_key(ec.SECP521R1()).public_key()),
    "secp256k1": made(key=ec.generate_private_key(ec.SECP256K1()).public_key()),
    "Ed448": made(key=ed448.Ed448PrivateKey.generate().public_key()),
    "serial zero": with_serial(b"\x02\x01\x00"),
    "serial negative": with_serial(b"\x02\x01\xff"),
    "serial most negative": with_serial(b"\x02\x01\x80"),
}


def refused(der: bytes) -> Reason:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library warns of what it lets through; we refuse it
        with pytest.raises(AuthError) as caught:
            read_credential(der, "example")
    assert "kwit login" in caught.value.message
    return caught.value.reason


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_certificate_is_refused(kind: str) -> None:
    assert refused(HOSTILE[kind]) is Reason.CERTIFICATE_MALFORMED


@pytest.mark.parametrize("installation", ["other", "Example", "example.", "xexample"])
def test_a_certificate_of_another_installation_is_told_so(installation: str) -> None:
    assert refused(made(san=uri(f"kwit://{installation}/prod/{LOGIN}"))) is Reason.WRONG_INSTALLATION


@pytest.mark.parametrize(
    "der",
    [
        GOOD,
        made(key=ed25519.Ed25519PrivateKey.generate().public_key()),
        made(name=subject((CN, LOGIN), kind=x509.name._ASN1Type.PrintableString)),
        made(more=((UNKNOWN, False),)),
    ],
)
def test_a_right_one_is_read(der: bytes) -> None:
    credential = read_credential(der, "example")
    assert (credential.installation, credential.cluster, credential.login_id) == ("example", "prod", LOGIN)
    assert (credential.not_before, credential.not_after, credential.serial_number) == (NOW, NOW + 3600, "1")


@given(st.integers(0, len(GOOD) - 1), st.integers(0, 255))
@settings(max_examples=200, deadline=None)
def test_any_changed_byte_is_refused_or_changes_no_identity(position: int, value: int) -> None:
    der = GOOD[:position] + bytes([value]) + GOOD[position + 1 :]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            credential = read_credential(der, "example")
        except AuthError:
            return
    assert credential.installation == "example"
    assert len(credential.login_id) == 26


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        (99.0, Reason.CERTIFICATE_NOT_YET_VALID),
        (100.0, None),
        (199.9, None),
        (200.0, Reason.CERTIFICATE_EXPIRED),
    ],
)
def test_dates_are_compared_at_the_time_given(now: float, reason: Reason | None) -> None:
    assert check_dates(Credential("i", "c", LOGIN, "1", 100.0, 200.0, ""), now) is reason

"""A presented client certificate → Credential, as numbered steps. The TLS layer has verified its chain to our CA.

1. it is DER of bounded size that parses; 2. its serial number is positive and at most 20 octets; 3. it is no CA, and
no extension is critical that we do not read; 4. it signs, and nothing else: key usage digitalSignature, extended key
usage exactly clientAuth; 5. its key is one we certify; 6. its CN is one login id;
7. its only SAN is one `kwit://INSTALLATION/CLUSTER/LOGIN` of this installation, naming the same login.
Dates are compared at every request (`check_dates`); the caller MUST then ask whether the login still lives.
"""

from __future__ import annotations

import re
from hashlib import sha256

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID

from auth.ca import SCHEME, check_key
from auth.errors import AuthError, Reason
from auth.identity import Credential, LoginID

MAX_DER_BYTES = 64 * 1024
"""Ours have 500 bytes; nobody's client certificate needs more."""

_READ = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
    }
)
"""RFC 5280, section 4.2: a critical extension that is not understood refuses the certificate."""
_UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.ExtensionNotFound,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
_ONLY_SIGNS = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=False,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)
_LOGIN = re.compile(r"[a-z2-7]{26}")
_URI = re.compile(SCHEME + r"://([A-Za-z0-9._-]{1,63})/([A-Za-z0-9._-]{1,63})/([a-z2-7]{26})")


def read_credential(der: bytes, installation: str) -> Credential:
    """Raises AuthError(CERTIFICATE_MALFORMED or WRONG_INSTALLATION)."""
    try:
        return _read(der, installation)
    except _UNREADABLE as error:
        raise _malformed("it cannot be read") from error


def _read(der: bytes, installation: str) -> Credential:
    if not der or len(der) > MAX_DER_BYTES:
        raise _malformed("it is missing or too large")
    certificate = x509.load_der_x509_certificate(der)
    serial = certificate.serial_number
    if serial <= 0 or serial.bit_length() > 160:
        raise _malformed("its serial number is not a positive number of at most 20 octets")
    extensions = certificate.extensions
    if extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
        raise _malformed("it is a CA")
    if any(extension.critical and extension.oid not in _READ for extension in extensions):
        raise _malformed("it has a critical extension that we do not know")
    if extensions.get_extension_for_class(x509.KeyUsage).value != _ONLY_SIGNS:
        raise _malformed("its key is not for signing alone")
    usage = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    if list(usage) != [ExtendedKeyUsageOID.CLIENT_AUTH]:
        raise _malformed("it is not for client authentication alone")
    try:
        check_key(certificate.public_key())
    except AuthError as error:
        raise _malformed("its key is not one we certify") from error
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    if len(list(certificate.subject)) != 1 or len(names) != 1 or not _LOGIN.fullmatch(str(names[0].value)):
        raise _malformed("its subject is not one login")
    san = list(extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    if len(san) != 1 or not isinstance(san[0], x509.UniformResourceIdentifier):
        raise _malformed("it does not name exactly one URI")
    match = _URI.fullmatch(san[0].value)
    if match is None or match[3] != names[0].value:
        raise _malformed("its URI is not of ours")
    if match[1] != installation:
        raise AuthError(Reason.WRONG_INSTALLATION, "this certificate is of another installation; run `kwit login` here")
    return Credential(
        installation,
        match[2],
        LoginID(match[3]),
        f"{serial:x}",
        certificate.not_valid_before_utc.timestamp(),
        certificate.not_valid_after_utc.timestamp(),
        sha256(der).hexdigest(),
    )


def _malformed(what: str) -> AuthError:
    return AuthError(Reason.CERTIFICATE_MALFORMED, f"the client certificate is refused: {what}; run `kwit login` again")


def check_dates(credential: Credential, now: float) -> Reason | None:
    """None while the certificate is valid at `now` (seconds since the epoch)."""
    if now >= credential.not_after:
        return Reason.CERTIFICATE_EXPIRED
    if now < credential.not_before:
        return Reason.CERTIFICATE_NOT_YET_VALID
    return None

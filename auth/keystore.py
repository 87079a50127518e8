"""Where the CAs' keys live: PEM files of mode 0600 in a directory of mode 0700, made on first start."""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from auth.ca import CertificateAuthority, issue_server, new_ca


class KeystoreError(Exception):
    """A key file that cannot be used; the message names it and what to do."""


def load_or_create_ca(directory: Path, name: str, common_name: str, now: float) -> CertificateAuthority:
    """`<name>.crt` and `<name>.key`. Raises KeystoreError, OSError."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    certificate_path, key_path = directory / f"{name}.crt", directory / f"{name}.key"
    if not certificate_path.exists():
        if not key_path.exists():
            _create(key_path, _key_pem(ec.generate_private_key(ec.SECP256R1())))
        # a key without its certificate is what a crash between the two leaves: the same key gets one now
        _create(certificate_path, new_ca(common_name, now, _load_key(key_path)).pem.encode())
    return load_ca(certificate_path, key_path)


def load_ca(certificate_path: Path, key_path: Path) -> CertificateAuthority:
    """Raises KeystoreError when the key is readable by others, or the two do not belong together."""
    key = _load_key(key_path)
    try:
        certificate = x509.load_pem_x509_certificate(certificate_path.read_bytes())
    except FileNotFoundError as error:
        raise KeystoreError(f"{certificate_path} is missing; restore it beside its key from your backup") from error
    except ValueError as error:
        raise KeystoreError(f"{certificate_path} is not a certificate in PEM; restore it from your backup") from error
    if key.public_key() != certificate.public_key():
        raise KeystoreError(f"{key_path} is not the key of {certificate_path}; restore the two from one backup")
    return CertificateAuthority(certificate, key)


def serving_certificate(
    directory: Path, name: str, ca: CertificateAuthority, names: list[str], *, now: float
) -> tuple[Path, Path]:
    """A fresh serving certificate with its chain, and its key, as paths; rewritten at every start."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    pem = issue_server(ca, key.public_key(), names, now=now, serial_number=x509.random_serial_number())
    certificate_path, key_path = directory / f"{name}.crt", directory / f"{name}.key"
    _replace(key_path, _key_pem(key))
    _replace(certificate_path, (pem + ca.pem).encode())
    return certificate_path, key_path


def load_or_create_secret(path: Path, length: int = 32) -> bytes:
    """Random bytes kept in a 0600 file: made once, the same ever after."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        _create(path, os.urandom(length))
    value = path.read_bytes()
    if len(value) != length:
        raise KeystoreError(f"{path} does not hold {length} bytes; restore it from your backup")
    return value


def _load_key(path: Path) -> ec.EllipticCurvePrivateKey:
    try:
        if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise KeystoreError(f"{path} is readable by others; run: chmod 600 {path}")
        key = serialization.load_pem_private_key(path.read_bytes(), None)
    except FileNotFoundError as error:
        raise KeystoreError(f"{path} is missing; restore it beside its certificate from your backup") from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeystoreError(f"{path} is not a private key in PEM without a password") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise KeystoreError(f"{path} is not an EC key")
    return key


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _create(path: Path, data: bytes) -> None:
    """The file appears whole; where another process was first, its file stays and ours is thrown away."""
    temporary = _written(path, data)
    try:
        with suppress(FileExistsError):
            path.hardlink_to(temporary)
    finally:
        temporary.unlink()
    _sync_directory(path.parent)


def _replace(path: Path, data: bytes) -> None:
    _written(path, data).replace(path)
    _sync_directory(path.parent)


def _written(path: Path, data: bytes) -> Path:
    fd, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # O_EXCL, 0600
    with os.fdopen(fd, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return Path(name)


def _sync_directory(path: Path) -> None:
    if os.name != "posix":
        return
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)

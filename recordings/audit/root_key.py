"""The installation's root key as a file: PEM, mode 0600, made on first use, or given; its public key, for auditors.

A hardware module or a key service takes its place by being a `recordings.audit.note.Signer`.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from recordings.audit.new_file import create
from recordings.audit.note import Ed25519Signer, PublicKey
from recordings.errors import LogUnavailableError

PUBLIC_SUFFIX = ".pub"


def load_or_create_root_key(path: Path, name: str) -> Ed25519Signer:
    """`path`, and `path`.pub with `NAME+ID+BASE64`. Raises LogUnavailableError, OSError.

    Where another process was first, its key is the one that is used.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        with suppress(FileExistsError):
            create(path, private_pem(Ed25519PrivateKey.generate()))
    signer = Ed25519Signer.of(name, load_private(path))
    publish(path.with_name(path.name + PUBLIC_SUFFIX), signer.public)
    return signer


def given_root_key(path: Path, name: str) -> Ed25519Signer:
    """A key that an operator keeps, so one that is missing is not made. Raises LogUnavailableError, OSError."""
    try:
        return Ed25519Signer.of(name, load_private(path))
    except FileNotFoundError as error:
        raise LogUnavailableError(
            f"{path} is missing; make it with: openssl genpkey -algorithm ed25519 -out {path}"
        ) from error


def publish(path: Path, key: PublicKey) -> None:
    """A file with `NAME+ID+BASE64`, readable by all. Raises LogUnavailableError where it is another key's; OSError.

    A file that is already there was made by an earlier start, and keys that are not those of that start sign no more
    of this log: who reads it should not take one key for the other.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    data = f"{key}\n".encode()
    with suppress(FileExistsError):
        if not path.exists():
            create(path, data, 0o644)
    if path.read_bytes() != data:
        raise LogUnavailableError(
            f"{path} is not the public key of the log's root key, {key}; restore the root key, or move {path.parent} "
            "away and keep it for the auditors"
        )


def load_private(path: Path) -> Ed25519PrivateKey:
    """Raises LogUnavailableError where the file is readable by others or holds something else; OSError."""
    if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise LogUnavailableError(f"{path} is readable by others; run: chmod 600 {path}")
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise LogUnavailableError(f"{path} is not a private key in PEM without a password") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise LogUnavailableError(f"{path} is not an Ed25519 key")
    return key


def private_pem(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )

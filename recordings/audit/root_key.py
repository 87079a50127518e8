"""The installation's root key as a file: PEM, mode 0600, made on first use; the public key beside it, for auditors.

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

from recordings.audit.new_file import create, sync_directory
from recordings.audit.note import Ed25519Signer
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
    public = path.with_name(path.name + PUBLIC_SUFFIX)
    if not public.exists():
        with suppress(FileExistsError):
            create(public, f"{signer.public}\n".encode(), 0o644)
        sync_directory(path.parent)
    return signer


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

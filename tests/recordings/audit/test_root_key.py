"""Claims about the root key's file."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from recordings.audit.note import opened, parse_public_key, sign
from recordings.audit.root_key import load_or_create_root_key
from recordings.errors import LogUnavailableError


def test_it_is_made_once_and_its_public_key_lies_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "audit-root.key"
    first = load_or_create_root_key(path, "acme/audit-root")
    again = load_or_create_root_key(path, "acme/audit-root")
    assert first.public == again.public
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    public = parse_public_key((path.parent / "audit-root.key.pub").read_text().strip())
    assert opened(sign("text\n", again), public) == "text\n"
    assert sorted(one.name for one in path.parent.iterdir()) == ["audit-root.key", "audit-root.key.pub"]


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "root"
    load_or_create_root_key(path, "r")
    path.chmod(0o640)
    with pytest.raises(LogUnavailableError, match=f"readable by others; run: chmod 600 {path}"):
        load_or_create_root_key(path, "r")


def test_a_file_that_is_no_such_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "root"
    path.write_text("hello")
    path.chmod(0o600)
    with pytest.raises(LogUnavailableError, match="not a private key in PEM"):
        load_or_create_root_key(path, "r")
    path.write_bytes(
        ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    with pytest.raises(LogUnavailableError, match="not an Ed25519 key"):
        load_or_create_root_key(path, "r")

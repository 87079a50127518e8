"""Claims about the root key's file."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from recordings.audit.note import PublicKey, opened, sign
from recordings.audit.root_key import given_root_key, load_or_create_root_key, publish
from recordings.errors import LogUnavailableError


def test_it_is_made_once_and_its_public_key_lies_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "audit-root.key"
    first = load_or_create_root_key(path, "acme/audit-root")
    again = load_or_create_root_key(path, "acme/audit-root")
    assert first.public == again.public
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    public = PublicKey.parse((path.parent / "audit-root.key.pub").read_text().strip())
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


def test_a_key_that_somebody_gives_is_used_and_nothing_is_written_beside_it(tmp_path: Path) -> None:
    made = load_or_create_root_key(tmp_path / "a" / "root", "r")
    (tmp_path / "b").mkdir()
    given = tmp_path / "b" / "root"
    given.write_bytes((tmp_path / "a" / "root").read_bytes())
    given.chmod(0o600)
    assert given_root_key(given, "r").public == made.public
    assert [one.name for one in given.parent.iterdir()] == ["root"]


def test_a_key_that_should_be_given_is_never_made(tmp_path: Path) -> None:
    path = tmp_path / "root"
    with pytest.raises(LogUnavailableError, match=f"{path} is missing; make it with: openssl genpkey -algorithm ed25"):
        given_root_key(path, "r")
    assert list(tmp_path.iterdir()) == []


def test_a_published_key_can_be_read_by_all_and_stays(tmp_path: Path) -> None:
    key, path = load_or_create_root_key(tmp_path / "root", "r").public, tmp_path / "audit" / "root.pub"
    publish(path, key)
    publish(path, key)
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == (f"{key}\n", 0o644)


def test_another_key_than_the_published_one_is_refused(tmp_path: Path) -> None:
    first, second = (load_or_create_root_key(tmp_path / name, "r").public for name in ("one", "two"))
    publish(tmp_path / "root.pub", first)
    with pytest.raises(LogUnavailableError, match="restore the root key, or move"):
        publish(tmp_path / "root.pub", second)
    assert (tmp_path / "root.pub").read_text() == f"{first}\n"

"""Claims about where the CA's key lives."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from auth.ca import new_ca
from auth.keystore import (
    KeystoreError,
    load_ca,
    load_or_create_ca,
    load_or_create_secret,
    serving_certificate,
)

NOW = 1_800_000_000.0


def test_a_ca_is_made_once_and_is_the_same_ever_after(tmp_path: Path) -> None:
    first = load_or_create_ca(tmp_path / "ca", "client", "example", NOW)
    assert load_or_create_ca(tmp_path / "ca", "client", "other", NOW + 1).pem == first.pem
    assert {p.name: stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "ca").iterdir()} == {
        "client.crt": 0o600,
        "client.key": 0o600,
    }
    assert stat.S_IMODE((tmp_path / "ca").stat().st_mode) == 0o700
    assert "PRIVATE" not in repr(first)


def test_processes_that_start_together_get_one_ca(tmp_path: Path) -> None:
    pems: list[str] = []

    def start() -> None:
        pems.append(load_or_create_ca(tmp_path, "client", "example", NOW).pem)

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(pems) == 8
    assert set(pems) == {(tmp_path / "client.crt").read_text()}


def test_a_crash_between_key_and_certificate_heals_with_the_same_key(tmp_path: Path) -> None:
    first = load_or_create_ca(tmp_path, "client", "example", NOW)
    (tmp_path / "client.crt").unlink()
    again = load_or_create_ca(tmp_path, "client", "example", NOW)
    assert again.key.public_key() == first.key.public_key()


def spoil(directory: Path, how: str) -> None:
    key, certificate = directory / "client.key", directory / "client.crt"
    match how:
        case "readable by others":
            key.chmod(0o640)
        case "key missing":
            key.unlink()
        case "key torn":
            key.write_bytes(key.read_bytes()[:50])
        case "key encrypted or of another kind":
            key.write_bytes(
                rsa.generate_private_key(65537, 2048).private_bytes(
                    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
                )
            )
        case "certificate torn":
            certificate.write_text("torn")
        case "certificate of another key":
            certificate.write_text(new_ca("other", NOW).pem)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("readable by others", "chmod 600"),
        ("key missing", "is missing"),
        ("key torn", "not a private key"),
        ("key encrypted or of another kind", "not an EC key"),
        ("certificate torn", "not a certificate"),
        ("certificate of another key", "is not the key of"),
    ],
)
def test_a_spoiled_keystore_is_named_and_never_replaced(tmp_path: Path, how: str, said: str) -> None:
    load_or_create_ca(tmp_path, "client", "example", NOW)
    spoil(tmp_path, how)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    with pytest.raises(KeystoreError, match=said):
        load_or_create_ca(tmp_path, "client", "example", NOW)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_a_given_ca_without_its_certificate_is_named(tmp_path: Path) -> None:
    load_or_create_ca(tmp_path, "client", "example", NOW)
    with pytest.raises(KeystoreError, match="is missing"):
        load_ca(tmp_path / "absent.crt", tmp_path / "client.key")


def test_a_serving_certificate_comes_with_its_chain_and_a_new_key_each_time(tmp_path: Path) -> None:
    ca = load_or_create_ca(tmp_path, "server", "example", NOW)
    certificate, key = serving_certificate(tmp_path, "kube", ca, ["localhost"], now=NOW)
    first = key.read_bytes()
    chain = x509.load_pem_x509_certificates(certificate.read_bytes())
    chain[0].verify_directly_issued_by(chain[1])
    assert chain[1] == ca.certificate
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    serving_certificate(tmp_path, "kube", ca, ["localhost"], now=NOW)
    assert key.read_bytes() != first


def test_a_secret_is_made_once_and_a_short_one_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "state"
    value = load_or_create_secret(path)
    assert (len(value), load_or_create_secret(path), stat.S_IMODE(path.stat().st_mode)) == (32, value, 0o600)
    path.write_bytes(b"short")
    with pytest.raises(KeystoreError, match="32 bytes"):
        load_or_create_secret(path)

"""Claims about the login's key as text."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from proxy.cli.client import key
from proxy.cli.client.problem import NotSignedIn


def test_a_key_says_in_its_first_line_that_it_is_of_an_elliptic_curve() -> None:
    text = key.to_pem(key.new_key())
    assert text.startswith("-----BEGIN EC PRIVATE KEY-----\n")
    assert text.endswith("\n-----END EC PRIVATE KEY-----\n")


@pytest.mark.parametrize("form", [PrivateFormat.TraditionalOpenSSL, PrivateFormat.PKCS8])
def test_a_key_is_read_in_the_form_it_has_and_in_that_of_earlier_versions(form: PrivateFormat) -> None:
    private = key.new_key()
    text = private.private_bytes(Encoding.PEM, form, NoEncryption()).decode()
    assert key.to_pem(key.from_pem(text)) == key.to_pem(private)


def test_what_is_no_key_means_not_signed_in() -> None:
    for broken in ("", "x", key.public_pem(key.new_key())):
        with pytest.raises(NotSignedIn):
            key.from_pem(broken)

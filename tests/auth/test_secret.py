"""Claims about secrets."""

from __future__ import annotations

from auth.secret import Secret


def test_a_secret_shows_a_fingerprint_and_never_itself() -> None:
    secret = Secret(b"hunter2")
    assert secret.reveal() == b"hunter2"
    assert f"{secret} {secret!r} {[secret]}" == " ".join(
        ["<Secret sha256:f52fbd32>"] * 2 + ["[<Secret sha256:f52fbd32>]"]
    )

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from auth.ca import key_hash
from auth.errors import AuthError, Reason
from auth.identity import Identity, KeyHash, Login, LoginID
from auth.proof import MAX_PROOFS_PER_LOGIN, WINDOW_SECONDS, ClockError, Proof, SeenProofs, check_proof, read_proof
from deploy.sandbox.idp.signing import jwk
from proxy.cli.client.key import new_key, proof
from tests.auth.connectors.provider import rsa_key

KEY = ec.generate_private_key(ec.SECP256R1())
URL, NOW = "https://kwit.example.com/api/v1/certificates", 1_800_000_000.0
LOGIN_ID = LoginID("a" * 26)
LOGIN = Login(LOGIN_ID, Identity("corp", "i", "s", "ada"), key_hash(KEY.public_key()), NOW, NOW + 1, NOW, "")


def made(private: Any = KEY, algorithm: str = "ES256", header: dict[str, Any] | None = None, **changes: Any) -> str:
    claims = {"htm": "POST", "htu": URL, "iat": int(NOW), "jti": "j" * 16, "login": LOGIN_ID} | changes
    head = {"typ": "dpop+jwt", "jwk": jwk(KEY, None)} | (header or {})
    return jwt.encode(claims, private, algorithm=algorithm, headers=head)


def test_what_the_command_line_makes_is_accepted() -> None:
    key = new_key()
    login = replace(LOGIN, key_hash=key_hash(key.public_key()))
    read = read_proof(proof(key, method="POST", url=URL, login=LOGIN_ID, now=NOW))
    assert check_proof(read, login, method="POST", url=URL, now=NOW) is login


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a.b.c",
        made(header={"typ": "JWT"}),
        made(header={"typ": None}),
        made(header={"jwk": None}),
        made(header={"jwk": jwk(KEY, None) | {"d": "AQAB"}}),
        made(header={"jwk": {"kty": "oct", "k": "AAAA"}}),
        made(header={"jwk": jwk(rsa_key(), None)}),
        made(header={"jwk": jwk(ec.generate_private_key(ec.SECP384R1()), None)}),
        made(header={"jwk": jwk(ec.generate_private_key(ec.SECP256R1()), None)}),
        made(b"k" * 32, "HS256"),
        made(rsa_key(), "RS256", {"jwk": jwk(rsa_key(), None)}),
        made(header={"crit": ["x"]}),
        made(htm=1),
        made(htu=None),
        made(iat="1"),
        made(iat=True),
        made(iat=-1),
        made(jti="short"),
        made(jti="x" * 65),
        made(jti="a b" * 6),
        made(login="short"),
        made(login="A" * 26),
        made(login=1),
        made(x="x" * 5000),
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(AuthError) as caught:
        read_proof(text)
    assert caught.value.reason is Reason.PROOF_INVALID


@pytest.mark.parametrize(
    ("changes", "login", "reason"),
    [
        ({"method": "GET"}, LOGIN, Reason.PROOF_INVALID),
        ({"url": URL + "/"}, LOGIN, Reason.PROOF_INVALID),
        ({"url": URL + "?a=b"}, LOGIN, Reason.PROOF_INVALID),
        ({}, None, Reason.LOGIN_UNKNOWN),
        ({}, replace(LOGIN, key_hash=KeyHash("z" * 43)), Reason.PROOF_INVALID),
        ({}, replace(LOGIN, id=LoginID("b" * 26)), Reason.PROOF_INVALID),
    ],
)
def test_it_is_good_for_one_call_of_one_login(changes: dict[str, str], login: Login | None, reason: Reason) -> None:
    call: dict[str, Any] = {"method": "POST", "url": URL, "now": NOW} | changes
    with pytest.raises(AuthError) as caught:
        check_proof(read_proof(made()), login, **call)
    assert caught.value.reason is reason


@pytest.mark.parametrize(
    ("seconds", "accepted"),
    [(WINDOW_SECONDS, True), (-WINDOW_SECONDS, True), (WINDOW_SECONDS + 1, False), (-WINDOW_SECONDS - 1, False)],
)
def test_its_time_is_within_five_minutes(seconds: float, accepted: bool) -> None:
    read = read_proof(made(iat=int(NOW + seconds)))
    if accepted:
        check_proof(read, LOGIN, method="POST", url=URL, now=NOW)
    else:
        with pytest.raises(ClockError):
            check_proof(read, LOGIN, method="POST", url=URL, now=NOW)


def seen_proof(jti: str = "j" * 16, login: str = LOGIN_ID) -> Proof:
    return Proof(LoginID(login), KeyHash("k"), "POST", URL, NOW, jti)


class TestSeenProofs:
    def test_one_is_admitted_once_as_long_as_it_could_be_used(self) -> None:
        seen = SeenProofs()
        seen.admit(seen_proof(), NOW - WINDOW_SECONDS)
        for later in (NOW, NOW + WINDOW_SECONDS):
            with pytest.raises(AuthError):
                seen.admit(seen_proof(), later)

    def test_another_logins_is_another(self) -> None:
        seen = SeenProofs()
        seen.admit(seen_proof(), NOW)
        seen.admit(seen_proof(login="b" * 26), NOW)
        assert len(seen) == 2

    def test_one_login_has_a_limit_that_passes(self) -> None:
        seen = SeenProofs()
        for _ in range(MAX_PROOFS_PER_LOGIN):
            seen.admit(seen_proof(secrets.token_hex(8)), NOW)
        with pytest.raises(AuthError) as caught:
            seen.admit(seen_proof(secrets.token_hex(8)), NOW)
        assert caught.value.reason is Reason.LIMIT_EXCEEDED
        seen.admit(seen_proof(secrets.token_hex(8)), NOW + 2 * WINDOW_SECONDS + 1)
        assert len(seen) == 1

    def test_silent_logins_are_forgotten(self) -> None:
        seen = SeenProofs()
        seen.admit(seen_proof(), NOW)
        seen.sweep(NOW + 2 * WINDOW_SECONDS)
        assert len(seen) == 1
        seen.sweep(NOW + 2 * WINDOW_SECONDS + 1)
        assert len(seen) == 0

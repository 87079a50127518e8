"""The battery of bad tokens: everything here is signed by the provider's own key unless it says otherwise."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from auth.jose import MAX_TOKEN_BYTES, Key, KeySet, TokenError, UnknownKeyError, encode_base64url, parse_jwk
from auth.oidc import check_response_issuer, parse_metadata, verify_id_token
from deploy.sandbox.idp.signing import jwk
from tests.auth.connectors.provider import rsa_key

ISSUER, CLIENT, NONCE, NOW = "https://idp.example.com", "kwit", "n-0S6_WzA2Mj", 1_800_000_000
RSA, OTHER = rsa_key(), rsa_key()
EC = ec.generate_private_key(ec.SECP256R1())
EC384 = ec.generate_private_key(ec.SECP384R1())
ED = ed25519.Ed25519PrivateKey.generate()
ED_JWK = {
    "kty": "OKP",
    "crv": "Ed25519",
    "kid": "ed",
    "x": encode_base64url(ED.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)),
}
PEM = RSA.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA")


def key(entry: dict[str, Any]) -> Key:
    found = parse_jwk(entry)
    assert found is not None
    return found


KEYS = KeySet((key(jwk(RSA, "rsa")), key(jwk(EC, "ec")), key(jwk(EC384, "ec384")), key(ED_JWK)))
CLAIMS: dict[str, Any] = {
    "iss": ISSUER,
    "sub": "u-1",
    "aud": CLIENT,
    "iat": NOW - 5,
    "exp": NOW + 300,
    "nonce": NONCE,
}
GONE = object()


def claims(**changes: Any) -> dict[str, Any]:
    return {name: value for name, value in (CLAIMS | changes).items() if value is not GONE}


def signed(
    payload: dict[str, Any] | bytes | None = None,
    header: dict[str, Any] | bytes | None = None,
    algorithm: str = "RS256",
    private: Any = RSA,
) -> str:
    """A token whose signature is right over whatever header and payload say."""
    raw_header = (
        header if isinstance(header, bytes) else json.dumps({"alg": algorithm, "kid": "rsa"} | (header or {})).encode()
    )
    raw = payload if isinstance(payload, bytes) else json.dumps(claims() if payload is None else payload).encode()
    signing_input = f"{encode_base64url(raw_header)}.{encode_base64url(raw)}".encode()
    method = jwt.get_algorithm_by_name(algorithm)
    return f"{signing_input.decode()}.{encode_base64url(method.sign(signing_input, private))}"


def check(token: str, *, nonce: str | None = NONCE, keys: KeySet = KEYS, access_token: str | None = None) -> Any:
    return verify_id_token(
        token,
        keys,
        issuer=ISSUER,
        client_id=CLIENT,
        nonce=nonce,
        now=NOW,
        algorithms=ALGORITHMS,
        access_token=access_token,
    )


GOOD: dict[str, str] = {
    "RS256": signed(),
    "PS256": signed(header={"kid": "rsa"}, algorithm="PS256"),
    "ES256": signed(header={"kid": "ec"}, algorithm="ES256", private=EC),
    "EdDSA": signed(header={"kid": "ed"}, algorithm="EdDSA", private=ED),
    "typ JWT": signed(header={"typ": "JWT"}),
    "aud as a list of us": signed(claims(aud=[CLIENT])),
    "azp is us": signed(claims(azp=CLIENT)),
    "Keycloak's typ": signed(claims(typ="ID")),
    "times as decimals": signed(claims(iat=NOW - 0.5, exp=NOW + 9.5)),
    "exp within the leeway": signed(claims(exp=NOW - 4)),
    "iat within the leeway": signed(claims(iat=NOW + 30)),
    "nbf now": signed(claims(nbf=NOW)),
    "x5t beside kid": signed(header={"x5t": "abc"}),
    "its own key in the header, unused": signed(header={"jwk": jwk(OTHER, "rsa")}),
    "a key's address in the header, unused": signed(header={"jku": "https://evil.example/jwks", "x5u": "https://e"}),
}


@pytest.mark.parametrize("name", GOOD)
def test_a_good_token_is_accepted(name: str) -> None:
    assert check(GOOD[name])["sub"] == "u-1"


def b64(value: Any) -> str:
    return encode_base64url(value if isinstance(value, bytes) else json.dumps(value).encode())


def hmac_token(algorithm: str, secret: bytes) -> str:
    import hashlib
    import hmac

    head = f"{b64({'alg': algorithm, 'kid': 'rsa'})}.{b64(claims())}"
    digest = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}[algorithm]
    return f"{head}.{b64(hmac.new(secret, head.encode(), digest).digest())}"


def ec384(alg: str) -> str:
    return signed(algorithm="ES384", header={"alg": alg, "kid": "ec384"}, private=EC384)


def replaced(part: int, text: str, token: str | None = None) -> str:
    """A good token with one of its parts put in the place of the old one."""
    parts = (token or signed()).split(".")
    parts[part] = text
    return ".".join(parts)


def each(name: str, values: Any, make: Callable[[Any], str]) -> dict[str, Callable[[], str]]:
    """A bad token for each value, named after it."""
    return {f"{name} {value!r}": functools.partial(make, value) for value in values}


def spoiled() -> str:
    head, payload, signature = signed().split(".")
    first = "B" if signature[0] != "B" else "C"
    return f"{head}.{payload}.{first}{signature[1:]}"


def other_spelling(part: int) -> str:
    """The same bytes in another base64url: the last character's unused bits set."""
    parts = signed(claims(pad="x" * 8)).split(".")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for extra in range(8):
        parts = signed(claims(pad="x" * extra), header={"pad": "x" * extra}).split(".")
        if len(parts[part]) % 4 in (2, 3):
            last = alphabet.index(parts[part][-1])
            parts[part] = parts[part][:-1] + alphabet[last | 1]
            if alphabet[last] != parts[part][-1]:
                return ".".join(parts)
    raise AssertionError


def duplicate(name: str, value: Any) -> bytes:
    text = json.dumps(claims())
    return (text[:-1] + f', "{name}": {json.dumps(value)}' + "}").encode()


def der_signed() -> str:
    from cryptography.hazmat.primitives import hashes

    head = f"{b64({'alg': 'ES256', 'kid': 'ec'})}.{b64(claims())}"
    return f"{head}.{b64(EC.sign(head.encode(), ec.ECDSA(hashes.SHA256())))}"


UNSIGNED = f"{b64({'alg': 'none'})}.{b64(claims())}"

BAD: dict[str, Callable[[], str]] = {
    # algorithm
    **{
        f"alg {a}": (lambda a=a: signed(header={"alg": a}))
        for a in ("none", "None", "NONE", "nOnE", "", "rs256", "RS257")
    },
    **each("alg of type", (None, 1, ["RS256"], {"RS256": 1}, True), lambda a: signed(header={"alg": a})),
    "alg missing": lambda: signed(header=b'{"kid":"rsa"}'),
    "none, two dots and nothing": lambda: UNSIGNED + ".",
    "none, no signature": lambda: UNSIGNED,
    "none with a signature": lambda: UNSIGNED + ".AAAA",
    **{f"{a} with our PEM": (lambda a=a: hmac_token(a, PEM)) for a in ("HS256", "HS384", "HS512")},
    "HS256 with nothing": lambda: hmac_token("HS256", b""),
    "RS384 although not configured": lambda: signed(algorithm="RS384", header={"alg": "RS384"}),
    "RS512 although not configured": lambda: signed(algorithm="RS512", header={"alg": "RS512"}),
    "ES384 although not configured": lambda: signed(
        algorithm="ES384", header={"alg": "ES384", "kid": "ec384"}, private=EC384
    ),
    "ES256 in the header, P-384 key": lambda: signed(
        algorithm="ES384", header={"alg": "ES256", "kid": "ec384"}, private=EC384
    ),
    "RS256 in the header, EC key": lambda: signed(header={"alg": "RS256", "kid": "ec"}, algorithm="ES256", private=EC),
    "ES256 in the header, RSA key": lambda: signed(header={"alg": "ES256", "kid": "rsa"}),
    "EdDSA in the header, RSA key": lambda: signed(header={"alg": "EdDSA", "kid": "rsa"}),
    "PS256 in the header, RS256 signature": lambda: signed(header={"alg": "PS256"}),
    "RS256 in the header, PS256 signature": lambda: signed(header={"alg": "RS256"}, algorithm="PS256"),
    # signature
    "somebody else's key": lambda: signed(private=OTHER),
    "somebody else's key, in jwk": lambda: signed(private=OTHER, header={"jwk": jwk(OTHER, "rsa")}),
    "somebody else's key, by jku": lambda: signed(private=OTHER, header={"jku": "https://evil.example/jwks"}),
    "somebody else's key, by x5u": lambda: signed(private=OTHER, header={"x5u": "https://evil.example/cert"}),
    "somebody else's key, in x5c": lambda: signed(private=OTHER, header={"x5c": ["MIIB"]}),
    "a spoiled signature": spoiled,
    "an empty signature": lambda: ".".join(signed().split(".")[:2]) + ".",
    "a short signature": lambda: signed()[:-40],
    "a longer signature": lambda: signed() + "AAAA",
    "an ES signature in DER": der_signed,
    "an ES signature of zeros": lambda: replaced(2, b64(bytes(64)), GOOD["ES256"]),
    "an ES signature of half the size": lambda: replaced(2, b64(bytes(32)), GOOD["ES256"]),
    "another payload under the signature": lambda: ".".join(
        [signed().split(".")[0], b64(claims(sub="root")), signed().split(".")[2]]
    ),
    "another header over the signature": lambda: ".".join(
        [b64({"alg": "RS256", "kid": "rsa", "x": 1}), *signed().split(".")[1:]]
    ),
    # kid
    **{
        f"kid {k!r}": (lambda k=k: signed(header={"kid": k}))
        for k in (
            "../../dev/null",
            "' OR 1=1--",
            "rsa\x00",
            "RSA",
            "rsa ",
            "",
            "ec",
            "file:///etc/passwd",
            "x" * 300,
            1,
            ["rsa"],
            {"a": 1},
            True,
        )
    },
    "no kid and somebody else's key": lambda: signed(header=b'{"alg":"RS256"}', private=OTHER),
    # header
    "crit": lambda: signed(header={"crit": ["exp"], "exp": NOW}),
    "crit empty": lambda: signed(header={"crit": []}),
    "crit b64": lambda: signed(header={"crit": ["b64"], "b64": False}),
    "b64 false": lambda: signed(header={"b64": False}),
    "zip": lambda: signed(header={"zip": "DEF"}),
    "enc": lambda: signed(header={"enc": "A128GCM"}),
    **{
        f"typ {t!r}": (lambda t=t: signed(header={"typ": t}))
        for t in ("at+jwt", "application/at+jwt", "dpop+jwt", "logout+jwt", "JWE", "", 1, ["JWT"])
    },
    "header is a list": lambda: signed(header=b'["RS256"]'),
    "header is text": lambda: signed(header=b'"RS256"'),
    "header is no JSON": lambda: signed(header=b"{"),
    "header is no UTF-8": lambda: signed(header=b'{"alg":"RS256","kid":"\xff"}'),
    "alg twice": lambda: signed(header=b'{"alg":"none","alg":"RS256","kid":"rsa"}'),
    "kid twice": lambda: signed(header=b'{"alg":"RS256","kid":"x","kid":"rsa"}'),
    # form
    "nothing": lambda: "",
    "one part": lambda: "abc",
    "two parts": lambda: ".".join(signed().split(".")[:2]),
    "four parts": lambda: signed() + ".AAAA",
    "five parts": lambda: signed() + ".AAAA.AAAA",
    "an empty header": lambda: "." + ".".join(signed().split(".")[1:]),
    "a blank before": lambda: " " + signed(),
    "a newline behind": lambda: signed() + "\n",
    "Bearer before": lambda: "Bearer " + signed(),
    "padding": lambda: ".".join(part + "=" * (-len(part) % 4 or 4) for part in signed().split(".")),
    "base64 of the other alphabet": lambda: signed(claims(x="???>>>~~~")).replace("_", "/").replace("-", "+"),
    "another spelling of the header": lambda: other_spelling(0),
    "another spelling of the payload": lambda: other_spelling(1),
    "another spelling of the signature": lambda: signed()[:-1] + {"A": "B", "Q": "R", "g": "h", "w": "x"}[signed()[-1]],
    "not ASCII": lambda: signed() + "é",
    "a megabyte": lambda: signed(claims(x="x" * 1_000_000)),
    "one byte too large": lambda: signed() + "A" * (MAX_TOKEN_BYTES + 1 - len(signed())),
    "nested deeply": lambda: signed(b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}"),
    "a token in a token": lambda: signed(signed().encode()),
    "payload is a list": lambda: signed(json.dumps([claims()]).encode()),
    "payload is no JSON": lambda: signed(b"{"),
    "payload with something behind": lambda: signed(json.dumps(claims()).encode() + b"{}"),
    "payload with a mark of byte order": lambda: signed(b"\xef\xbb\xbf" + json.dumps(claims()).encode()),
    "payload in UTF-16": lambda: signed(json.dumps(claims()).encode("utf-16")),
    "payload with NaN": lambda: signed(b'{"exp": NaN}'),
    **{
        f"{n} twice": (lambda n=n, v=v: signed(duplicate(n, v)))
        for n, v in (("sub", "u-1"), ("iss", ISSUER), ("aud", CLIENT), ("exp", NOW + 300), ("nonce", NONCE))
    },
    "a name twice, deep down": lambda: signed(json.dumps(claims()).encode()[:-1] + b', "a": {"b": 1, "b": 2}}'),
    "an unpaired surrogate": lambda: signed(json.dumps(claims()).encode()[:-1] + b', "name": "\\ud800admin"}'),
    "an unpaired surrogate in a name": lambda: signed(json.dumps(claims()).encode()[:-1] + b', "\\udfff": 1}'),
    # claims
    **{f"{n} missing": (lambda n=n: signed(claims(**{n: GONE}))) for n in ("iss", "sub", "aud", "iat", "exp", "nonce")},
    **{f"{n} null": (lambda n=n: signed(claims(**{n: None}))) for n in ("iss", "sub", "aud", "iat", "exp", "nonce")},
    **{
        f"iss {i!r}": (lambda i=i: signed(claims(iss=i)))
        for i in (
            ISSUER + "/",
            ISSUER + ".evil.example",
            "https://idp.example",
            ISSUER.upper(),
            "http://idp.example.com",
            " " + ISSUER,
            [ISSUER],
            {"a": ISSUER},
            "",
            1,
        )
    },
    **{
        f"aud {a!r}": (lambda a=a: signed(claims(aud=a)))
        for a in (
            "other",
            "",
            "kwit ",
            "KWIT",
            "kwi",
            "kwit2",
            [],
            ["other"],
            [CLIENT, "evil"],
            ["evil", CLIENT],
            [CLIENT, CLIENT],
            [[CLIENT]],
            {CLIENT: 1},
            1,
            True,
        )
    },
    "aud with another and azp us": lambda: signed(claims(aud=[CLIENT, "evil"], azp=CLIENT)),
    **{f"azp {a!r}": (lambda a=a: signed(claims(azp=a))) for a in ("evil", "", None, [CLIENT], 1)},
    **{
        f"sub {s!r}": (lambda s=s: signed(claims(sub=s)))
        for s in ("", " ", "a ", "x" * 256, "é", "a\nb", "a\x00b", 1, ["u-1"], {"a": 1}, True)
    },
    **{
        f"exp {e!r}": (lambda e=e: signed(claims(exp=e)))
        for e in (NOW - 30, NOW - 31, 0, -1, str(NOW + 300), True, [NOW + 300], 2**63, 1e300, NOW - 5)
    },
    **{
        f"iat {i!r}": (lambda i=i: signed(claims(iat=i)))
        for i in (NOW + 31, NOW - 601, 0, -1, str(NOW), True, 2**63, NOW + 300)
    },
    **{f"nbf {n!r}": (lambda n=n: signed(claims(nbf=n))) for n in (NOW + 31, str(NOW), None, True)},
    **{
        f"nonce {n!r}": (lambda n=n: signed(claims(nonce=n)))
        for n in ("other", "", NONCE + "x", NONCE[:-1], [NONCE], 1, NONCE.upper())
    },
    # other kinds of tokens of the same issuer
    **{
        f"a {t} of Keycloak": (lambda t=t: signed(claims(typ=t)))
        for t in ("Bearer", "Refresh", "Offline", "Logout", "id", 1, None)
    },
    "expired, though made in time": lambda: signed(claims(iat=NOW - 400, exp=NOW - 30)),
    "a logout token": lambda: signed(claims(events={"http://schemas.openid.net/event/backchannel-logout": {}})),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_token_is_refused(name: str) -> None:
    with pytest.raises(TokenError):
        check(BAD[name]())


def test_the_battery_is_of_the_promised_size() -> None:
    assert len(BAD) >= 150


def test_an_unknown_key_is_told_apart_since_the_set_may_be_old() -> None:
    with pytest.raises(UnknownKeyError):
        check(signed(header={"kid": "new"}))


def test_without_a_kid_the_only_key_that_fits_is_taken() -> None:
    alone = KeySet((key(jwk(RSA, None)), key(jwk(EC, "ec"))))
    assert check(signed(header=b'{"alg":"RS256"}'), keys=alone)["sub"] == "u-1"
    two = KeySet((key(jwk(RSA, None)), key(jwk(OTHER, "other"))))
    with pytest.raises(TokenError):
        check(signed(header=b'{"alg":"RS256"}'), keys=two)


def test_two_keys_of_one_name_are_no_choice() -> None:
    with pytest.raises(TokenError):
        check(signed(), keys=KeySet((key(jwk(RSA, "rsa")), key(jwk(OTHER, "rsa")))))


def test_a_key_published_for_one_algorithm_verifies_no_other() -> None:
    only_ps = KeySet((key(jwk(RSA, "rsa", alg="PS256")),))
    with pytest.raises(TokenError):
        check(signed(), keys=only_ps)


def test_a_refreshed_token_needs_no_nonce() -> None:
    assert check(signed(claims(nonce=GONE)), nonce=None)["sub"] == "u-1"


class TestAccessTokenHash:
    good = encode_base64url(sha256(b"at-1").digest()[:16])

    def test_the_right_one_is_accepted(self) -> None:
        assert check(signed(claims(at_hash=self.good)), access_token="at-1")["sub"] == "u-1"

    @pytest.mark.parametrize("wrong", ["", "x", 1, None, encode_base64url(sha256(b"at-1").digest())])
    def test_a_wrong_one_is_refused(self, wrong: Any) -> None:
        with pytest.raises(TokenError):
            check(signed(claims(at_hash=wrong)), access_token="at-1")

    def test_the_example_of_the_standard_holds(self) -> None:
        # OpenID Connect Core 1.0, appendix A.3
        token = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"
        assert check(signed(claims(at_hash="77QmUPtjPfzWtF2AnpK9RQ")), access_token=token)["sub"] == "u-1"


DOCUMENT: dict[str, Any] = {
    "issuer": ISSUER,
    "authorization_endpoint": ISSUER + "/authorize",
    "token_endpoint": ISSUER + "/token",
    "jwks_uri": ISSUER + "/jwks",
}


class TestMetadata:
    def test_what_is_used_is_read(self) -> None:
        more = {"userinfo_endpoint": ISSUER + "/me", "authorization_response_iss_parameter_supported": True}
        metadata = parse_metadata(json.dumps(DOCUMENT | more).encode(), ISSUER)
        assert (metadata.userinfo_endpoint, metadata.sends_iss) == (ISSUER + "/me", True)

    @pytest.mark.parametrize(
        "change",
        [
            {"issuer": ISSUER + "/"},
            {"issuer": [ISSUER]},
            {"issuer": None},
            {"token_endpoint": None},
            {"token_endpoint": "http://idp.example.com/token"},
            {"token_endpoint": "http://127.0.0.1/token"},
            {"token_endpoint": "https:///token"},
            {"token_endpoint": "https://user:pw@idp.example.com/token"},
            {"token_endpoint": "https://idp.example.com/token#x"},
            {"token_endpoint": "/token"},
            {"token_endpoint": "https://idp.example.com/a b"},
            {"token_endpoint": "https://idp.example.com/\n"},
            {"jwks_uri": "file:///etc/passwd"},
            {"jwks_uri": "https://[::1"},
            {"authorization_endpoint": "javascript:alert(1)"},
            {"authorization_endpoint": 1},
            {"userinfo_endpoint": "gopher://x"},
            {"token_endpoint_auth_methods_supported": "client_secret_basic"},
        ],
    )
    def test_what_is_not_as_it_should_be_is_refused(self, change: dict[str, Any]) -> None:
        with pytest.raises(TokenError):
            parse_metadata(json.dumps(DOCUMENT | change).encode(), ISSUER)

    def test_plain_http_is_for_a_provider_on_this_machine(self) -> None:
        issuer = "http://127.0.0.1:5556"
        document = {name: value.replace(ISSUER, issuer) for name, value in DOCUMENT.items()}
        assert parse_metadata(json.dumps(document).encode(), issuer).token_endpoint == issuer + "/token"


@pytest.mark.parametrize(
    ("announced", "iss", "accepted"),
    [
        (False, None, True),
        (False, ISSUER, True),
        (False, "https://evil.example", False),
        (True, None, False),
        (True, ISSUER, True),
        (True, ISSUER + "/", False),
        (True, "", False),
    ],
)
def test_an_answer_says_whose_it_is_where_that_was_announced(announced: bool, iss: str | None, accepted: bool) -> None:
    more = {"authorization_response_iss_parameter_supported": announced}
    metadata = parse_metadata(json.dumps(DOCUMENT | more).encode(), ISSUER)
    if accepted:
        check_response_issuer(metadata, iss)
    else:
        with pytest.raises(TokenError):
            check_response_issuer(metadata, iss)

"""A sign-in as a state machine: what the command line asked, the way to the provider and back, the one-time code.

    asked --begin--> at the provider --take--> signed in --(confirmed)--> code --redeem--> login

Everything is single-use, bounded in number and in time, and kept in memory only: a restart asks people to begin again.
Messages are built and parsed with Authlib; randomness and `now` are handed in. RFC 6749, 7636 (S256 only), 8252.
"""

from __future__ import annotations

import base64
import hmac
import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Generic, NoReturn, TypeVar
from urllib.parse import quote

from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from auth.errors import AuthError, Reason
from auth.identity import Identity, KeyHash
from auth.jose import encode_base64url
from auth.secret import Secret
from auth.strict_json import StrictJSONError, parse_object

TRANSACTION_SECONDS = 600.0
"""From the link to the provider's answer: passwords, second factors, a telephone."""
CODE_SECONDS = 60.0
"""From the page to the command line; the browser does it at once, a person pastes within a minute."""
MAX_PENDING = 10_000
"""Sign-ins under way: 10 MB. Beyond, the oldest gives way."""
MAX_PENDING_PER_SOURCE = 500
"""From one address; an office behind one address on a Monday morning."""
MAX_TOKEN_ANSWER_BYTES = 64 * 1024

_LOOPBACK = re.compile(r"http://(?:127\.0\.0\.1|\[::1\]):([1-9][0-9]{0,4})/callback")
_STATE = re.compile(r"[A-Za-z0-9_-]{16,128}")
_SHA256 = re.compile(r"[A-Za-z0-9_-]{43}")
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")
_NAME = re.compile(r"[A-Za-z0-9._-]{1,63}")


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line asked the browser to ask us. `redirect_uri` None: the code is shown, to be pasted."""

    redirect_uri: str | None
    state: str | None
    code_challenge: str
    key_hash: KeyHash


@dataclass(frozen=True, slots=True)
class Transaction:
    """A browser on its way to the provider. `browser` is the hash of its cookie."""

    asked: Asked
    connector: str
    nonce: str
    verifier: Secret
    browser: str
    source: str
    created_at: float


@dataclass(frozen=True, slots=True)
class Grant:
    """Somebody signed in; whoever redeems the code with the verifier and the key gets the login."""

    asked: Asked
    identity: Identity
    refresh_token: Secret | None
    browser: str
    source: str
    user_agent: str
    created_at: float


@dataclass(frozen=True, slots=True)
class Tokens:
    """A token endpoint's answer."""

    access_token: str
    id_token: str | None
    refresh_token: Secret | None

    def __repr__(self) -> str:
        return "<Tokens>"


class InvalidGrantError(AuthError):
    """The provider's clear no (RFC 6749, section 5.2, `invalid_grant`): this person's grant is over."""


# -- what the command line asks


def parse_asked(query: Sequence[tuple[str, str]]) -> tuple[Asked, str | None]:
    """The query of `/login`, and the connector if it names one. Raises AuthError(BAD_REQUEST)."""
    values = single(query)
    if values.get("code_challenge_method") != "S256" or not _SHA256.fullmatch(values.get("code_challenge", "")):
        _bad("the link has no S256 code challenge")
    if not _SHA256.fullmatch(values.get("key", "")):
        _bad("the link names no key")
    redirect, state = values.get("redirect_uri"), values.get("state")
    if redirect is not None:
        match = _LOOPBACK.fullmatch(redirect)
        if match is None or int(match[1]) > 65535:
            _bad("the link leads back to somewhere else than this machine")
        if state is None or not _STATE.fullmatch(state):
            _bad("the link has no state")
    connector = values.get("connector")
    if connector is not None and not _NAME.fullmatch(connector):
        _bad("the link names no connector of ours")
    return Asked(redirect, state, values["code_challenge"], KeyHash(values["key"])), connector


def single(query: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Parameters of which each may stand once (RFC 6749, section 3.1). Raises AuthError(BAD_REQUEST)."""
    values = dict(query)
    if len(values) != len(query):
        _bad("a parameter stands twice in the address")
    return values


# -- messages to and from the provider


def authorization_url(
    endpoint: str,
    *,
    client_id: str,
    redirect_uri: str,
    scopes: Sequence[str],
    state: str,
    nonce: str | None,
    verifier: str,
) -> str:
    """Where the browser goes (RFC 6749, section 4.1.1; RFC 7636, section 4.3). `nonce` None: plain OAuth."""
    return str(
        prepare_grant_uri(
            endpoint,
            client_id,
            "code",
            redirect_uri=redirect_uri,
            scope=list(scopes),
            state=state,
            nonce=nonce,
            code_challenge=create_s256_code_challenge(verifier),
            code_challenge_method="S256",
        )
    )


def code_request(*, code: str, redirect_uri: str, verifier: str) -> str:
    """The form that redeems the provider's code (RFC 6749, section 4.1.3)."""
    return str(
        prepare_token_request("authorization_code", code=code, redirect_uri=redirect_uri, code_verifier=verifier)
    )


def refresh_request(refresh_token: str) -> str:
    """The form that asks for new tokens (RFC 6749, section 6)."""
    return str(prepare_token_request("refresh_token", refresh_token=refresh_token))


def authenticated(body: str, client_id: str, secret: Secret | None, methods: Sequence[str]) -> tuple[str, str | None]:
    """The form and the value of `Authorization`, as the provider takes them (RFC 6749, section 2.3.1)."""
    if secret is None:
        return f"{body}&client_id={quote(client_id, safe='')}", None
    password = secret.reveal().decode()
    if "client_secret_basic" not in methods and "client_secret_post" in methods:
        return f"{body}&client_id={quote(client_id, safe='')}&client_secret={quote(password, safe='')}", None
    pair = f"{quote(client_id, safe='')}:{quote(password, safe='')}".encode()
    return body, "Basic " + _base64(pair)


def parse_tokens(data: bytes, status: int) -> Tokens:
    """A token endpoint's answer; the error is read from the body, since GitHub sends it with 200.

    Raises InvalidGrantError for the clear no, AuthError(CONNECTOR_UNAVAILABLE) for anything else that is no token.
    """
    try:
        answer = parse_object(data, MAX_TOKEN_ANSWER_BYTES)
    except StrictJSONError as error:
        raise AuthError(Reason.CONNECTOR_UNAVAILABLE, f"the provider's answer cannot be read: {error}") from error
    problem = answer.get("error")
    if problem in ("invalid_grant", "bad_refresh_token", "bad_verification_code"):
        raise InvalidGrantError(Reason.LOGIN_ENDED, "the identity provider has ended this sign-in; run `kwit login`")
    if problem is not None or status != 200:
        word = problem if isinstance(problem, str) and _NAME.fullmatch(problem) else f"status {status}"
        raise AuthError(Reason.CONNECTOR_UNAVAILABLE, f"the identity provider refused our request ({word}); try again")
    access, identity, refresh = (answer.get(name) for name in ("access_token", "id_token", "refresh_token"))
    token_type = answer.get("token_type")
    if not isinstance(access, str) or not access or not isinstance(token_type, str) or token_type.lower() != "bearer":
        raise AuthError(Reason.CONNECTOR_UNAVAILABLE, "the identity provider's answer holds no access token")
    if not isinstance(identity, str | None) or not isinstance(refresh, str | None):
        raise AuthError(Reason.CONNECTOR_UNAVAILABLE, "the identity provider's answer holds a token that is no text")
    return Tokens(access, identity, Secret(refresh.encode()) if refresh else None)


# -- what is under way

T = TypeVar("T", Transaction, Grant)


class _Pending(Generic[T]):
    """Single-use entries under unguessable keys, of which only hashes are kept; bounded in number and time."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._entries: OrderedDict[str, T] = OrderedDict()

    def put(self, key: str, entry: T) -> None:
        now = entry.created_at
        while self._entries and next(iter(self._entries.values())).created_at < now - self._seconds:
            self._entries.popitem(last=False)
        if sum(1 for e in self._entries.values() if e.source == entry.source) >= MAX_PENDING_PER_SOURCE:
            raise AuthError(Reason.LIMIT_EXCEEDED, "too many sign-ins under way from your address; wait ten minutes")
        if len(self._entries) >= MAX_PENDING:
            self._entries.popitem(last=False)
        self._entries[hashed(key)] = entry

    def take(self, key: str, now: float) -> T | None:
        """The entry, gone from here whatever becomes of it. None: unknown, used, or too old."""
        entry = self._entries.pop(hashed(key), None)
        return entry if entry is not None and now - entry.created_at <= self._seconds else None

    def __len__(self) -> int:
        return len(self._entries)


class Transactions:
    """Browsers on their way to a provider, by `state`."""

    def __init__(self) -> None:
        self._pending: _Pending[Transaction] = _Pending(TRANSACTION_SECONDS)

    def begin(self, state: str, transaction: Transaction) -> None:
        """Raises AuthError(LIMIT_EXCEEDED)."""
        self._pending.put(state, transaction)

    def take(self, state: str, *, connector: str, cookie: str | None, now: float) -> Transaction:
        """The transaction of this state, connector and browser; used up even if one of them is wrong.

        Raises AuthError(CODE_INVALID).
        """
        transaction = self._pending.take(state, now)
        if transaction is None:
            raise AuthError(Reason.CODE_INVALID, "this sign-in is not known, was used, or took too long; begin again")
        if transaction.connector != connector:
            raise AuthError(Reason.CODE_INVALID, "the answer came back to another provider's address; begin again")
        if cookie is None or not hmac.compare_digest(hashed(cookie), transaction.browser):
            raise AuthError(Reason.CODE_INVALID, "this sign-in was begun in another browser; begin again in this one")
        return transaction

    def __len__(self) -> int:
        return len(self._pending)


class Grants:
    """People who signed in, until their code is redeemed; or, before that, until they confirm."""

    def __init__(self, seconds: float = CODE_SECONDS) -> None:
        self._pending: _Pending[Grant] = _Pending(seconds)

    def add(self, code: str, grant: Grant) -> None:
        """Raises AuthError(LIMIT_EXCEEDED)."""
        self._pending.put(code, grant)

    def confirm(self, token: str, *, cookie: str | None, now: float) -> Grant:
        """The grant that waits for this browser's yes. Raises AuthError(CODE_INVALID)."""
        grant = self._pending.take(token, now)
        if grant is None:
            raise AuthError(Reason.CODE_INVALID, "this sign-in is not known, was used, or took too long; begin again")
        if cookie is None or not hmac.compare_digest(hashed(cookie), grant.browser):
            raise AuthError(Reason.CODE_INVALID, "this sign-in was begun in another browser; begin again in this one")
        return grant

    def redeem(self, code: str, *, verifier: str, key_hash: KeyHash, now: float) -> Grant:
        """The grant for whoever holds verifier and key; used up by the first try. Raises AuthError(CODE_INVALID)."""
        grant = self._pending.take(code, now)
        if grant is None:
            raise AuthError(Reason.CODE_INVALID, "this code is not known, was used, or is older than a minute")
        if not _VERIFIER.fullmatch(verifier):
            raise AuthError(Reason.CODE_INVALID, "the code's verifier is not of RFC 7636's form")
        challenge = encode_base64url(sha256(verifier.encode()).digest())
        if not hmac.compare_digest(challenge.encode(), grant.asked.code_challenge.encode()):
            raise AuthError(Reason.CODE_INVALID, "this code was made for another `kwit login`")
        if not hmac.compare_digest(key_hash.encode(), grant.asked.key_hash.encode()):
            raise AuthError(Reason.CODE_INVALID, "this code was made for another key")
        return grant

    def __len__(self) -> int:
        return len(self._pending)


def hashed(value: str) -> str:
    """By which a secret is looked up: an equal hash is an equal secret, and looking up leaks no prefix of it."""
    return sha256(value.encode("utf-8", "surrogatepass")).hexdigest()


def callback_url(asked: Asked, code: str) -> str:
    """The command line's own address with code and state. Both are base64url or base32: nothing to escape."""
    assert asked.redirect_uri is not None
    return f"{asked.redirect_uri}?code={code}&state={asked.state}"


def answer_code(params: Mapping[str, str]) -> str:
    """The code of a provider's answer, or its error as ours (RFC 6749, section 4.1.2.1)."""
    problem = params.get("error")
    if problem is not None:
        if problem == "access_denied":
            raise AuthError(Reason.IDENTITY_REFUSED, "the identity provider did not let you in, or you said no")
        word = problem if _NAME.fullmatch(problem) else "an error"
        raise AuthError(Reason.CONNECTOR_UNAVAILABLE, f"the identity provider answered with {word}; begin again")
    code = params.get("code", "")
    if not code or len(code) > 4096 or not code.isprintable():
        _bad("the provider's answer has no code")
    return code


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bad(why: str) -> NoReturn:
    raise AuthError(Reason.BAD_REQUEST, f"{why}; begin again with `kwit login`")

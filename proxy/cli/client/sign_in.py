"""Signing in, from the client's side: a new key, PKCE, the browser, the code, the login on disk.

1. a new private key; 2. a verifier and its S256 challenge (RFC 7636), and a state; 3. a loopback port, bound first;
4. the browser, with the key's hash in the URL, so that the login is bound to this key; 5. one callback with our state,
or a code that the person pastes; 6. the code, the verifier and the public key for the login; 7. the login is stored.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import urlencode

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from proxy.cli.client import key as keys
from proxy.cli.client import saved_login
from proxy.cli.client.api import Api, visible
from proxy.cli.client.callback import listening
from proxy.cli.client.problem import Problem
from proxy.cli.client.saved_login import SavedLogin

WAIT_SECONDS = 300
"""For the person to sign in: a second factor and a forgotten password fit."""
MAX_CODE = 512
"""Characters of a pasted code."""


@dataclass(frozen=True, slots=True)
class Person:
    """How the person is reached. `ask` is None where nobody can type."""

    say: Callable[[str], None]
    open_browser: Callable[[str], bool]
    ask: Callable[[str], str] | None = None


def sign_in(
    server: str,
    person: Person,
    *,
    clock: Callable[[], float],
    ca_pem: str | None = None,
    connector: str | None = None,
    no_browser: bool = False,
    wait_seconds: float = WAIT_SECONDS,
) -> SavedLogin:
    """The new login, stored. Raises Problem; then nothing stored has changed."""
    api = Api(server, clock, ca_pem if ca_pem is not None else saved_login.known_ca(server))
    _check_connector(api, connector)
    key = keys.new_key()
    verifier, state = secrets.token_urlsafe(48), secrets.token_urlsafe(24)
    query = {
        "state": state,
        "code_challenge": keys.encode(sha256(verifier.encode()).digest()),
        "code_challenge_method": "S256",
        "key": keys.key_hash(key),
    } | ({"connector": connector} if connector else {})
    if no_browser:
        code = _pasted(person, f"{server}/login?{urlencode(query)}", keys.key_hash(key))
    else:
        code = _from_browser(person, server, query, wait_seconds)
    login = _collect(api, key, code, verifier)
    saved_login.save(login, keys.to_pem(key))
    return login


def _check_connector(api: Api, connector: str | None) -> None:
    """The first call: a wrong URL or CA is told before a browser opens."""
    offered = api.call("GET", "/api/v1/installation").get("connectors")
    names = [str(item.get("name")) for item in offered or [] if isinstance(item, dict)]
    if connector is not None and connector not in names:
        raise Problem(f"there is no connector {connector!r}; this server has: {visible(', '.join(names))}", exit_code=2)


def _from_browser(person: Person, server: str, query: dict[str, str], wait_seconds: float) -> str:
    with listening(query["state"]) as waiting:
        url = f"{server}/login?{urlencode(query | {'redirect_uri': waiting.redirect_uri})}"
        if person.open_browser(url):
            person.say(f"Sign in with your browser. If none opened, open this yourself:\n  {url}")
        else:
            person.say(f"No browser could be opened. Open this on this machine (or use --no-browser):\n  {url}")
        returned = waiting.wait(wait_seconds)
    if returned.error or not returned.code:
        raise Problem(f"not signed in: {visible(returned.error) or 'the server sent no code'}; run `kwit login` again")
    return returned.code


def _pasted(person: Person, url: str, fingerprint: str) -> str:
    if person.ask is None:
        raise Problem("--no-browser needs a terminal to paste the code into")
    person.say(f"Open this in any browser:\n  {url}\nIt must show this key: {fingerprint}")
    code = person.ask("Paste the code").strip()
    if not code or len(code) > MAX_CODE or not code.isascii() or not code.isprintable():
        raise Problem("that is not a code; run `kwit login --no-browser` again")
    return code


def _collect(api: Api, key: EllipticCurvePrivateKey, code: str, verifier: str) -> SavedLogin:
    body = {"code": code, "code_verifier": verifier, "public_key": keys.public_pem(key)}
    answer = api.call("POST", "/api/v1/logins", body)
    return saved_login.from_answer(
        answer, server=api.server, ca_pem=api.ca_pem, now=api.clock(), clock_offset=api.offset
    )

"""GitHub by OAuth 2: the numeric id is the person, organisations and teams are the groups `org` and `org/team`.

GitHub has no ID token for people, sends errors with status 200, and its account names change hands.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auth.connectors import RoundTrip, SignedIn
from auth.connectors.outbound import Answer, Outbound
from auth.errors import AuthError, Reason
from auth.identity import Identity
from auth.login import InvalidGrantError, answer_code, authenticated, authorization_url, code_request, parse_tokens
from auth.mapping import make_identity
from auth.secret import Secret
from auth.strict_json import StrictJSONError, parse_object

SCOPES = ("read:org", "user:email")
PAGE = 100
MAX_PAGES = 5
"""500 teams; somebody in more is refused, since the rest would be missing."""
MAX_ITEM_BYTES = 256 * 1024

_NEXT = re.compile(r'rel="next"')


@dataclass(frozen=True, slots=True)
class GithubSettings:
    """What the configuration says of GitHub or of a GitHub Enterprise Server."""

    name: str
    display_name: str
    client_id: str
    client_secret: Secret
    organizations: tuple[str, ...]
    base_url: str = "https://github.com"
    ca_file: Path | None = None

    @property
    def api_url(self) -> str:
        return "https://api.github.com" if self.base_url == "https://github.com" else f"{self.base_url}/api/v3"


class GithubConnector:
    """See `auth.connectors.Connector`. The kept token is GitHub's access token, which does not rotate."""

    type = "github"

    def __init__(self, settings: GithubSettings, outbound: Outbound | None = None) -> None:
        self._settings = settings
        self._outbound = outbound or Outbound(settings.name, settings.ca_file)
        self._organizations = {name.lower() for name in settings.organizations}

    @property
    def name(self) -> str:
        return self._settings.name

    @property
    def display_name(self) -> str:
        return self._settings.display_name

    async def close(self) -> None:
        await self._outbound.close()

    async def begin(self, trip: RoundTrip, now: float) -> str:  # noqa: ARG002 - the protocol's
        return authorization_url(
            f"{self._settings.base_url}/login/oauth/authorize",
            client_id=self._settings.client_id,
            redirect_uri=trip.redirect_uri,
            scopes=SCOPES,
            state=trip.state,
            nonce=None,
            verifier=trip.verifier.reveal().decode(),
        )

    async def complete(self, params: Mapping[str, str], trip: RoundTrip, now: float) -> SignedIn:  # noqa: ARG002
        form = code_request(
            code=answer_code(params), redirect_uri=trip.redirect_uri, verifier=trip.verifier.reveal().decode()
        )
        body, _ = authenticated(form, self._settings.client_id, self._settings.client_secret, ("client_secret_post",))
        answer = await self._outbound.post_form(f"{self._settings.base_url}/login/oauth/access_token", body, {})
        try:
            token = parse_tokens(answer.body, answer.status).access_token
        except InvalidGrantError as error:
            raise AuthError(Reason.CODE_INVALID, "GitHub does not know its code any more; begin again") from error
        return SignedIn(await self._identity(token), Secret(token.encode()))

    async def refresh(
        self,
        identity: Identity,  # noqa: ARG002 - the protocol's
        token: Secret,
        save: Callable[[Secret], Awaitable[None]],  # noqa: ARG002
        now: float,  # noqa: ARG002
    ) -> Identity:
        return await self._identity(token.reveal().decode())

    async def _identity(self, token: str) -> Identity:
        user = _object((await self._get("/user", token)).body)
        number, login = user.get("id"), user.get("login")
        if isinstance(number, bool) or not isinstance(number, int) or not isinstance(login, str):
            raise _unavailable("its answer names no account")
        groups = await self._groups(token)
        if not groups:
            raise AuthError(
                Reason.IDENTITY_REFUSED,
                "you are in none of the organisations that may sign in here, or the organisation has not granted this "
                "application access",
            )
        email = await self._email(token)
        return make_identity(
            connector=self._settings.name,
            issuer=self._settings.base_url,
            subject=str(number),
            username=login,
            groups=groups,
            email=email,
            claims={"login": login, "id": number, "groups": groups, **({"email": email} if email else {})},
        )

    async def _groups(self, token: str) -> list[str]:
        """Active memberships in the configured organisations, and the teams there."""
        orgs = [_text(_member(entry, "login")).lower() for entry in await self._list("/user/orgs", token)]
        groups = [org for org in orgs if org in self._organizations]
        if not groups:
            return []
        for team in await self._list("/user/teams", token):
            org, slug = _text(_member(team, "organization", "login")).lower(), _text(_member(team, "slug"))
            if org in groups:
                groups.append(f"{org}/{slug}")
        return groups

    async def _email(self, token: str) -> str | None:
        for entry in await self._list("/user/emails", token):
            if _member(entry, "primary") is True and _member(entry, "verified") is True:
                return _text(_member(entry, "email")).lower()
        return None

    async def _list(self, path: str, token: str) -> list[Any]:
        found: list[Any] = []
        for page in range(1, MAX_PAGES + 1):
            answer = await self._get(f"{path}?per_page={PAGE}&page={page}", token)
            # a list is no object: it is read as the member of one, with the same strictness
            entries = _object(b'{"list":' + answer.body + b"}")["list"]
            if not isinstance(entries, list):
                raise _unavailable("its answer is no list")
            found += entries
            if not _NEXT.search(answer.link):
                return found
        raise AuthError(Reason.IDENTITY_REFUSED, f"GitHub lists more than {PAGE * MAX_PAGES} entries under {path}")

    async def _get(self, path: str, token: str) -> Answer:
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/vnd.github+json"}
        answer = await self._outbound.get(self._settings.api_url + path, headers)
        if answer.status == 401:
            raise InvalidGrantError(Reason.LOGIN_ENDED, "GitHub has withdrawn this sign-in; run `kwit login`")
        if answer.status != 200:
            raise _unavailable(f"it answers {answer.status}")
        return answer


def _object(body: bytes) -> dict[str, Any]:
    try:
        return parse_object(body, MAX_ITEM_BYTES)
    except StrictJSONError as error:
        raise _unavailable(f"its answer cannot be read: {error}") from error


def _member(entry: object, *names: str) -> object:
    for name in names:
        entry = entry.get(name) if isinstance(entry, dict) else None
    return entry


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise _unavailable("its answer has something else where a name belongs")
    return value


def _unavailable(why: str) -> AuthError:
    return AuthError(Reason.CONNECTOR_UNAVAILABLE, f"GitHub cannot be used: {why}; try again later")

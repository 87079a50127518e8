from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from auth.connectors import RoundTrip
from auth.connectors.github import GithubConnector, GithubSettings
from auth.errors import AuthError, Reason
from auth.identity import Identity
from auth.login import InvalidGrantError
from auth.secret import Secret

TRIP = RoundTrip("st", "no", Secret(b"v" * 43), "https://kwit/callback/gh")


class GitHub:
    """The five calls, as GitHub Enterprise Server has them; every answer can be changed."""

    def __init__(self) -> None:
        self.token: tuple[int, Any] = (200, {"access_token": "gho_1", "token_type": "bearer", "scope": "read:org"})
        self.status = 200
        self.form: dict[str, str] = {}
        self.answers: dict[str, Any] = {
            "/user": {"id": 583231, "login": "octocat", "name": "The Octocat", "email": "public@example.com"},
            "/user/orgs": [{"login": "Acme"}, {"login": "elsewhere"}],
            "/user/teams": [
                {"slug": "sre", "organization": {"login": "acme"}},
                {"slug": "sre", "organization": {"login": "elsewhere"}},
            ],
            "/user/emails": [
                {"email": "old@example.com", "primary": False, "verified": True},
                {"email": "Octo@Example.com", "primary": True, "verified": True},
            ],
        }
        self.more: set[str] = set()

    async def start(self) -> TestServer:
        app = web.Application()
        app.router.add_post("/login/oauth/access_token", self._token)
        app.router.add_get("/api/v3/{path:.*}", self._api)
        server = TestServer(app)
        await server.start_server()
        return server

    async def _token(self, request: web.Request) -> web.Response:
        assert request.headers["Accept"] == "application/json"
        self.form = {name: str(value) for name, value in (await request.post()).items()}
        return web.json_response(self.token[1], status=self.token[0])

    async def _api(self, request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == "Bearer gho_1"
        path = "/" + request.match_info["path"]
        headers = {"Link": '<https://x>; rel="next"'} if path in self.more else {}
        return web.json_response(self.answers[path], status=self.status, headers=headers)


@pytest.fixture
async def at() -> AsyncIterator[tuple[GitHub, GithubConnector]]:
    github = GitHub()
    server = await github.start()
    settings = GithubSettings("gh", "GitHub", "cid", Secret(b"cs"), ("acme",), f"http://127.0.0.1:{server.port}")
    connector = GithubConnector(settings)
    yield github, connector
    await connector.close()
    await server.close()


async def save(_: Secret) -> None:
    raise AssertionError


def person(connector: GithubConnector) -> Identity:
    issuer = connector._settings.base_url
    return Identity("gh", issuer, "583231", "octocat", ("acme", "acme/sre"), "octo@example.com")


async def test_the_browser_is_sent_with_pkce(at: tuple[GitHub, GithubConnector]) -> None:
    query = parse_qs(urlsplit(await at[1].begin(TRIP, 0.0)).query)
    assert (query["scope"], query["state"], query["code_challenge_method"]) == (
        ["read:org user:email"],
        ["st"],
        ["S256"],
    )
    assert "nonce" not in query


async def test_the_number_is_the_person_and_only_configured_organisations_are_groups(
    at: tuple[GitHub, GithubConnector],
) -> None:
    github, connector = at
    signed_in = await connector.complete({"code": "c", "state": "st"}, TRIP, 0.0)
    assert signed_in.identity == person(connector)
    assert signed_in.refresh_token is not None
    assert signed_in.refresh_token.reveal() == b"gho_1"
    assert (github.form["client_secret"], github.form["code_verifier"]) == ("cs", "v" * 43)


async def test_an_error_with_status_200_is_an_error(at: tuple[GitHub, GithubConnector]) -> None:
    github, connector = at
    github.token = (200, {"error": "bad_verification_code"})
    with pytest.raises(AuthError) as caught:
        await connector.complete({"code": "c"}, TRIP, 0.0)
    assert caught.value.reason is Reason.CODE_INVALID


@pytest.mark.parametrize(
    ("path", "answer", "reason"),
    [
        ("/user/orgs", [], Reason.IDENTITY_REFUSED),
        ("/user/orgs", [{"login": "elsewhere"}], Reason.IDENTITY_REFUSED),
        ("/user/orgs", {"login": "acme"}, Reason.CONNECTOR_UNAVAILABLE),
        ("/user/orgs", [{"login": 1}], Reason.CONNECTOR_UNAVAILABLE),
        ("/user/orgs", ["acme"], Reason.CONNECTOR_UNAVAILABLE),
        ("/user/teams", [{"slug": "sre"}], Reason.CONNECTOR_UNAVAILABLE),
        ("/user/teams", [{"slug": "", "organization": {"login": "acme"}}], Reason.CONNECTOR_UNAVAILABLE),
        ("/user", {"id": "583231", "login": "octocat"}, Reason.CONNECTOR_UNAVAILABLE),
        ("/user", {"id": True, "login": "octocat"}, Reason.CONNECTOR_UNAVAILABLE),
        ("/user", {"login": "octocat"}, Reason.CONNECTOR_UNAVAILABLE),
        ("/user", {"id": 1, "login": "system:admin"}, Reason.IDENTITY_REFUSED),
    ],
)
async def test_what_is_not_clear_lets_nobody_in(
    at: tuple[GitHub, GithubConnector], path: str, answer: Any, reason: Reason
) -> None:
    at[0].answers[path] = answer
    with pytest.raises(AuthError) as caught:
        await at[1].complete({"code": "c"}, TRIP, 0.0)
    assert caught.value.reason is reason


async def test_somebody_with_more_teams_than_are_read_is_refused(at: tuple[GitHub, GithubConnector]) -> None:
    at[0].more.add("/user/teams")
    with pytest.raises(AuthError) as caught:
        await at[1].complete({"code": "c"}, TRIP, 0.0)
    assert caught.value.reason is Reason.IDENTITY_REFUSED


async def test_an_address_that_is_not_verified_is_none(at: tuple[GitHub, GithubConnector]) -> None:
    at[0].answers["/user/emails"][1]["verified"] = "true"
    assert (await at[1].complete({"code": "c"}, TRIP, 0.0)).identity.email is None


class TestReadingAgain:
    async def test_says_what_holds_today(self, at: tuple[GitHub, GithubConnector]) -> None:
        at[0].answers["/user/teams"] = []
        today = await at[1].refresh(person(at[1]), Secret(b"gho_1"), save, 0.0)
        assert today.groups == ("acme",)

    @pytest.mark.parametrize(("status", "ended"), [(401, True), (403, False), (404, False), (500, False), (429, False)])
    async def test_only_a_withdrawn_token_is_a_clear_no(
        self, at: tuple[GitHub, GithubConnector], status: int, ended: bool
    ) -> None:
        at[0].status = status
        with pytest.raises(AuthError) as caught:
            await at[1].refresh(person(at[1]), Secret(b"gho_1"), save, 0.0)
        assert isinstance(caught.value, InvalidGrantError) is ended

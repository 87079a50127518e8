from __future__ import annotations

import re
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest

from tests.proxy.web.conftest import Engineer, Installation


async def test_a_sign_in_goes_to_the_provider_and_back_to_the_command_line(at: Installation, ada: Engineer) -> None:
    answer = await ada.sign_in()
    assert answer == {
        "login": {
            "id": ada.login_id,
            "username": "ada@example.com",
            "groups": ["eng", "sre"],
            "connector": "corp",
            "email": "ada@example.com",
            "expires_in": 36_000,
        },
        "installation": "example",
        "kube": {"url": "https://kube.example.com:8443", "ca": "CA", "tls_server_name": None},
        "clusters": [{"name": "staging-eu", "labels": {"env": "staging"}}],
    }
    assert at.kinds() == ["user.login"]


async def test_the_login_is_recorded_before_it_exists(at: Installation, ada: Engineer) -> None:
    code = await ada.code()
    at.log_down = True
    response = await ada.redeem(code)
    assert (response.status, (await response.json())["error"]) == (503, "log_unavailable")
    assert await at.store.live_logins(at.now) == ()


async def test_the_state_comes_back_unchanged_and_the_code_is_short(ada: Engineer, at: Installation) -> None:
    back = await at.get(await ada.to_callback())
    parts = urlsplit(back.headers["Location"])
    query = parse_qs(parts.query)
    assert (parts.netloc, parts.path, query["state"]) == ("127.0.0.1:40000", "/callback", ["s" * 32])
    assert re.fullmatch(r"[a-z2-7]{26}", query["code"][0])


async def test_the_providers_refresh_token_is_stored_sealed(at: Installation, ada: Engineer) -> None:
    await ada.sign_in()
    login = (await at.store.live_logins(at.now))[0]
    token = next(iter(at.provider.refresh_tokens)).encode()
    assert login.refresh_token is not None
    assert token not in login.refresh_token
    assert at.deps.seal.open(login.refresh_token, login.id).reveal() == token


@pytest.mark.parametrize(
    "redirect",
    [
        "http://localhost:40000/callback",
        "http://127.0.0.1/callback",
        "http://127.0.0.1:0/callback",
        "http://127.0.0.1:65536/callback",
        "http://127.0.0.1:40000/other",
        "http://127.0.0.1:40000/callback/",
        "http://127.0.0.1:40000/callback?x=1",
        "http://127.0.0.1:40000/callback#x",
        "https://127.0.0.1:40000/callback",
        "http://127.0.0.1:40000@evil.example/callback",
        "http://user@127.0.0.1:40000/callback",
        "http://127.0.0.1.evil.example:40000/callback",
        "http://127.0.0.1:40000\\@evil.example/callback",
        "http://127.0.0.1:40000/callback\r\nSet-Cookie: a=b",
        "http://127.0.0.1:40000/callback\n",
        " http://127.0.0.1:40000/callback",
        "http://127.1:40000/callback",
        "http://2130706433:40000/callback",
        "http://[::1%25lo]:40000/callback",
        "http://127.0.0.1:\uff140000/callback",
        "//evil.example/callback",
        "/callback",
        "javascript:alert(1)",
        "",
    ],
)
async def test_nothing_but_this_machines_callback_is_a_way_back(ada: Engineer, at: Installation, redirect: str) -> None:
    response = await at.get(ada.link(redirect=redirect))
    assert response.status == 400
    assert "Location" not in response.headers


async def test_the_way_back_over_ipv6_is_accepted(ada: Engineer, at: Installation) -> None:
    assert (await at.get(ada.link(redirect="http://[::1]:40000/callback"))).status == 302


@pytest.mark.parametrize(
    "change",
    [
        {"code_challenge_method": "plain"},
        {"code_challenge": "short"},
        {"key": ""},
        {"state": "short"},
        {"connector": "nobody"},
        {"connector": "../x"},
    ],
)
async def test_a_link_that_is_not_whole_is_refused(ada: Engineer, at: Installation, change: dict[str, str]) -> None:
    assert (await at.get(ada.link(**change))).status == 400


async def test_a_parameter_that_stands_twice_is_refused(ada: Engineer, at: Installation) -> None:
    assert (await at.get(ada.link() + "&key=" + "a" * 43)).status == 400


async def test_an_answer_is_taken_once(ada: Engineer, at: Installation) -> None:
    address = await ada.to_callback()
    assert (await at.get(address)).status == 302
    assert (await at.get(address)).status == 400
    assert at.refusals == [("code_invalid", "127.0.0.1", "callback")]


async def test_an_answer_in_another_browser_is_refused_and_used_up(ada: Engineer, at: Installation) -> None:
    address = await ada.to_callback()
    async with aiohttp.ClientSession() as other:
        assert (await other.get(address, allow_redirects=False)).status == 400
    assert (await at.get(address)).status == 400


@pytest.mark.parametrize("change", ["state=x", "state=", ""])
async def test_an_answer_without_our_state_is_refused(at: Installation, ada: Engineer, change: str) -> None:
    await ada.to_callback()
    assert (await at.get(f"{at.deps.url}/callback/corp?code=abc&{change}")).status == 400


async def test_an_answer_after_ten_minutes_is_refused(ada: Engineer, at: Installation) -> None:
    address = await ada.to_callback()
    at.now += 601
    assert (await at.get(address)).status == 400


async def test_a_second_code_in_the_answer_is_refused(ada: Engineer, at: Installation) -> None:
    assert (await at.get(await ada.to_callback() + "&code=other")).status == 400


async def test_an_answer_that_names_another_issuer_is_refused_and_told(ada: Engineer, at: Installation) -> None:
    at.provider.extra_answer = {"iss": "https://evil.example"}
    back = await at.get(await ada.to_callback())
    query = parse_qs(urlsplit(back.headers["Location"]).query)
    assert (query["error"], query["state"]) == (["token_invalid"], ["s" * 32])
    assert at.kinds() == ["user.login.failed"]


async def test_an_issuer_that_announces_itself_must_stand_in_the_answer(ada: Engineer, at: Installation) -> None:
    at.provider.metadata = {"authorization_response_iss_parameter_supported": True}
    back = await at.get(await ada.to_callback())
    assert parse_qs(urlsplit(back.headers["Location"]).query)["error"] == ["token_invalid"]


async def test_a_no_at_the_provider_reaches_the_command_line(ada: Engineer, at: Installation) -> None:
    address = await ada.to_callback()
    state = parse_qs(urlsplit(address).query)["state"][0]
    back = await at.get(f"{at.deps.url}/callback/corp?error=access_denied&state={state}")
    assert parse_qs(urlsplit(back.headers["Location"]).query)["error"] == ["identity_refused"]


async def test_a_token_for_another_sign_in_is_refused(ada: Engineer, at: Installation) -> None:
    at.provider.claims["nonce"] = "theirs"
    address = await ada.to_callback()
    at.provider.codes[parse_qs(urlsplit(address).query)["code"][0]]["nonce"] = "theirs"
    back = await at.get(address)
    assert parse_qs(urlsplit(back.headers["Location"]).query)["error"] == ["token_invalid"]


async def test_an_unverified_address_is_no_user_name(ada: Engineer, at: Installation) -> None:
    at.provider.claims["email_verified"] = "true"
    back = await at.get(await ada.to_callback())
    query = parse_qs(urlsplit(back.headers["Location"]).query)
    assert query["error"] == ["identity_refused"]
    assert "verified" in query["error_description"][0]


async def test_a_provider_that_is_down_is_said_so_on_a_page(ada: Engineer, at: Installation) -> None:
    at.provider.down = True
    response = await at.get(ada.link())
    assert (response.status, response.content_type) == (502, "text/html")


async def test_the_cookie_is_for_this_site_and_no_script(ada: Engineer, at: Installation) -> None:
    response = await at.get(ada.link())
    (cookie,) = response.headers.getall("Set-Cookie")
    name, *attributes = cookie.split("; ")
    assert re.fullmatch(r"kwit-login=[A-Za-z0-9_-]{43}", name)
    assert sorted(attributes) == ["HttpOnly", "Max-Age=600", "Path=/", "SameSite=Lax"]


async def test_over_https_the_cookie_belongs_to_this_host_alone(at: Installation) -> None:
    secure = replace(at.deps, url="https://kwit.example.com")
    assert (secure.cookie, secure.secure, at.deps.secure) == ("__Host-kwit-login", True, False)


class TestCodes:
    async def test_a_code_is_redeemed_once(self, ada: Engineer, at: Installation) -> None:
        code = await ada.code()
        assert [(await ada.redeem(code)).status for _ in range(2)] == [201, 400]
        assert len(await at.store.live_logins(at.now)) == 1

    async def test_a_wrong_verifier_uses_it_up(self, ada: Engineer) -> None:
        code = await ada.code()
        assert [(await ada.redeem(code, **c)).status for c in ({"code_verifier": "x" * 43}, {})] == [400, 400]

    async def test_another_key_uses_it_up(self, ada: Engineer, at: Installation) -> None:
        code = await ada.code()
        thief = Engineer(at, verifier=ada.verifier)
        assert [(await thief.redeem(code)).status, (await ada.redeem(code)).status] == [400, 400]

    async def test_after_a_minute_it_is_worth_nothing(self, ada: Engineer, at: Installation) -> None:
        code = await ada.code()
        at.now += 61
        assert (await ada.redeem(code)).status == 400


class TestWithoutABrowserHere:
    async def confirm(self, at: Installation, page: str, **headers: str) -> aiohttp.ClientResponse:
        token = re.search(r'name="token" value="([^"]+)"', page)
        assert token is not None
        sent = {"Sec-Fetch-Site": "same-origin"} | headers
        sent = {name: value for name, value in sent.items() if value}
        return await at.browser.post(f"{at.deps.url}/confirm", data={"token": token[1]}, headers=sent)

    async def test_the_page_shows_who_and_which_key_and_then_the_code(self, ada: Engineer, at: Installation) -> None:
        page = await (await at.get(await ada.to_callback(redirect=None))).text()
        link = parse_qs(urlsplit(ada.link()).query)
        assert "ada@example.com" in page
        assert link["key"][0] in page
        code = re.search(r"<code>([a-z2-7]{26})</code>", await (await self.confirm(at, page)).text())
        assert code is not None
        assert (await ada.redeem(code[1])).status == 201

    async def test_a_yes_counts_once(self, ada: Engineer, at: Installation) -> None:
        page = await (await at.get(await ada.to_callback(redirect=None))).text()
        assert [(await self.confirm(at, page)).status for _ in range(2)] == [200, 400]

    @pytest.mark.parametrize(
        "headers",
        [
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
            {"Sec-Fetch-Site": "none"},
            {"Sec-Fetch-Site": "", "Origin": "https://evil.example"},
            {"Sec-Fetch-Site": "", "Origin": "null"},
            {"Sec-Fetch-Site": ""},
        ],
    )
    async def test_a_yes_from_elsewhere_is_refused(
        self, ada: Engineer, at: Installation, headers: dict[str, str]
    ) -> None:
        page = await (await at.get(await ada.to_callback(redirect=None))).text()
        assert (await self.confirm(at, page, **headers)).status == 403

    async def test_an_error_is_a_page(self, ada: Engineer, at: Installation) -> None:
        at.provider.token_error = (500, {"error": "server_error"})
        response = await at.get(await ada.to_callback(redirect=None))
        assert (response.status, response.content_type) == (502, "text/html")


class TestSeveralProviders:
    @pytest.fixture
    def connector_names(self) -> tuple[str, ...]:
        return ("corp", "other")

    async def test_the_person_chooses(self, ada: Engineer, at: Installation) -> None:
        page = await (await at.get(ada.link())).text()
        assert "The corp directory" in page
        assert "connector=other" in page

    async def test_an_answer_to_another_providers_address_is_refused(self, ada: Engineer, at: Installation) -> None:
        address = await ada.to_callback(connector="corp")
        assert (await at.get(address.replace("/callback/corp", "/callback/other"))).status == 400


class TestEveryAnswer:
    @pytest.mark.parametrize("path", ["/", "/login", "/nothing", "/api/v1/installation", "/api/v1/logins/current"])
    async def test_forbids_framing_sniffing_and_caching(self, at: Installation, path: str) -> None:
        headers = (await at.get(at.deps.url + path)).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cache-Control"] == "no-store"
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert "script" not in headers["Content-Security-Policy"]
        assert headers["Server"] == "kubewitness"

    @pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "localhost:{port}", "127.0.0.1:{port}.", ""])
    async def test_goes_to_our_own_host_only(self, at: Installation, host: str) -> None:
        port = urlsplit(at.deps.url).port
        response = await at.get(at.deps.url + "/", headers={"Host": host.format(port=port)})
        assert response.status == 400

    async def test_shows_markup_as_text(self, ada: Engineer, at: Installation) -> None:
        at.provider.claims |= {"groups": ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>']}
        page = await (await at.get(await ada.to_callback(redirect=None))).text()
        assert "<script" not in page
        assert "<img" not in page
        assert "&lt;script&gt;" in page

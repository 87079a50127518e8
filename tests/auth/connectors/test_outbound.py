from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from auth.connectors.outbound import MAX_ANSWER_BYTES, Outbound
from auth.errors import AuthError, Reason


class Site:
    """A server that answers as told, and remembers what it was sent."""

    def __init__(self) -> None:
        self.answer = web.Response
        self.kwargs: dict[str, object] = {"body": b"{}"}
        self.requests: list[web.Request] = []

    async def handle(self, request: web.Request) -> web.Response:
        await request.read()
        self.requests.append(request)
        return self.answer(**self.kwargs)  # type: ignore[arg-type]


@pytest.fixture
async def site() -> AsyncIterator[tuple[Site, str]]:
    site = Site()
    app = web.Application()
    app.router.add_route("*", "/{any:.*}", site.handle)
    server = TestServer(app)
    await server.start_server()
    yield site, f"http://127.0.0.1:{server.port}"
    await server.close()


@pytest.fixture
async def outbound() -> AsyncIterator[Outbound]:
    outbound = Outbound("corp")
    yield outbound
    await outbound.close()


async def test_an_answer_comes_back(site: tuple[Site, str], outbound: Outbound) -> None:
    site[0].kwargs = {"body": b"[1]", "status": 418}
    answer = await outbound.get(site[1] + "/x")
    assert (answer.status, answer.body) == (418, b"[1]")


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 302, "headers": {"Location": "/other"}},
        {"status": 307, "headers": {"Location": "http://169.254.169.254/"}},
        {"status": 304},
        {"body": b"x" * (MAX_ANSWER_BYTES + 1)},
        {"body": b"x", "headers": {"Content-Encoding": "gzip"}},
        {"body": b"x", "headers": {"Content-Encoding": "br"}},
    ],
)
async def test_redirects_floods_and_bombs_are_refused(
    site: tuple[Site, str], outbound: Outbound, answer: dict[str, object]
) -> None:
    site[0].kwargs = answer
    with pytest.raises(AuthError) as caught:
        await outbound.get(site[1] + "/x")
    assert caught.value.reason is Reason.CONNECTOR_UNAVAILABLE
    assert len(site[0].requests) == 1


async def test_no_cookie_goes_back(site: tuple[Site, str], outbound: Outbound) -> None:
    site[0].kwargs = {"body": b"{}", "headers": {"Set-Cookie": "a=b; Path=/"}}
    by_name = site[1].replace("127.0.0.1", "localhost")  # a jar would keep nothing for an address
    for _ in range(2):
        await outbound.get(by_name + "/x")
    assert ["Cookie" in request.headers for request in site[0].requests] == [False, False]


async def test_a_proxy_of_the_environment_is_not_used(
    site: tuple[Site, str], outbound: Outbound, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "")
    assert (await outbound.get(site[1] + "/x")).status == 200


@pytest.mark.parametrize(
    "url", ["http://idp.example.com/", "ftp://127.0.0.1/", "file:///etc/passwd", "//x", "http://127.0.0.1.example.com/"]
)
async def test_only_https_leaves_the_machine(outbound: Outbound, url: str) -> None:
    with pytest.raises(AuthError):
        await outbound.get(url)


async def test_nobody_there_is_silence(outbound: Outbound) -> None:
    with pytest.raises(AuthError) as caught:
        await outbound.get("http://127.0.0.1:9/")
    assert caught.value.reason is Reason.CONNECTOR_UNAVAILABLE


async def test_no_connection_is_used_twice_so_that_no_code_is_lost_on_a_dying_one(
    site: tuple[Site, str], outbound: Outbound
) -> None:
    for _ in range(2):
        await outbound.post_form(site[1] + "/token", "code=c", {})
    assert [request.headers.get("Connection") for request in site[0].requests] == ["close", "close"]

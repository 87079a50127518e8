"""The command line's own client against the real listener: one agreement, held from both sides."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509

from auth.lock_making import LockWish
from auth.rbac import Rule
from proxy.cli.client import key as keys
from proxy.cli.client import saved_login
from proxy.cli.client.api import Api
from proxy.cli.client.problem import NotSignedIn, Problem
from proxy.cli.client.sign_in import Person, sign_in
from proxy.cli.lock_place import Server
from tests.proxy.web.conftest import Installation, bound, developer


async def signed_in(at: Installation) -> saved_login.SavedLogin:
    """`kwit login`, with a browser that follows every redirect."""
    loop = asyncio.get_running_loop()

    async def browse(url: str) -> None:
        async with at.browser.get(url) as response:
            await response.read()

    def open_browser(url: str) -> bool:
        asyncio.run_coroutine_threadsafe(browse(url), loop)
        return True

    person = Person(say=lambda _: None, open_browser=open_browser)
    return await asyncio.to_thread(sign_in, at.deps.url, person, clock=lambda: at.now, wait_seconds=10)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KWIT_HOME", str(tmp_path / "home"))


def api(at: Installation, *, clock_error: float = 0.0) -> Api:
    login, pem = saved_login.load(at.deps.url)
    return Api(at.deps.url, lambda: at.now + clock_error, None, keys.from_pem(pem), login.id)


async def test_it_signs_in(at: Installation) -> None:
    login = await signed_in(at)
    assert (login.username, login.groups, [c.name for c in login.clusters]) == (
        "ada@example.com",
        ("eng", "sre"),
        ["staging-eu"],
    )
    assert at.kinds() == ["user.login"]


@pytest.mark.parametrize("clock_error", [0.0, -7200.0, 7200.0])
async def test_it_gets_a_certificate_whatever_its_clock_says(at: Installation, clock_error: float) -> None:
    await signed_in(at)
    client = api(at, clock_error=clock_error)
    assert client.key is not None
    body = {"cluster": "staging-eu", "csr": keys.request_pem(client.key)}
    answer = await asyncio.to_thread(client.call, "POST", "/api/v1/certificates", body)
    certificate = x509.load_pem_x509_certificate(answer["certificate"].encode())
    assert certificate.public_key() == client.key.public_key()


async def test_after_logout_it_knows_that_it_is_not_signed_in(at: Installation) -> None:
    await signed_in(at)
    client = api(at)
    assert await asyncio.to_thread(client.call, "DELETE", "/api/v1/logins/current") == {}
    with pytest.raises(NotSignedIn):
        await asyncio.to_thread(client.call, "GET", "/api/v1/logins/current")


async def test_a_refusal_reaches_the_terminal_as_one_sentence(at: Installation) -> None:
    at.provider.claims["email_verified"] = False
    with pytest.raises(Exception, match=r"not signed in: .*verified") as caught:
        await signed_in(at)
    assert "\n" not in str(caught.value)


async def test_it_locks_lists_shows_and_unlocks(at: Installation) -> None:
    await signed_in(at)
    may = Rule(("create", "list", "get", "delete"), ("kubewitness.dev",), ("locks",))
    at.policy = bound(replace(developer(allow=(may,)), cluster_names=("*",)))
    place = Server(api(at))

    def through() -> None:
        made, stops = place.add(LockWish("user", "mallory", "stolen", shows_reason=True), 60)
        assert (made["name"], made["reason"], made["shows_reason"], stops) == ("mallory", "stolen", True, 0)
        assert (place.locks(), place.show(made["id"])) == ([made], made)
        with pytest.raises(Problem, match="say that this is meant with --myself"):
            place.add(LockWish("user", "ada@example.com"), None)
        place.remove(made["id"])
        with pytest.raises(Problem, match="no lock of this id in force"):
            place.remove(made["id"])
        assert place.locks() == []

    await asyncio.to_thread(through)
    assert at.kinds()[1:] == ["lock.create", "lock.delete", "lock.delete"]

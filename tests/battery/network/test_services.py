"""Network faults between kwit and what it asks for itself: an identity provider, and a place that keeps checkpoints.

The outcome of each is in `outcomes.yaml`. `KWIT_NETWORK=1` for all faults, as in `test_links`.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import aiohttp
import pytest

from auth.connectors import RoundTrip, outbound
from auth.connectors.oidc import OidcConnector, OidcSettings
from auth.errors import AuthError
from auth.identity import Identity
from auth.mapping import compile_mapping
from auth.secret import Secret
from recordings.audit.anchors import outbound as anchor_outbound
from recordings.audit.anchors.anchor import AnchorError, Published
from recordings.audit.anchors.http_anchor import HttpAnchor
from tests.auth.connectors.provider import CLIENT_ID, CLIENT_SECRET, Provider
from tests.battery.network.fault import SILENT, Fault, Moment
from tests.battery.network.outcomes import FAULTS, TABLE, judged
from tests.battery.network.stepper import Stepper, asked_of
from tests.proxy.running import UPSTREAM_CA

OUTCOMES = TABLE["services"]
NOW = 1_800_000_000.0
TRIP = RoundTrip("st", "no", Secret(b"v" * 43), "https://kwit/callback/corp")
PATIENCE_SECONDS = 1.0
"""In place of fifteen and ten, where the other side says nothing."""
HANG_SECONDS = 20.0
"""Far beyond every time-out: what takes longer hangs."""
LINKS = {"discovery": "sign-in", "jwks": "sign-in", "token": "sign-in", "refresh": "refresh"}


class Behind(Provider):
    """Its discovery, keys and tokens are each asked for through a link of their own."""

    front = 0

    @property
    def issuer(self) -> str:
        return f"https://127.0.0.1:{self.front}"


@dataclass
class Trust:
    """An identity provider and the ways to it."""

    provider: Behind
    links: dict[str, Stepper]
    ca_file: Path

    def connector(self) -> OidcConnector:
        secret, mapping = Secret(CLIENT_SECRET.encode()), compile_mapping("claims.email", "claims.groups")
        names = ("corp", "Corp", self.provider.issuer, CLIENT_ID)
        return OidcConnector(OidcSettings(*names, secret, ("openid",), ("RS256",), mapping, self.ca_file))

    @property
    def ada(self) -> Identity:
        return Identity("corp", self.provider.issuer, "u-1", "ada@example.com", ("eng", "sre"), "ada@example.com")

    async def sign_in(self) -> str:
        connector = self.connector()
        try:
            address = (await connector.begin(TRIP, NOW)).replace("https", "http", 1)  # the browser's own way
            async with aiohttp.ClientSession() as browser, browser.get(address, allow_redirects=False) as response:
                params = dict(parse_qsl(urlsplit(response.headers["Location"]).query))
            signed_in = await connector.complete(params, TRIP, NOW)
        except AuthError as error:
            return error.reason.value
        finally:
            await connector.close()
        return "signed in" if signed_in.identity == self.ada else f"somebody else: {signed_in.identity}"

    async def refresh(self) -> str:
        connector, saved = self.connector(), list[Secret]()

        async def save(token: Secret) -> None:
            saved.append(token)

        self.provider.refresh_tokens.add("r")
        try:
            identity = await connector.refresh(self.ada, Secret(b"r"), save, NOW)
        except AuthError as error:
            return error.reason.value
        finally:
            await connector.close()
        return "refreshed" if identity == self.ada and saved else f"somebody else: {identity}"


@pytest.fixture
async def trust(tmp_path: Path) -> AsyncIterator[Trust]:
    provider = Behind(clock=lambda: NOW)
    await provider.start()
    (tmp_path / "ca.pem").write_text(UPSTREAM_CA.pem)

    async def ask(request: bytes) -> bytes:
        return await asked_of(provider.server.port, request)

    links = {name: await Stepper(ask).start(tmp_path / name) for name in ("discovery", "jwks", "token")}
    links["refresh"] = links["token"]
    provider.front = links["discovery"].port
    provider.metadata = {
        "authorization_endpoint": f"https://127.0.0.1:{provider.server.port}/authorize",
        "token_endpoint": f"https://127.0.0.1:{links['token'].port}/token",
        "jwks_uri": f"https://127.0.0.1:{links['jwks'].port}/jwks",
    }
    yield Trust(provider, links, tmp_path / "ca.pem")
    for name in ("discovery", "jwks", "token"):
        await links[name].stop()
    await provider.stop()


@dataclass
class Kept:
    """A place that keeps checkpoints."""

    link: Stepper
    notes: list[str]
    context: Callable[[], ssl.SSLContext]

    async def publish(self, note: str) -> str:
        """By a client of its own, so that every cell begins with a new connection."""
        anchor = HttpAnchor(f"https://127.0.0.1:{self.link.port}/", anchor_outbound.Outbound(self.context()))
        try:
            await anchor.publish(Published("o", 1, note))
        except AnchorError:
            return "to be tried again"
        finally:
            await anchor.close()
        return "taken" if note in self.notes else "said to be taken, and is not"


@pytest.fixture
async def kept(tmp_path: Path) -> AsyncIterator[Kept]:
    notes: list[str] = []

    async def keep(request: bytes) -> bytes:
        notes.append(request.partition(b"\r\n\r\n")[2].decode())
        return b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + b"x" * 100

    link = await Stepper(keep).start(tmp_path / "anchor")
    yield Kept(link, notes, lambda: ssl.create_default_context(cadata=UPSTREAM_CA.pem))
    await link.stop()


@pytest.mark.parametrize("name", LINKS)
async def test_a_provider_that_cannot_be_heard_admits_nobody_and_throws_nobody_out(
    trust: Trust, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes is the person that the provider speaks of, or that it cannot be used; no clear no, nobody else."""
    do = trust.sign_in if LINKS[name] == "sign-in" else trust.refresh
    came: dict[Fault, list[str]] = {}
    for fault in FAULTS:
        monkeypatch.setattr(outbound, "TOTAL_SECONDS", PATIENCE_SECONDS if fault in SILENT else HANG_SECONDS)
        words = [await asyncio.wait_for(trust.links[name].during(fault, moment, do), HANG_SECONDS) for moment in Moment]
        came[fault] = judged(words, OUTCOMES[name][fault])
    assert came == {fault: OUTCOMES[name][fault] for fault in FAULTS}
    assert await trust.sign_in() == "signed in"


async def test_an_anchor_that_did_not_say_that_it_has_a_checkpoint_gets_it_again(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    came: dict[Fault, list[str]] = {}
    for fault in FAULTS:
        monkeypatch.setattr(anchor_outbound, "TOTAL_SECONDS", PATIENCE_SECONDS if fault in SILENT else HANG_SECONDS)
        words = []
        for moment in Moment:
            note = f"{fault} {moment}"
            said = await asyncio.wait_for(
                kept.link.during(fault, moment, lambda note=note: kept.publish(note)), HANG_SECONDS
            )
            words.append(said)
            assert said == "taken" or await kept.publish(note) == "taken"
        came[fault] = judged(words, OUTCOMES["anchor"][fault])
    assert came == {fault: OUTCOMES["anchor"][fault] for fault in FAULTS}


def test_the_table_has_every_cell_and_no_other() -> None:
    shape = {link: {fault: len(Moment) for fault in Fault} for link in (*LINKS, "anchor")}
    assert shape == {link: {fault: len(words) for fault, words in faults.items()} for link, faults in OUTCOMES.items()}

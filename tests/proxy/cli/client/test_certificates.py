"""Claims about handing out certificates: one renewal, one login, the same answer until four fifths are over."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from proxy.cli.client import cached, key, saved_login
from proxy.cli.client.certificates import Certificates, stored_form
from proxy.cli.client.problem import NotSignedIn, Problem, Unreachable
from proxy.cli.client.saved_login import SavedLogin, forget
from proxy.cli.client.sign_in import Person, sign_in


class Clock:
    def __init__(self) -> None:
        self.now = float(int(time.time()))

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def source(web, clock: Callable[[], float], enter: Callable[[], SavedLogin] | None = None, warn=lambda _: None):
    return Certificates(web.url, clock, enter, warn)


def requests(web) -> int:
    return web.calls.count("POST /api/v1/certificates")


def together(count: int, ask: Callable[[], str]) -> list[str]:
    """The answers, or the sentences, of so many callers at once."""
    barrier, results = threading.Barrier(count), []

    def run() -> None:
        barrier.wait()
        try:
            results.append(ask())
        except Problem as error:
            results.append(str(error))

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_forty_calls_at_once_renew_once(web, login: SavedLogin, clock: Clock) -> None:
    answers = together(40, lambda: source(web, clock).answer("prod"))
    assert (len(answers), len(set(answers)), requests(web)) == (40, 1, 1)


def test_forty_calls_without_a_login_open_one_browser_tab(web, person: Person) -> None:
    tabs: list[str] = []

    def browse(url: str) -> bool:
        tabs.append(url)
        return web.browse(url)

    def enter() -> SavedLogin:
        return sign_in(web.url, Person(person.say, browse), clock=time.time)

    answers = together(40, lambda: source(web, time.time, enter).answer("prod"))
    assert (len(tabs), len(set(answers)), requests(web)) == (1, 1, 1)


def test_of_those_who_waited_for_a_failed_login_none_tries_again(web, clock: Clock) -> None:
    tried: list[int] = []

    def enter() -> SavedLogin:
        tried.append(1)
        raise Problem("nobody came")

    assert together(8, lambda: source(web, clock, enter).answer("prod")) == ["nobody came"] * 8
    assert tried == [1]
    clock.now += 1
    with pytest.raises(Problem, match="nobody came"):
        source(web, clock, enter).answer("prod")
    assert tried == [1, 1]


@pytest.mark.parametrize(("share", "expected"), [(0.0, 1), (0.79, 1), (0.81, 2)])
def test_the_same_certificate_is_given_until_four_fifths_of_its_life(
    web, login: SavedLogin, clock: Clock, share: float, expected: int
) -> None:
    first = source(web, clock).answer("prod")
    clock.now += share * web.lifetime
    web.clock_ahead = share * web.lifetime
    assert (source(web, clock).answer("prod") == first) == (expected == 1)
    assert requests(web) == expected


def test_a_key_that_an_earlier_version_wrote_as_pkcs8_is_handed_out_as_sec1(
    web, login: SavedLogin, clock: Clock
) -> None:
    _, text = saved_login.load(web.url)
    private = key.from_pem(text)
    old = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    saved_login.save(login, old)
    assert json.loads(source(web, clock).answer("prod"))["status"]["clientKeyData"] == key.to_pem(private)


def test_a_clock_set_back_asks_anew(web, login: SavedLogin, clock: Clock) -> None:
    source(web, clock).answer("prod")
    clock.now -= cached.CLOCK_BACK_SECONDS + 1
    source(web, clock).answer("prod")
    assert requests(web) == 2


@pytest.mark.parametrize("ahead", [-7200.0, 7200.0])
def test_clocks_that_differ_by_hours_do_no_harm(web, login: SavedLogin, ahead: float) -> None:
    web.clock_ahead = ahead
    status = json.loads(source(web, time.time).answer("prod"))["status"]
    by_our_clock = time.strftime("%Y-%m-%dT%H:%M", time.gmtime(time.time() + web.lifetime - 60))
    assert abs(int(status["expirationTimestamp"][14:16]) - int(by_our_clock[14:16])) in (0, 1, 59)
    forget_certificate(web)
    before = len(web.calls)
    source(web, time.time).answer("prod")
    assert len(web.calls) == before + 1  # the offset is remembered


def forget_certificate(web) -> None:
    Path(cached.certificate_path(web.url, "prod")).unlink()


def test_a_server_that_is_down_leaves_the_certificate_in_use_until_its_end(
    web, login: SavedLogin, clock: Clock
) -> None:
    said: list[str] = []
    first = source(web, clock).answer("prod")
    web.refusal = (503, {"error": "state_stale", "message": "wait a minute"})
    clock.now += 0.9 * web.lifetime
    assert source(web, clock, None, said.append).answer("prod") == first
    assert said == ["the certificate could not be renewed: wait a minute"]
    clock.now += 0.1 * web.lifetime
    with pytest.raises(Unreachable):
        source(web, clock).answer("prod")


def test_a_refusal_never_falls_back_to_the_old_certificate(web, login: SavedLogin, clock: Clock) -> None:
    source(web, clock).answer("prod")
    clock.now += 0.9 * web.lifetime
    web.refusal = (403, {"error": "locked", "message": "you are locked out"})
    with pytest.raises(Problem, match="locked out"):
        source(web, clock).answer("prod")


def test_an_ended_login_takes_the_certificates_with_it(web, login: SavedLogin, clock: Clock) -> None:
    source(web, clock).answer("prod")
    web.ended = True
    with pytest.raises(NotSignedIn):
        source(web, clock).answer("dev")
    assert not Path(cached.certificate_path(web.url, "prod")).exists()


def test_a_login_past_its_end_is_not_asked_for_certificates(web, login: SavedLogin, clock: Clock) -> None:
    clock.now += 36001
    with pytest.raises(NotSignedIn, match="your login has ended"):
        source(web, clock).answer("prod")
    assert requests(web) == 0


@pytest.mark.parametrize("name", ["../login", "", "a/b", "$(id)"])
def test_a_name_that_is_no_name_goes_nowhere(web, login: SavedLogin, clock: Clock, name: str) -> None:
    before = list(web.calls)
    with pytest.raises(Problem, match="not the name of a cluster"):
        source(web, clock).answer(name)
    assert web.calls == before


@pytest.mark.parametrize(
    ("pem", "lifetime"), [(None, None), ("x", None), (1, 1), ("x", 0), ("x", "1"), ("x", float("nan"))]
)
def test_an_answer_of_another_form_is_refused(pem: object, lifetime: object) -> None:
    with pytest.raises(Problem, match="unknown form"):
        stored_form({"certificate": pem, "lifetime_seconds": lifetime}, "KEY", 0.0)


@pytest.mark.parametrize(("lifetime", "expires"), [(3600, 3540.0), (100, 90.0)])
def test_kubectl_is_told_an_earlier_end(lifetime: int, expires: float) -> None:
    stored = json.loads(stored_form({"certificate": "C", "lifetime_seconds": lifetime}, "K", 0.0))
    assert (stored["written"], stored["renew"], stored["expires"]) == (0.0, lifetime * 0.8, expires)
    assert json.loads(stored["answer"])["status"]["expirationTimestamp"].startswith("1970-01-01T00:")


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"answer": 1}', '{"answer":"x","written":"0","renew":1,"expires":1}']
)
def test_a_damaged_cache_is_as_good_as_none(web, login: SavedLogin, clock: Clock, text: str) -> None:
    path = Path(cached.certificate_path(web.url, "prod"))
    path.parent.mkdir()
    path.write_text(text)
    assert json.loads(source(web, clock).answer("prod"))["kind"] == "ExecCredential"


def test_a_removed_login_is_not_signed_in(web, login: SavedLogin, clock: Clock) -> None:
    forget(web.url)
    with pytest.raises(NotSignedIn, match="run `kwit login"):
        source(web, clock).answer("prod")

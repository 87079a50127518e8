"""Claims about `kwit lock`, on the state of a host; tests/proxy/web/test_command_line.py has the server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from auth.identity import Login
from auth.state.sqlite import SqliteStore
from auth.state.store import LockEvent
from proxy.cli import lock as lock_command
from proxy.cli import lock_place, main
from proxy.config import Config
from tests.conformance.store import login
from tests.proxy.running import configuration

T = TypeVar("T")
Out = Callable[[], tuple[str, str]]
NOW = 1_800_000_000.0
ADA = login(expires_at=NOW + 3600)


@pytest.fixture
def out(capsys: pytest.CaptureFixture[str]) -> Out:
    return lambda: tuple(capsys.readouterr())  # type: ignore[return-value]


@pytest.fixture
def kwit_yaml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = configuration(tmp_path, "https://id.example.com", 1)
    monkeypatch.setattr(lock_place, "clock", lambda: NOW)
    monkeypatch.setattr(lock_command, "clock", lambda: NOW + 60)
    bob = login("b", identity=login("b").identity, expires_at=NOW + 3600)
    state(path, lambda store: _add(store, ADA, bob))
    return path


async def _add(store: SqliteStore, *logins: Login) -> None:
    for one in logins:
        await store.add_login(one)


def state(path: Path, do: Callable[[SqliteStore], Awaitable[T]]) -> T:
    async def run() -> T:
        store = SqliteStore(Config.load(path).state_path)
        await store.open()
        try:
            return await do(store)
        finally:
            await store.close()

    return asyncio.run(run())


def lock_id(path: Path) -> str:
    (lock,) = state(path, lambda store: store.locks(NOW))
    return lock.id


def test_what_the_host_locks_holds_and_waits_for_its_record(kwit_yaml: Path, out: Out) -> None:
    words = ["--login", ADA.id, "--for", "2h", "--reason", "stolen laptop", "--show-reason"]
    assert main(["lock", "add", "-c", str(kwit_yaml), *words]) == 0
    (lock,) = state(kwit_yaml, lambda store: store.locks(NOW))
    assert (str(lock.target), lock.expires_at, lock.reason, lock.shows_reason) == (
        f"login:{ADA.id}",
        NOW + 7200,
        "stolen laptop",
        True,
    )
    assert lock.created_by.endswith(" on the host")
    assert out() == (
        f"Locked login {ADA.id} until 2027-01-15T10:00:00Z: {lock.id}\n",
        "It stops 1 login now.\n",
    )
    (waiting,) = state(kwit_yaml, lambda store: store.unrecorded_locks(NOW))
    assert (waiting.event, waiting.lock) == (LockEvent.CREATED, lock)
    assert main(["lock", "rm", "-c", str(kwit_yaml), lock.id]) == 0
    assert out() == ("", f"removed {lock.id}\n")
    assert state(kwit_yaml, lambda store: store.locks(NOW)) == ()
    assert [one.event for one in state(kwit_yaml, lambda store: store.unrecorded_locks(NOW))] == ["created", "removed"]


def test_a_listing_is_a_table_and_a_lock_is_shown_whole(kwit_yaml: Path, out: Out) -> None:
    assert main(["lock", "ls", "-c", str(kwit_yaml)]) == 0
    assert out() == ("", "Nobody is locked.\n")
    assert (
        main(["lock", "add", "-c", str(kwit_yaml), "--user", "eve", "--reason", "left", "--until", "2027-01-16"]) == 0
    )
    lock, by = lock_id(kwit_yaml), lock_place._account()
    assert out()[1] == (
        "Nobody who is signed in is of this user. Is that the name as `kwit audit search -o wide` shows it?\n"
    )
    assert main(["lock", "ls", "-c", str(kwit_yaml)]) == 0
    head, line = out()[0].splitlines()
    assert head.split("  ")[0] == "ID"
    assert [one.strip() for one in line.split("   ")] == [lock, "user eve", "60s", "15h59m", by, "left"]
    assert main(["lock", "show", "-c", str(kwit_yaml), lock]) == 0
    assert out()[0] == (
        f"id:      {lock}\nstops:   user eve\nmade:    2027-01-15T08:00:00Z by {by}\n"
        "until:   2027-01-16T00:00:00Z\nreason:  left\n"
    )
    both: tuple[list[str], ...] = (["ls"], ["show", lock])
    for words in both:
        assert main(["lock", *words, "-c", str(kwit_yaml), "-o", "name"]) == 0
    assert out()[0] == f"{lock}\n" * 2
    assert main(["lock", "ls", "-c", str(kwit_yaml), "-o", "json"]) == 0
    listed = json.loads(out()[0])
    assert main(["lock", "show", lock, "-c", str(kwit_yaml), "-o", "json"]) == 0
    assert listed == [json.loads(out()[0])]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "lock whom? Give one of --user, --group, --login, --cluster"),
        (["--user", "a", "--group", "b"], "lock whom?"),
        (["--user", "a", "--for", "2h", "--until", "2027-02-01"], "give --for or --until, not both"),
        (["--user", "a", "--for", "soon"], "expected --for a time like 30m, 2h or 7d; got 'soon'"),
        (["--user", "a", "--for", "2027-02-01"], "expected --for"),
        (["--user", "a", "--for", "0s"], "expected --for"),
        (["--user", "a", "--until", "2h"], "--until 2h is over already"),
        (["--user", "a", "--until", "later"], "expected a time like"),
        (["--user", ""], "a name has 1 to 253"),
        (["--user", "a", "--server", "https://x"], "give --server, or --config on the host, not both"),
        (["--cluster", "staging"], "this would stop everybody on this cluster; say that this is meant with --everyone"),
        (["--cluster", "stagign", "--everyone"], "there is no cluster 'stagign' here"),
        (["--login", "z" * 26], "there is no living login of this id"),
        (["--group", "eng"], "this would stop everybody who is signed in"),
    ],
)
def test_what_is_not_meant_is_a_sentence_and_locks_nobody(
    kwit_yaml: Path, out: Out, words: list[str], sentence: str
) -> None:
    assert main(["lock", "add", "-c", str(kwit_yaml), *words]) in (1, 2)
    assert out()[1].startswith(f"kwit: {sentence}")
    assert state(kwit_yaml, lambda store: store.locks(NOW)) == ()


def test_a_cluster_that_is_meant_is_locked(kwit_yaml: Path, out: Out) -> None:
    assert main(["lock", "add", "-c", str(kwit_yaml), "--cluster", "staging", "--everyone"]) == 0
    assert out()[1] == "It stops 2 logins now.\n"


def test_a_lock_that_is_not_there_is_not_removed(kwit_yaml: Path, out: Out) -> None:
    assert main(["lock", "rm", "-c", str(kwit_yaml), "z" * 26]) == 1
    assert out()[1] == f"kwit: there is no lock '{'z' * 26}' in force; `kwit lock ls` lists them\n"


def test_a_host_without_a_state_says_so(tmp_path: Path, out: Out) -> None:
    path = configuration(tmp_path, "https://id.example.com", 1)
    assert main(["lock", "ls", "-c", str(path)]) == 1
    assert "it is made when `kwit serve` first runs" in out()[1]
    assert main(["lock", "ls", "-c", str(tmp_path / "none.yaml")]) == 1

"""Where `kwit lock` has locks from: the server with one's login, or on the host the state that the server reads.

On the host there is no role to ask: whoever may write the state may do more than lock. What is done there holds within
a second, and the server records it, or does once it runs.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import click

from auth.lock_making import LockError, LockWish, aimless, stopped, too_far
from proxy.base32_id import base32_id
from proxy.cli.client.problem import Problem
from proxy.cli.client.terminal import clock, signed_in
from proxy.lock_fields import lock_fields

if TYPE_CHECKING:
    from auth.locks import Lock
    from auth.state.sqlite import SqliteStore

_ID = re.compile(r"[a-z2-7]{26}")
_PATH = "/api/v1/locks"
_F = TypeVar("_F", bound=Callable[..., Any])
_T = TypeVar("_T")

Fields = dict[str, Any]
"""A lock as `proxy.lock_fields` writes it."""


class ServerApi(Protocol):
    """The web listener's API, as `proxy.cli.client.api` speaks to it."""

    def call(self, method: str, path: str, body: Mapping[str, object] | None = None) -> dict[str, Any]: ...


class Place(Protocol):
    """All raise Problem."""

    def add(self, wish: LockWish, seconds: int | None) -> tuple[Fields, int]:
        """(the lock, how many living logins it stops). `seconds`: it ends so long from now, by the clock there."""

    def locks(self) -> list[Fields]: ...

    def show(self, lock_id: str) -> Fields: ...

    def remove(self, lock_id: str) -> None: ...


def place_options(function: _F) -> _F:
    """`--server` and `-c`, of which one at most is needed."""
    server = click.option("--server", help="Of which server  [default: the last one]")
    config = click.option(
        "-c",
        "--config",
        type=click.Path(path_type=Path),
        help="On the host, without a server or a role: the kwit.yaml whose state is changed.",
    )
    return server(config(function))


def place(server: str | None, config: Path | None) -> Place:
    """Raises Problem."""
    if config is None:
        return Server(signed_in(server)[1])
    if server is not None:
        raise Problem("give --server, or --config on the host, not both", exit_code=2)
    from proxy.clusters import ClusterRegistry
    from proxy.config import Config, ConfigError

    try:
        found = Config.load(config)
    except ConfigError as error:
        raise Problem(str(error)) from error
    path = found.state_path
    if not path.exists():
        raise Problem(f"there is no state in {path} yet; it is made when `kwit serve` first runs")
    return Host(path, lambda: ClusterRegistry.load(found.clusters_dir).by_name, clock, os.urandom)


@dataclass(frozen=True, slots=True)
class Server:
    """The caller's roles decide there, and the server records each call."""

    api: ServerApi

    def add(self, wish: LockWish, seconds: int | None) -> tuple[Fields, int]:
        asked = asdict(wish)
        body = asked | {"until": asked.pop("ends"), "seconds": seconds}
        answer = self.api.call("POST", _PATH, body)
        return _lock(answer.get("lock")), int(answer.get("stops") or 0)

    def locks(self) -> list[Fields]:
        found = self.api.call("GET", _PATH).get("locks")
        if not isinstance(found, list):
            raise Problem("the server answered something else than locks; update kubewitness")
        return [_lock(one) for one in found]

    def show(self, lock_id: str) -> Fields:
        return _lock(self.api.call("GET", _path(lock_id)).get("lock"))

    def remove(self, lock_id: str) -> None:
        self.api.call("DELETE", _path(lock_id))


def _lock(found: object) -> Fields:
    """Raises Problem."""
    if isinstance(found, dict) and {"id", "kind", "name", "created"} <= found.keys():
        return found
    raise Problem("the server answered something else than a lock; update kubewitness")


def _path(lock_id: str) -> str:
    if not _ID.fullmatch(lock_id):
        raise Problem(f"{lock_id[:64]!r} is no lock's id; `kwit lock ls` lists them", exit_code=2)
    return f"{_PATH}/{lock_id}"


@dataclass(frozen=True, slots=True)
class Host:
    """The state's own file; `clusters` are the names of those that are served, `random` gives so many bytes."""

    path: Path
    clusters: Callable[[], Collection[str]]
    now: Callable[[], float]
    random: Callable[[int], bytes]

    def add(self, wish: LockWish, seconds: int | None) -> tuple[Fields, int]:
        return self._with(lambda store: self._add(store, wish, seconds))

    async def _add(self, store: SqliteStore, wish: LockWish, seconds: int | None) -> tuple[Fields, int]:
        now = self.now()
        ends = wish.ends if seconds is None else now + seconds
        asked = LockWish(**asdict(wish) | {"ends": ends})
        try:
            persons = await store.persons_named(asked.target().name)
            lock = asked.lock(base32_id(self.random), now, _account(), persons)
        except LockError as error:
            raise Problem(str(error), exit_code=2) from error
        living = await store.live_logins(now)
        why = aimless(lock, living, self.clusters()) or too_far(asked, lock, living, None)
        if why:
            raise Problem(why)
        await store.add_lock(lock, recorded=False)
        return lock_fields(lock), stopped(lock, living)

    def locks(self) -> list[Fields]:
        return [lock_fields(lock) for lock in self._with(lambda store: store.locks(self.now()))]

    def show(self, lock_id: str) -> Fields:
        return lock_fields(self._with(lambda store: self._found(store, lock_id)))

    async def _found(self, store: SqliteStore, lock_id: str) -> Lock:
        for lock in await store.locks(self.now()):
            if lock.id == lock_id:
                return lock
        raise Problem(f"there is no lock {lock_id[:64]!r} in force; `kwit lock ls` lists them")

    def remove(self, lock_id: str) -> None:
        async def remove(store: SqliteStore) -> None:
            lock = await self._found(store, lock_id)
            await store.withdraw_lock(lock.id, self.now(), _account())

        self._with(remove)

    def _with(self, do: Callable[[SqliteStore], Awaitable[_T]]) -> _T:
        """Raises Problem where the state cannot be used."""
        from auth.state.sqlite import SqliteStore
        from auth.state.store import StoreError

        async def run() -> _T:
            store = SqliteStore(self.path)
            try:
                await store.open()
                return await do(store)
            finally:
                await store.close()

        try:
            return asyncio.run(run())
        except StoreError as error:
            raise Problem(f"{error}; run this as the user that runs kwit") from error


def _account() -> str:
    """Who works on the host, as the kernel says it: the environment can say anything."""
    import pwd

    number = os.getuid()
    try:
        name = pwd.getpwuid(number).pw_name
    except KeyError:
        name = f"uid {number}"
    return f"{name} on the host"

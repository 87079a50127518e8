"""Locks: who is stopped now, whatever roles say. Who may lock is a role's to say; where locks are kept is the state's.

A lock names one thing: a person by username, a group, one login, or a cluster. Names are compared exactly, as roles do.
A group is one of any connector, since too many stopped is a nuisance and too few is a breach. A person who is known
when the lock is made is held by issuer and subject as well, so that another name of the same person is no way out. A
lock of a cluster stops everybody there and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from auth.identity import Login


class LockKind(StrEnum):
    """What a lock can name; stored, so never renamed."""

    USER = "user"
    GROUP = "group"
    LOGIN = "login"
    CLUSTER = "cluster"


@dataclass(frozen=True, slots=True)
class LockTarget:
    """`user ada@example.com`, written `user:ada@example.com` where it is stored and recorded."""

    kind: LockKind
    name: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"

    @classmethod
    def parse(cls, text: str) -> LockTarget:
        """What `str` gave. Raises ValueError."""
        kind, _, name = text.partition(":")
        return cls(LockKind(kind), name)


@dataclass(frozen=True, slots=True)
class Lock:
    """Times are seconds since the epoch; without `expires_at` it holds until it is removed.

    `persons`: issuer and subject of whoever was known by the name of a `user` lock when it was made. `shows_reason`:
    whoever is stopped may read the reason.
    """

    id: str
    target: LockTarget
    reason: str
    created_at: float
    created_by: str
    expires_at: float | None = None
    shows_reason: bool = False
    persons: tuple[tuple[str, str], ...] = ()

    def stops(self, login: Login, cluster: str) -> bool:
        """Whether it stops this login on a cluster; `cluster` is empty for what is done on none."""
        kind, name, identity = self.target.kind, self.target.name, login.identity
        if kind is LockKind.USER:
            return identity.username == name or identity.key in self.persons
        if kind is LockKind.GROUP:
            return name in identity.groups
        return name == (login.id if kind is LockKind.LOGIN else cluster)

    @property
    def rank(self) -> tuple[float, str]:
        """Of several that stop the same, the one that lasts longest is told."""
        return (float("inf") if self.expires_at is None else self.expires_at, self.id)


class Locks:
    """Those in force, looked up by what a request brings: with none it costs one comparison."""

    def __init__(self, locks: Iterable[Lock] = ()) -> None:
        self._locks = tuple(sorted(locks, key=lambda lock: lock.rank))
        by_name: dict[LockKind, dict[str, Lock]] = {kind: {} for kind in LockKind}
        self._persons: dict[tuple[str, str], Lock] = {}
        for lock in self._locks:  # the longest comes last, and stays
            by_name[lock.target.kind][lock.target.name] = lock
            self._persons.update(dict.fromkeys(lock.persons, lock))
        self._users, self._groups = by_name[LockKind.USER], by_name[LockKind.GROUP]
        self._logins, self._clusters = by_name[LockKind.LOGIN], by_name[LockKind.CLUSTER]
        self.next_end = min((lock.expires_at for lock in self if lock.expires_at is not None), default=float("inf"))

    def __iter__(self) -> Iterator[Lock]:
        return iter(self._locks)

    def __len__(self) -> int:
        return len(self._locks)

    def on(self, login: Login, cluster: str = "") -> Lock | None:
        """The lock that stops this login there; the same as asking each of them (`Lock.stops`)."""
        if not self._locks:
            return None
        identity = login.identity
        found = [
            self._users.get(identity.username),
            self._persons.get(identity.key),
            self._logins.get(login.id),
            self._clusters.get(cluster),
        ]
        if self._groups:
            found += map(self._groups.get, identity.groups)
        return max((lock for lock in found if lock is not None), key=lambda lock: lock.rank, default=None)


def told(lock: Lock) -> str:
    """What whoever is stopped reads: what is locked, by which lock, until when, and why if that may be shown."""
    target = lock.target
    what = f"cluster {target.name!r} is locked" if target.kind is LockKind.CLUSTER else "you are locked out"
    until = (
        "" if lock.expires_at is None else f" until {datetime.fromtimestamp(lock.expires_at, UTC):%Y-%m-%dT%H:%M:%SZ}"
    )
    why = f": {lock.reason}" if lock.shows_reason and lock.reason else ""
    return f"{what} by lock {lock.id}{until}{why}"

"""A lock as somebody asks for it → a `Lock`, or the sentence that says why it is none; and whom it would stop.

What would stop whoever asks, or everybody, is easily asked for by accident and hard to take back: `too_far` says so,
and a caller must not go on unless the person has said that this is meant.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from auth.identity import Login
from auth.locks import Lock, LockKind, LockTarget

MAX_NAME = 253
"""Characters; longer ones are no name that Kubernetes would take."""
MAX_REASON = 256
"""Characters; it stands in a Status that kubectl shows in one line."""
MAX_SECONDS = 10 * 365 * 86_400.0
LOGIN_ID = re.compile(r"[a-z2-7]{26}")


class LockError(ValueError):
    """What was asked for is no lock; the message is a sentence for the person."""


@dataclass(frozen=True, slots=True)
class LockWish:
    """`ends`: seconds since the epoch. `myself`, `everyone`: stopping these is meant."""

    kind: str
    name: str
    reason: str = ""
    ends: float | None = None
    shows_reason: bool = False
    myself: bool = False
    everyone: bool = False

    def target(self) -> LockTarget:
        """Raises LockError."""
        if self.kind not in list(LockKind):
            raise LockError(f"a lock is of a {', a '.join(LockKind)}; not of {self.kind[:64]!r}")
        name = self.name
        if not name or len(name) > MAX_NAME or not name.isprintable() or name.strip() != name:
            raise LockError(f"a name has 1 to {MAX_NAME} printable characters, and no blanks around it")
        if self.kind == LockKind.LOGIN and not LOGIN_ID.fullmatch(name):
            raise LockError("a login's id has 26 lower-case letters and digits; `kwit audit search -o json` shows ids")
        return LockTarget(LockKind(self.kind), name)

    def lock(self, lock_id: str, now: float, by: str, persons: tuple[tuple[str, str], ...]) -> Lock:
        """`persons`: who is known by the name; only a lock of a user holds them. Raises LockError."""
        target = self.target()
        if len(self.reason) > MAX_REASON or not self.reason.isprintable():
            raise LockError(f"a reason is one line of at most {MAX_REASON} printable characters")
        if self.ends is not None and not now < self.ends <= now + MAX_SECONDS:  # NaN is neither
            raise LockError("a lock ends in the future, within ten years, or not at all")
        known = persons if target.kind is LockKind.USER else ()
        return Lock(lock_id, target, self.reason, now, by, self.ends, self.shows_reason, known)


def stopped(lock: Lock, living: Sequence[Login]) -> int:
    """How many of these logins it stops; of a cluster's, all."""
    return sum(lock.stops(login, _place(lock)) for login in living)


def aimless(lock: Lock, living: Sequence[Login], clusters: Collection[str]) -> str:
    """Why the lock can stop nobody, now or later, as a sentence; empty where it can."""
    kind, name = lock.target.kind, lock.target.name
    if kind is LockKind.CLUSTER and name not in clusters:
        return f"there is no cluster {name!r} here; `kwit clusters` lists yours"
    if kind is LockKind.LOGIN and all(login.id != name for login in living):
        return "there is no living login of this id; a lock of the user stops new ones too"
    return ""


def too_far(wish: LockWish, lock: Lock, living: Sequence[Login], caller: Login | None) -> str:
    """Whom the lock would stop though nobody said that this is meant, as a sentence; empty for nobody."""
    if wish.everyone:
        return ""
    if lock.target.kind is LockKind.CLUSTER:
        return _unsaid("everybody on this cluster", "everyone")
    if len({login.identity.key for login in living}) > 1 and stopped(lock, living) == len(living):
        return _unsaid("everybody who is signed in", "everyone")
    if not wish.myself and caller is not None and lock.stops(caller, ""):
        return _unsaid("yourself, and you could not remove it", "myself")
    return ""


def _unsaid(whom: str, flag: str) -> str:
    return f"this would stop {whom}; say that this is meant with --{flag}"


def _place(lock: Lock) -> str:
    return lock.target.name if lock.target.kind is LockKind.CLUSTER else ""

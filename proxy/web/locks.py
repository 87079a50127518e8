"""The JSON API of locks: made, listed, removed by whoever a role lets, each change recorded before it holds.

1. The caller is a living login (`auth.proof`), asked at each call.
2. A role must allow `create`, `list`, `get` or `delete` of `locks.kubewitness.dev`: on the cluster that a lock stops,
   or on every cluster, since a lock of a person holds on all of them. Nobody may without a role that names it.
3. What stops the caller, or everybody who is signed in, is made only where the call says that this is meant.
4. The record is durable before the lock is stored; this process's workers read it before the answer.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from auth.errors import AuthError, Reason
from auth.identity import Login
from auth.lock_making import MAX_NAME, MAX_REASON, LockError, LockWish, aimless, stopped, too_far
from auth.locks import Lock, LockKind, LockTarget
from auth.rbac import Decision
from auth.rbac.matching import OWN_GROUP
from proxy.base32_id import base32_id
from proxy.filters.authorization import verdict_on
from proxy.lock_fields import lock_fields
from proxy.web.deps import WebDeps
from proxy.web.lock_records import created_body, lock_body, place, record_locks
from proxy.web.question import Question
from proxy.web.requests import flag, read_json, source_of, text
from recordings.audit.event import actor
from recordings.audit.record import Outcome, RecordType

MAX_LOCKS = 1_000
"""In force at once: a worker stands still for 5 ms while it takes over so many. Companies are stopped by groups."""
MAX_DETAIL = 256
RESOURCE = "locks"
_ID = re.compile(r"[a-z2-7]{26}")
_NOT_THERE = "there is no lock of this id in force"

Caller = Callable[[web.Request, float], Awaitable[Login]]


@dataclass(frozen=True, slots=True)
class LocksApi:
    """`caller` gives the living login behind a request, or raises AuthError."""

    deps: WebDeps
    caller: Caller

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/api/v1/locks", self.create),
            web.get("/api/v1/locks", self.listing, allow_head=False),
            web.get("/api/v1/locks/{id}", self.show, allow_head=False),
            web.delete("/api/v1/locks/{id}", self.remove),
        ]

    async def create(self, request: web.Request) -> web.Response:
        """`{lock, stops}`: the lock, and how many living logins it stops."""
        now = self.deps.clock()
        login = await self.caller(request, now)
        wish = _wish(await read_json(request), now)
        lock = await self._asked(wish, login, now)
        if not self._allows(login, "create", lock.target):
            await self._refuse(RecordType.LOCK_CREATE, login, request, created_body(lock), "create")
        stops = await self._meant(wish, lock, login, now)
        if len(await self.deps.store.locks(now)) >= MAX_LOCKS:
            raise AuthError(Reason.LIMIT_EXCEEDED, f"{MAX_LOCKS} locks are in force; remove some, or lock a group")
        body = created_body(lock) | {"stopped": stops}
        await self._record(RecordType.LOCK_CREATE, login, request, body, cluster=place(lock))
        await self.deps.store.add_lock(lock)
        await self.deps.changed()
        return web.json_response({"lock": lock_fields(lock), "stops": stops}, status=201)

    async def listing(self, request: web.Request) -> web.Response:
        """`{locks}`: those in force that the caller may list, the oldest first."""
        now = self.deps.clock()
        login = await self.caller(request, now)
        if not any(self._allows(login, "list", LockTarget(LockKind.CLUSTER, name)) for name in self.deps.clusters()):
            await self._refuse(RecordType.REQUEST_REFUSED, login, request, {}, "list")
        found = [lock for lock in await self.deps.store.locks(now) if self._allows(login, "list", lock.target)]
        return web.json_response({"locks": [lock_fields(lock) for lock in found]})

    async def show(self, request: web.Request) -> web.Response:
        now = self.deps.clock()
        login = await self.caller(request, now)
        lock = await self._found(request, now)
        if lock is None or not self._allows(login, "get", lock.target):
            await self._refuse(RecordType.REQUEST_REFUSED, login, request, {}, "get")
        assert lock is not None
        return web.json_response({"lock": lock_fields(lock)})

    async def remove(self, request: web.Request) -> web.Response:
        now = self.deps.clock()
        login = await self.caller(request, now)
        lock = await self._found(request, now)
        if lock is None or not self._allows(login, "delete", lock.target):
            body = {} if lock is None else lock_body(lock)
            await self._refuse(RecordType.LOCK_DELETE, login, request, body, "delete")
        assert lock is not None
        await record_locks(self.deps.store, self.deps.audit, now)  # its creation first, should that be outstanding
        body = lock_body(lock) | {"removed_by": login.identity.username}
        await self._record(RecordType.LOCK_DELETE, login, request, body, cluster=place(lock))
        await self.deps.store.remove_lock(lock.id)
        await self.deps.changed()
        return web.Response(status=204)

    # -- what is asked

    async def _asked(self, wish: LockWish, login: Login, now: float) -> Lock:
        """Raises AuthError(BAD_REQUEST)."""
        try:
            persons = await self.deps.store.persons_named(wish.target().name)
            return wish.lock(base32_id(self.deps.random), now, login.identity.username, persons)
        except LockError as error:
            raise AuthError(Reason.BAD_REQUEST, str(error)) from error

    async def _meant(self, wish: LockWish, lock: Lock, caller: Login, now: float) -> int:
        """How many living logins it stops. Raises AuthError where it is of nothing, or goes further than was said."""
        living = await self.deps.store.live_logins(now)
        why = aimless(lock, living, self.deps.clusters()) or too_far(wish, lock, living, caller)
        if why:
            raise AuthError(Reason.BAD_REQUEST, why)
        return stopped(lock, living)

    async def _found(self, request: web.Request, now: float) -> Lock | None:
        wanted = request.match_info["id"]
        return next((lock for lock in await self.deps.store.locks(now) if lock.id == wanted), None)

    # -- whether one may

    def _allows(self, login: Login, verb: str, target: LockTarget) -> bool:
        clusters = self.deps.clusters()
        wanted = (target.name,) if target.kind is LockKind.CLUSTER else tuple(clusters)
        return bool(wanted) and all(self._allows_on(login, verb, name, clusters.get(name, {})) for name in wanted)

    def _allows_on(self, login: Login, verb: str, cluster: str, labels: Mapping[str, str]) -> bool:
        question = Question(cluster, verb, RESOURCE, api_group=OWN_GROUP)
        verdict = verdict_on(self.deps.policy(), login.identity, cluster, labels, question.wanted())
        return verdict.decision is Decision.ALLOW

    async def _refuse(
        self, kind: RecordType, login: Login, request: web.Request, body: dict[str, Any], verb: str
    ) -> None:
        """Raises AuthError; of one lock it does not say whether there is one."""
        wanted = request.match_info.get("id")
        if wanted is None:
            error = AuthError(Reason.NO_ROLE, f"no role of yours lets you {verb} locks")
        else:
            error = AuthError(Reason.NO_LOCK, f"{_NOT_THERE} that you may {verb}")
        if kind is RecordType.REQUEST_REFUSED:
            detail = f"{request.method} {request.path}"[:MAX_DETAIL]
            body = {"reason": error.reason.value, "message": error.message, "detail": detail}
        else:
            known = {"lock": wanted} if wanted is not None and _ID.fullmatch(wanted) else {}
            body = known | body | {"refused": error.reason.value}
        await self._record(kind, login, request, body, outcome=Outcome.REFUSED)
        raise error

    async def _record(
        self,
        kind: RecordType,
        login: Login,
        request: web.Request,
        body: Mapping[str, Any],
        *,
        outcome: Outcome = Outcome.DONE,
        cluster: str | None = None,
    ) -> None:
        """Of no cluster, but for a cluster's lock: whoever may see all of them sees who is stopped.

        Raises LogUnavailableError.
        """
        facts = {
            "outcome": outcome,
            "actor": actor(login.identity),
            "login": login.id,
            "source": source_of(request),
            "body": dict(body),
        }
        await self.deps.audit(kind, facts | ({} if cluster is None else {"cluster": cluster}))


def _wish(body: dict[str, Any], now: float) -> LockWish:
    """Raises AuthError(BAD_REQUEST)."""
    return LockWish(
        text(body, "kind", MAX_NAME),
        text(body, "name", MAX_NAME),
        text(body, "reason", MAX_REASON, default=""),
        _end(body, now),
        **{word: flag(body, word) for word in ("shows_reason", "myself", "everyone")},
    )


def _end(body: dict[str, Any], now: float) -> float | None:
    """When it ends: `seconds` from now by the server's clock, or at `until`. Raises AuthError(BAD_REQUEST)."""
    given = {name: body[name] for name in ("seconds", "until") if body.get(name) is not None}
    if not given:
        return None
    name, value = next(iter(given.items()))
    if len(given) > 1 or type(value) not in (int, float):
        raise AuthError(Reason.BAD_REQUEST, "give `seconds`, or `until` in seconds since 1970, or neither")
    return float(now + value if name == "seconds" else value)

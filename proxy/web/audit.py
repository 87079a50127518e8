"""The log, for people who are signed in: `kwit audit search|tail|show` from anywhere.

Who may see what is a role's to say, as everything is: verb `list` (search, tail) or `get` (show) on the resource
`records` in the API group `kubewitness.dev`, of the cluster and namespace that a record is about. A record that is
about no cluster (a sign-in, a change of roles) is for those who may see all clusters whole. Everybody may see what they
did themselves. What may not be seen is left out without a word, so that nobody learns what there is.

Each reading is recorded, and on the disk, before its first byte is answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web

from auth.errors import AuthError, Reason
from auth.identity import Login
from auth.rbac import Decision as Verdict
from proxy.filters.authorization import verdict_on
from proxy.web.deps import WebDeps
from proxy.web.question import Question as Effect
from proxy.web.requests import read_json, source_of, text
from recordings.audit.apart import asked
from recordings.audit.event import DOMAIN, actor
from recordings.audit.query import Record
from recordings.audit.question import Decision, Question, at
from recordings.audit.record import Outcome, RecordType
from recordings.errors import QuestionError

MAX_RECORDS = 1_000
MAX_BYTES = 3 * 1024 * 1024
"""Of an answer's records; the command line takes 4 MiB."""
MAX_TEXT = 253
MAX_AT_ONCE = 2
"""Questions under way; more wait, since each takes a core and up to a gigabyte."""
MAX_WAIT_SECONDS = 10.0
RESOURCE = "records"
_TEXTS = (
    "user",
    "group",
    "verb",
    "resource",
    "namespace",
    "name",
    "cluster",
    "source",
    "type",
    "id",
    "login",
    "recording",
    "text",
)

Caller = Callable[[web.Request, float], Awaitable[Login]]
"""The living login whose key signed a call. Raises AuthError."""


@dataclass(slots=True)
class AuditApi:
    """`root`: the log's directory."""

    deps: WebDeps
    root: Path
    caller: Caller
    _room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MAX_AT_ONCE))

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/api/v1/audit/search", self.search), web.post("/api/v1/audit/show", self.show)]

    async def search(self, request: web.Request) -> web.Response:
        """The newest records that match and may be seen, the oldest of them first."""
        login = await self.caller(request, self.deps.clock())
        body = await read_json(request)
        question, limit = _question(body), _limit(body)
        plain = {key: value for key, value in asdict(question).items() if value not in ("", None)}
        await self._record(login, request, "search", plain)
        found, is_more = await self._visible(login, question, "list", limit)
        return _answered(found[::-1], is_more=is_more)

    async def show(self, request: web.Request) -> web.Response:
        """All about one id, oldest first."""
        login = await self.caller(request, self.deps.clock())
        wanted = text(await read_json(request), "id", MAX_TEXT)
        try:
            Question(id=wanted)
        except QuestionError as error:
            raise AuthError(Reason.BAD_REQUEST, f"expected {error}") from error
        await self._record(login, request, "show", {"id": wanted})
        found, is_more = await self._visible(login, wanted, "get", MAX_RECORDS)
        return _answered(found, is_more=is_more)

    async def _record(self, login: Login, request: web.Request, how: str, question: Mapping[str, Any]) -> None:
        """Raises LogUnavailableError, and then nothing is read."""
        facts = {
            "outcome": Outcome.DONE,
            "actor": actor(login.identity),
            "login": login.id,
            "source": source_of(request),
            "body": {"how": how, "question": dict(question)},
        }
        await self.deps.audit(RecordType.AUDIT_READ, facts)

    async def _visible(
        self, login: Login, question: Question | str, verb: str, limit: int
    ) -> tuple[list[Record], bool]:
        """(at most `limit` records, whether there are more). Raises AuthError where it takes too long."""
        sight = Sight(self.deps, login, verb)
        found: list[Record] = []
        size = 0
        try:
            async with asyncio.timeout(MAX_WAIT_SECONDS):
                await self._room.acquire()
        except TimeoutError as error:
            raise AuthError(
                Reason.LIMIT_EXCEEDED, "others are asking the log just now; try again in a moment"
            ) from error
        try:
            async with aclosing(asked(self.root, question)) as batches:
                async for batch in batches:
                    for record in batch:
                        if not sight.sees(record):
                            continue
                        size += len(orjson.dumps(record))
                        if len(found) >= limit or size > MAX_BYTES:
                            return found, True
                        found.append(record)
        except TimeoutError as error:
            sentence = "this question takes too long; narrow it by person, cluster or time"
            raise AuthError(Reason.LIMIT_EXCEEDED, sentence) from error
        finally:
            self._room.release()
        return found, False


@dataclass(slots=True)
class Sight:
    """What one person may see. `verb`: what they do."""

    deps: WebDeps
    login: Login
    verb: str
    _known: dict[tuple[str, str], bool] = field(default_factory=dict)

    def sees(self, record: Mapping[str, Any]) -> bool:
        """Whether a record may be shown to them."""
        if (at(record, "actor", "issuer"), at(record, "actor", "subject")) == self.login.identity.key:
            return True
        cluster, namespace = record.get("cluster"), at(record, "event", "objectRef", "namespace")
        if cluster is None:
            clusters = self.deps.clusters()
            return bool(clusters) and all(self._may(name, "") for name in clusters)
        return self._may(str(cluster), str(namespace or ""))

    def _may(self, cluster: str, namespace: str) -> bool:
        key = (cluster, namespace)
        if key not in self._known:
            self._known[key] = self._asked(cluster, namespace)
        return self._known[key]

    def _asked(self, cluster: str, namespace: str) -> bool:
        """A cluster that is served no more has no labels: only roles that name it cover it."""
        effect = Effect(cluster, self.verb, RESOURCE, api_group=DOMAIN, namespace=namespace)
        labels = self.deps.clusters().get(cluster, {})
        verdict = verdict_on(self.deps.policy(), self.login.identity, cluster, labels, effect.wanted())
        return verdict.decision is Verdict.ALLOW


def _answered(records: list[Record], *, is_more: bool) -> web.Response:
    data = orjson.dumps({"records": records, "more": is_more})
    return web.Response(body=data, content_type="application/json")


def _question(body: dict[str, Any]) -> Question:
    """Raises AuthError(BAD_REQUEST)."""
    words: dict[str, Any] = {name: text(body, name, MAX_TEXT, default="") for name in _TEXTS}
    decision = text(body, "decision", MAX_TEXT, default="")
    for name in ("since", "until"):
        words[name] = body.get(name)
        if words[name] is not None and type(words[name]) not in (int, float):
            raise AuthError(Reason.BAD_REQUEST, "`since` and `until` must be seconds since 1970")
    try:
        question = Question(**words, decision=Decision(decision) if decision else None)
        question.sieve()  # its times can be written
    except (QuestionError, ValueError, OverflowError) as error:
        raise AuthError(Reason.BAD_REQUEST, f"expected {error}") from error
    return question


def _limit(body: dict[str, Any]) -> int:
    limit = body.get("limit", 100)
    if type(limit) is not int or not 0 < limit <= MAX_RECORDS:
        raise AuthError(Reason.BAD_REQUEST, f"`limit` must be a number from 1 to {MAX_RECORDS}")
    return limit

"""The log, for people who are signed in: `kwit audit search|tail|show|sql|stats|timeline|export` from anywhere.

Who may see what is a role's to say, as everything is: verb `get` (show) or `list` (all others) on the resource
`records` in the API group `kubewitness.dev`, of the cluster and namespace that a record is about. A record that is
about no cluster (a sign-in, a change of roles) is for those who may see all clusters whole. Everybody may see what they
did themselves. What may not be seen is left out without a word, so that nobody learns what there is.

Each reading is recorded, and on the disk, before its first byte is answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
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
from proxy.web.living import must_live
from proxy.web.question import Question as Effect
from proxy.web.requests import read_json, source_of, text
from recordings.audit.answering import Answerable, CountQuestion, SqlQuestion, StoryQuestion
from recordings.audit.apart import answered, asked, exporting, following
from recordings.audit.cursor import CursorError, Place, places_of
from recordings.audit.encode import rfc3339
from recordings.audit.event import DOMAIN, actor
from recordings.audit.feed import Fed
from recordings.audit.query import Record
from recordings.audit.question import Decision, Question
from recordings.audit.record import Outcome, RecordType
from recordings.audit.visible import Visible
from recordings.errors import QuestionError, RecordingsError

MAX_RECORDS = 1_000
MAX_BYTES = 3 * 1024 * 1024
"""Of an answer's records; the command line takes 4 MiB."""
MAX_ITEMS = 100_000
"""Rows of an answer in SQL, entries of a story."""
MAX_FOLLOWERS = 8
"""Each has a process that looks twice a second."""
MAX_TEXT = 253
MAX_SELECT = 16 * 1024
MAX_SENTENCE = 1_000
"""Characters of what DuckDB says of a question."""
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
    _followers: int = 0
    _room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MAX_AT_ONCE))

    def routes(self) -> list[web.RouteDef]:
        handlers = (self.search, self.show, self.sql, self.stats, self.timeline, self.follow, self.export)
        return [web.post(f"/api/v1/audit/{handler.__name__}", handler) for handler in handlers]

    async def search(self, request: web.Request) -> web.Response:
        """The newest records that match and may be seen, the oldest of them first."""
        login = await self.caller(request, self.deps.clock())
        body = await read_json(request)
        question, limit = _question(body), _limit(body)
        await self._record(login, request, "search", _plain(question))
        found, is_more = await self._records(login, question, "list", limit)
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
        found, is_more = await self._records(login, wanted, "get", MAX_RECORDS)
        return _answered(found, is_more=is_more)

    async def sql(self, request: web.Request) -> web.Response:
        """`{names, types, rows, more}` of a SELECT over what may be seen."""
        login = await self.caller(request, self.deps.clock())
        body = await read_json(request)
        select, since = text(body, "select", MAX_SELECT), _seconds(body, "since")
        asks = {"select": select} | ({} if since is None else {"since": since})
        await self._record(login, request, "sql", asks)
        items, is_more = await self._items(login, SqlQuestion(select, since))
        return _joined(b'{"rows":[' + b",".join(items[1:]) + b"],", orjson.loads(items[0]) | {"more": is_more})

    async def stats(self, request: web.Request) -> web.Response:
        """`{counts}`: how many, by what."""
        return await self._told(request, "stats", CountQuestion, "counts")

    async def timeline(self, request: web.Request) -> web.Response:
        """`{entries, more}`: what one person did, the oldest first."""
        return await self._told(request, "timeline", StoryQuestion, "entries")

    async def _told(
        self, request: web.Request, how: str, kind: Callable[[Question], Answerable], name: str
    ) -> web.Response:
        login = await self.caller(request, self.deps.clock())
        question = _question(await read_json(request))
        await self._record(login, request, how, _plain(question))
        items, is_more = await self._items(login, kind(question))
        return _joined(b'{"' + name.encode() + b'":[' + b",".join(items) + b"],", {"more": is_more})

    async def follow(self, request: web.Request) -> web.StreamResponse:
        """Records that match and may be seen, a line each, and those that come; an empty line says that we live.

        What may be seen is asked again at each look. It ends with the login, and says so in a line `{error}`.
        """
        login = await self.caller(request, self.deps.clock())
        body = await read_json(request)
        question, lines = _question(body), _limit(body, least=0)
        if self._followers >= MAX_FOLLOWERS:
            raise AuthError(Reason.LIMIT_EXCEEDED, f"{MAX_FOLLOWERS} people follow the log already; try again later")
        self._followers += 1
        try:
            await self._record(login, request, "follow", _plain(question))
            response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
            await response.prepare(request)
            try:
                await self._follow(response, login, question, lines)
            except (AuthError, RecordingsError) as error:
                await response.write(orjson.dumps({"error": str(error)}, option=orjson.OPT_APPEND_NEWLINE))
            await response.write_eof()
            return response
        finally:
            self._followers -= 1

    async def _follow(self, response: web.StreamResponse, login: Login, question: Question, lines: int) -> None:
        """Raises AuthError once the login is over, LogUnavailableError."""
        async with aclosing(following(self.root, question, lines)) as batches:
            async for batch in batches:
                visible = await self._visible_to(login)
                seen = [orjson.dumps(record) for record in batch if visible.sees(record)]
                await response.write(b"\n".join((*seen, b"")) if seen else b"\n")

    async def export(self, request: web.Request) -> web.StreamResponse:
        """All that may be seen from the caller's places on, a line `{writer, place, record, lost}` each; of what may
        not be seen the place alone, so that nobody looks at it again. With `follow` it goes on, as `follow` does.
        """
        login = await self.caller(request, self.deps.clock())
        places, since, follow = _export_of(await read_json(request))
        if self._followers >= MAX_FOLLOWERS:
            raise AuthError(Reason.LIMIT_EXCEEDED, f"{MAX_FOLLOWERS} people follow the log already; try again later")
        self._followers += 1
        try:
            await self._record(login, request, "export", {"since": since} if since else {})
            response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
            await response.prepare(request)
            try:
                async with aclosing(exporting(self.root, places, since, follow=follow)) as batches:
                    async for batch in batches:
                        visible = await self._visible_to(login)
                        await response.write(b"".join(_exported(batch, visible)) or b"\n")
                await response.write(b'{"end":true}\n')
            except (AuthError, RecordingsError) as error:
                await response.write(orjson.dumps({"error": str(error)}, option=orjson.OPT_APPEND_NEWLINE))
            await response.write_eof()
            return response
        finally:
            self._followers -= 1

    async def _visible_to(self, login: Login) -> Visible:
        """Asked again at each look. Raises AuthError once the login is over."""
        found = await self.deps.store.get_login(login.id)
        await must_live(self.deps, found, self.deps.clock())
        assert found is not None
        return _visible(self.deps, found, "list")

    async def _items(self, login: Login, question: Answerable) -> tuple[list[bytes], bool]:
        """(the answer's items, whether there are more than an answer holds). Raises AuthError."""
        found: list[bytes] = []
        size = 0
        async with self._turn():
            try:
                async with aclosing(answered(self.root, question, _visible(self.deps, login, "list"))) as batches:
                    async for batch in batches:
                        for item in batch:
                            size += len(item)
                            if size > MAX_BYTES or len(found) > MAX_ITEMS:
                                return found, True
                            found.append(item)
            except QuestionError as error:
                raise AuthError(Reason.BAD_REQUEST, f"expected {error}"[:MAX_SENTENCE]) from error
        return found, False

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """One of the few questions under way. Raises AuthError where others take too long, or it itself does."""
        try:
            async with asyncio.timeout(MAX_WAIT_SECONDS):
                await self._room.acquire()
        except TimeoutError as error:
            raise AuthError(
                Reason.LIMIT_EXCEEDED, "others are asking the log just now; try again in a moment"
            ) from error
        try:
            yield
        except TimeoutError as error:
            sentence = "this question takes too long; narrow it by person, cluster or time"
            raise AuthError(Reason.LIMIT_EXCEEDED, sentence) from error
        finally:
            self._room.release()

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

    async def _records(
        self, login: Login, question: Question | str, verb: str, limit: int
    ) -> tuple[list[Record], bool]:
        """(at most `limit` records, whether there are more). Raises AuthError where it takes too long."""
        visible = _visible(self.deps, login, verb)
        found: list[Record] = []
        size = 0
        async with self._turn(), aclosing(asked(self.root, question)) as batches:
            async for batch in batches:
                for record in batch:
                    if not visible.sees(record):
                        continue
                    size += len(orjson.dumps(record))
                    if len(found) >= limit or size > MAX_BYTES:
                        return found, True
                    found.append(record)
        return found, False


def _export_of(body: dict[str, Any]) -> tuple[dict[str, Place], str, bool]:
    """(places, since as RFC 3339 or empty, whether to follow). Raises AuthError."""
    try:
        places = places_of(body.get("places", {}))
    except CursorError as error:
        raise AuthError(Reason.BAD_REQUEST, "expected places as an export's cursor has them") from error
    since = _seconds(body, "since")
    return places, "" if since is None else rfc3339(since), body.get("follow") is True


def _exported(batch: Sequence[Fed], visible: Visible) -> Iterator[bytes]:
    hidden: dict[str, Fed] = {}
    for fed in batch:
        if visible.sees(fed.record):
            hidden.pop(fed.writer, None)
            yield _fed_line(fed, {"record": fed.record, "lost": fed.lost})
        else:
            hidden[fed.writer] = fed
    for fed in hidden.values():
        yield _fed_line(fed, {})


def _fed_line(fed: Fed, rest: Mapping[str, Any]) -> bytes:
    return orjson.dumps({"writer": fed.writer, "place": asdict(fed.place), **rest}, option=orjson.OPT_APPEND_NEWLINE)


def _visible(deps: WebDeps, login: Login, verb: str) -> Visible:
    """What one person may see. `verb`: what they do."""

    def may(cluster: str | None, namespace: str) -> bool:
        if cluster is None:
            clusters = deps.clusters()
            return bool(clusters) and all(_allows(deps, login, verb, name, "") for name in clusters)
        return _allows(deps, login, verb, cluster, namespace)

    return Visible(login.identity.key, may)


def _allows(deps: WebDeps, login: Login, verb: str, cluster: str, namespace: str) -> bool:
    """Whether a role does. A cluster that is served no more has no labels: only roles that name it cover it."""
    effect = Effect(cluster, verb, RESOURCE, api_group=DOMAIN, namespace=namespace)
    labels = deps.clusters().get(cluster, {})
    verdict = verdict_on(deps.policy(), login.identity, cluster, labels, effect.wanted())
    return verdict.decision is Verdict.ALLOW


def _answered(records: list[Record], *, is_more: bool) -> web.Response:
    data = orjson.dumps({"records": records, "more": is_more})
    return web.Response(body=data, content_type="application/json")


def _joined(begun: bytes, rest: Mapping[str, object]) -> web.Response:
    """An object of which the first member, JSON already, stands in `begun`."""
    return web.Response(body=begun + orjson.dumps(rest)[1:], content_type="application/json")


def _plain(question: Question) -> dict[str, Any]:
    return {key: value for key, value in asdict(question).items() if value not in ("", None)}


def _question(body: dict[str, Any]) -> Question:
    """Raises AuthError(BAD_REQUEST)."""
    words: dict[str, Any] = {name: text(body, name, MAX_TEXT, default="") for name in _TEXTS}
    decision = text(body, "decision", MAX_TEXT, default="")
    words |= {name: _seconds(body, name) for name in ("since", "until")}
    try:
        question = Question(**words, decision=Decision(decision) if decision else None)
        question.sieve()  # its times can be written
    except (QuestionError, ValueError, OverflowError) as error:
        raise AuthError(Reason.BAD_REQUEST, f"expected {error}") from error
    return question


def _seconds(body: dict[str, Any], name: str) -> float | None:
    """Raises AuthError(BAD_REQUEST)."""
    value = body.get(name)
    if value is None:
        return None
    if type(value) in (int, float):
        with suppress(ValueError, OverflowError, OSError):  # a time that cannot be written
            rfc3339(value)
            return float(value)
    raise AuthError(Reason.BAD_REQUEST, f"`{name}` must be seconds since 1970")


def _limit(body: dict[str, Any], *, least: int = 1) -> int:
    """Raises AuthError(BAD_REQUEST)."""
    limit = body.get("limit", 100)
    if type(limit) is not int or not least <= limit <= MAX_RECORDS:
        raise AuthError(Reason.BAD_REQUEST, f"`limit` must be a number from {least} to {MAX_RECORDS}")
    return limit

"""The JSON API of recordings: listed, opened, removed, by whoever a role lets; each of it leaves a record first.

1. The caller is a living login (`auth.proof`), asked at each call.
2. An id is one by its form, or nothing is looked up (security, F1).
3. A person may list and open what they did themselves, by issuer and subject. Everything else, and every removal, a
   role must allow: `list`, `get` or `delete` of `recordings.kubewitness.dev` in the namespace of the pod.
4. A recording that is not there, and one that the caller may not open, get the same answer (F2).
5. The record is durable before the first byte of the answer (design, 8).
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from aiohttp import web

from auth.errors import AuthError, Reason
from auth.identity import Identity, Login
from auth.rbac import Decision
from proxy.filters.authorization import verdict_on
from proxy.web.deps import WebDeps
from proxy.web.living import must_live
from proxy.web.question import Question
from proxy.web.requests import source_of
from recordings.audit.event import actor
from recordings.audit.record import Outcome, RecordType
from recordings.errors import RecordingsError
from recordings.recorder.directory import RecordingDirectory
from recordings.recorder.frames import RecordingDamagedError
from recordings.recorder.head import ID, RecordingHead
from recordings.recorder.moment import Moment
from recordings.recorder.reader import open_recording
from recordings.replay.index_files import index_beside
from recordings.replay.jsonl import end_line, head_line, moment_line
from recordings.replay.play_index import SUFFIX, index_bytes
from recordings.replay.shelf import Follower, Summary, Wanted, summaries, summary

MAX_LISTED = 1_000
"""Recordings in one answer: 1 MiB of JSON; filters narrow."""
LISTINGS = 2
"""At once: a search reads every file that the rest leaves, and logins must not wait for its threads."""
MAX_QUERY_CHARS = 256
BATCH_LINES = 256
"""Moments read at once, in a thread: at most 4 MiB of them, then the client must take them."""
FOLLOW_SECONDS = 0.5
"""Between two looks at a recording that is still being made, which is written each second."""
MAX_FOLLOW_SECONDS = 12 * 3600
"""As long as a login lasts by default, and longer than a stream of the API server may be (4 hours)."""
RESOURCE, GROUP = "recordings", "kubewitness.dev"
_NOT_THERE = "there is no recording of this id that you may open"
_TEXTS = ("user", "cluster", "namespace", "pod", "text")

Caller = Callable[[web.Request, float], Awaitable[Login]]


@dataclass(slots=True)
class RecordingsApi:
    """`caller` gives the living login behind a request, or raises AuthError."""

    deps: WebDeps
    caller: Caller
    _looking: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(LISTINGS))

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/api/v1/recordings", self.listing, allow_head=False),
            web.get("/api/v1/recordings/{id}", self.show, allow_head=False),
            web.get("/api/v1/recordings/{id}/moments", self.moments, allow_head=False),
            web.get("/api/v1/recordings/{id}/index", self.index, allow_head=False),
            web.delete("/api/v1/recordings/{id}", self.remove),
        ]

    # -- what is asked

    async def listing(self, request: web.Request) -> web.Response:
        """The newest that the caller may list; of one's own nothing is recorded."""
        login = await self.caller(request, self.deps.clock())
        wanted, limit = _wanted(request.query), _limit(request.query)
        async with self._looking:
            found = await asyncio.to_thread(self._listed, login, wanted, limit + 1)
        shown = found[:limit]
        others = [one for one in shown if not _is_own(login.identity, one.head)]
        if others:
            question = {key: value for key, value in request.query.items() if value}
            await self._record(
                RecordType.RECORDING_ACCESS,
                login,
                request,
                {"how": "list", "count": len(others), "question": question},
            )
        body = {"recordings": [one.fields() for one in shown], "more": len(found) > limit}
        return web.json_response(body)

    async def show(self, request: web.Request) -> web.Response:
        """What a recording says of itself."""
        login, path, head = await self._opened(request, "show")
        del login
        return web.json_response((await asyncio.to_thread(_summary, path)).fields() | {"id": head.id})

    async def moments(self, request: web.Request) -> web.StreamResponse:
        """A recording as `jsonl` has it, from `start` microseconds on; with `follow=1` until it ends."""
        start, follow = _number(request.query, "start"), request.query.get("follow") == "1"
        login, path, head = await self._opened(request, "open")
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await response.prepare(request)
        await response.write(head_line(head).encode())
        try:
            await self._send(response, path, start, login if follow else None)
        except (RecordingsError, OSError, AuthError) as error:
            await response.write((json.dumps({"error": str(error)}) + "\n").encode())
        await response.write_eof()
        return response

    async def index(self, request: web.Request) -> web.Response:
        """What lets a player begin anywhere (`replay.play_index`); 204 where it was not made (yet)."""
        _, path, _ = await self._opened(request, "open")
        data = await asyncio.to_thread(_index, path)
        return web.Response(body=data, content_type="application/octet-stream", status=200 if data else 204)

    async def remove(self, request: web.Request) -> web.Response:
        """Remove a recording, which nobody may for being recorded in it."""
        login = await self.caller(request, self.deps.clock())
        path, head = await self._found(request)
        if path is None or head is None or not self._allows(login.identity, head, "delete"):
            await self._refuse(RecordType.RECORDING_REMOVE, login, request, head, {})
        assert path is not None
        assert head is not None
        size, digest = await asyncio.to_thread(_digest, path)
        body = {"recording": head.id, **_about(head), "size": size, "sha256": digest}
        await self._record(RecordType.RECORDING_REMOVE, login, request, body, cluster=head.cluster)
        await asyncio.to_thread(_unlink, path)
        return web.Response(status=204)

    # -- finding, and whether one may

    async def _opened(self, request: web.Request, how: str) -> tuple[Login, Path, RecordingHead]:
        """A recording that the caller may open, once that is on record. Raises AuthError."""
        login = await self.caller(request, self.deps.clock())
        path, head = await self._found(request)
        if path is None or head is None or not self._may(login.identity, head, "get"):
            await self._refuse(RecordType.RECORDING_ACCESS, login, request, head, {"how": how})
        assert path is not None
        assert head is not None
        body = {"recording": head.id, "how": how, **_about(head)}
        await self._record(RecordType.RECORDING_ACCESS, login, request, body, cluster=head.cluster)
        return login, path, head

    async def _found(self, request: web.Request) -> tuple[Path | None, RecordingHead | None]:
        wanted = request.match_info["id"]
        if self.deps.recordings is None or not ID.fullmatch(wanted):
            return None, None
        return await asyncio.to_thread(_found, RecordingDirectory(self.deps.recordings), wanted)

    def _listed(self, login: Login, wanted: Wanted, most: int) -> list[Summary]:
        if self.deps.recordings is None:
            return []
        known: dict[tuple[str, str], bool] = {}

        def may(head: RecordingHead) -> bool:
            if _is_own(login.identity, head):
                return True
            place = (head.cluster, head.namespace)
            if place not in known:
                known[place] = self._allows(login.identity, head, "list")
            return known[place]

        return list(islice(summaries(RecordingDirectory(self.deps.recordings), wanted, may), most))

    def _may(self, identity: Identity, head: RecordingHead, verb: str) -> bool:
        return _is_own(identity, head) or self._allows(identity, head, verb)

    def _allows(self, identity: Identity, head: RecordingHead, verb: str) -> bool:
        """Whether a role does, for a recording of this cluster and namespace."""
        name = "" if verb == "list" else head.id
        question = Question(head.cluster, verb, RESOURCE, api_group=GROUP, namespace=head.namespace, name=name)
        labels = self.deps.clusters().get(head.cluster, {})  # one that is gone has none; roles may still name it
        verdict = verdict_on(self.deps.policy(), identity, head.cluster, labels, question.wanted())
        return verdict.decision is Decision.ALLOW

    async def _refuse(
        self,
        kind: RecordType,
        login: Login,
        request: web.Request,
        head: RecordingHead | None,
        body: Mapping[str, object],
    ) -> None:
        """Raises AuthError with a sentence that says nothing of whether there is one."""
        wanted = request.match_info["id"]
        about = {} if head is None else _about(head)
        known = {"recording": wanted} if ID.fullmatch(wanted) else {}
        full = {**known, **body, **about, "reason": "not allowed" if head else "unknown"}
        cluster = None if head is None else head.cluster
        await self._record(kind, login, request, full, outcome=Outcome.REFUSED, cluster=cluster)
        raise AuthError(Reason.NO_RECORDING, _NOT_THERE)

    async def _record(
        self,
        kind: RecordType,
        login: Login,
        request: web.Request,
        body: Mapping[str, object],
        *,
        outcome: Outcome = Outcome.DONE,
        cluster: str | None = None,
    ) -> None:
        record: dict[str, object] = {
            "outcome": outcome,
            "actor": actor(login.identity),
            "login": login.id,
            "source": source_of(request),
            "body": dict(body),
        }
        await self.deps.audit(kind, record | ({} if cluster is None else {"cluster": cluster}))

    # -- sending

    async def _send(self, response: web.StreamResponse, path: Path, start: int, following: Login | None) -> None:
        """Raises RecordingsError, OSError; AuthError once the login of who follows is over."""
        follower = Follower(path, start)
        ends = self.deps.clock() + MAX_FOLLOW_SECONDS
        while True:
            await self._send_all(response, follower.more())
            if follower.footer is not None or following is None or self.deps.clock() > ends:
                break
            await asyncio.sleep(FOLLOW_SECONDS)
            await must_live(self.deps, await self.deps.store.get_login(following.id), self.deps.clock())
        await response.write(end_line(follower.footer).encode())

    @staticmethod
    async def _send_all(response: web.StreamResponse, moments: Iterator[Moment]) -> None:
        while text := await asyncio.to_thread(_batch, moments):
            await response.write(text.encode())


def _is_own(identity: Identity, head: RecordingHead) -> bool:
    return (head.issuer, head.subject) == identity.key


def _about(head: RecordingHead) -> dict[str, str]:
    return {"of": head.username, "pod": f"{head.cluster}/{head.namespace}/{head.pod}"}


def _found(directory: RecordingDirectory, wanted: str) -> tuple[Path | None, RecordingHead | None]:
    path = directory.path_of(wanted)
    if path is None:
        return None, None
    try:
        with open_recording(path) as reader:
            return path, reader.head
    except (RecordingDamagedError, OSError):
        return None, None  # whose it is, is in its head: without one nobody may


def _summary(path: Path) -> Summary:
    with open_recording(path) as reader:
        return summary(reader, path)


def _index(path: Path) -> bytes:
    with open_recording(path) as reader:
        found = index_beside(path, reader.seal)
        return b"" if found is None else index_bytes(found, reader.seal)


def _batch(moments: Iterator[Moment]) -> str:
    return "".join(map(moment_line, islice(moments, BATCH_LINES)))


def _digest(path: Path) -> tuple[int, str]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return file.tell(), digest


def _unlink(path: Path) -> None:
    """With its index beside it; durable when this returns."""
    path.unlink(missing_ok=True)
    path.with_suffix(SUFFIX).unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


# -- the query


def _wanted(query: Mapping[str, str]) -> Wanted:
    """Raises AuthError(BAD_REQUEST)."""
    unknown = set(query) - {*_TEXTS, "since", "until", "limit"}
    if unknown or any(len(value) > MAX_QUERY_CHARS for value in query.values()):
        raise AuthError(Reason.BAD_REQUEST, "the query has a parameter that is not known here, or a long one")
    texts = {name: query.get(name, "") for name in _TEXTS}
    return Wanted(**texts, since=_seconds(query, "since"), until=_seconds(query, "until"))


def _seconds(query: Mapping[str, str], name: str) -> float | None:
    if not query.get(name):
        return None
    try:
        return float(query[name])
    except ValueError as error:
        raise AuthError(Reason.BAD_REQUEST, f"`{name}` must be seconds since 1970") from error


def _number(query: Mapping[str, str], name: str) -> int:
    text = query.get(name, "0")
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise AuthError(Reason.BAD_REQUEST, f"`{name}` must be a number")
    return int(text)


def _limit(query: Mapping[str, str]) -> int:
    return min(_number(query, "limit") or MAX_LISTED, MAX_LISTED)

"""The sandbox's HTTP side: who calls, what it is about, and the answer in the form that the client accepts."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import tempfile
import uuid
from collections import deque
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from aiohttp import web

from auth.ca import CertificateAuthority
from auth.keystore import load_or_create_ca
from deploy.sandbox.apiserver import discovery, openapi, openapi_v2, pod_log
from deploy.sandbox.apiserver.access import (
    Access,
    Attributes,
    allowed,
    attributes,
    everything_but_for_readers,
    refusal,
    review,
)
from deploy.sandbox.apiserver.admission import admitted, read, shaped
from deploy.sandbox.apiserver.caller import ACCOUNT, Caller, authenticate, impersonated
from deploy.sandbox.apiserver.columns import COLUMNS, table
from deploy.sandbox.apiserver.controllers import NODE_NAME, Controllers
from deploy.sandbox.apiserver.kinds import BY_RESOURCE, NAMESPACE, NODE, POD, REVIEWS, Kind, Object
from deploy.sandbox.apiserver.objects import Objects
from deploy.sandbox.apiserver.problem import Problem, bad_request, no_such_resource, not_allowed
from deploy.sandbox.apiserver.resources import Answer, Asked, Resources
from deploy.sandbox.apiserver.seed import seeds
from deploy.sandbox.apiserver.serving import client_certificate, subject, tls_context
from deploy.sandbox.apiserver.shape import shape
from deploy.sandbox.apiserver.stream_options import STREAMING
from deploy.sandbox.apiserver.streaming import Streaming
from deploy.sandbox.apiserver.watching import Watch, events, read_watch
from proxy.request_info import RequestInfo, parse
from proxy.target import RefusedTarget, Target, canonical

MAX_SEEN = 10_000
"""Requests remembered: some hours of a demo, a test's every one."""
MAX_BODY = 3 * 1024 * 1024
"""The API server's own limit."""
MAX_STREAMS = 2000
"""Watches and logs at once: twice what the benchmark of watches holds."""
SHUTDOWN_SECONDS = 1.0
NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
"""Those that every cluster has."""
_STREAMING = frozenset(f"pods/{subresource}" for subresource in STREAMING)
_HEALTH = ("/healthz", "/livez", "/readyz")


@dataclass(frozen=True, slots=True)
class SeenRequest:
    """What arrived, and whom it was for: `user` is empty where the proxy's account came on its own behalf."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    user: str
    groups: tuple[str, ...]
    uid: str
    extra: tuple[tuple[str, str], ...]
    audit_id: str


class SandboxAPIServer:
    """`await start()`, then `url`, `ca_pem` and `token`; `seen` tells what arrived; `await stop()`.

    Its CA is kept in `directory`, its objects nowhere. `controllers` False: nothing runs, as on an API server alone.
    """

    def __init__(
        self,
        directory: Path | None = None,
        *,
        clock: Callable[[], float],
        token: str | None = None,
        access: Access = everything_but_for_readers,
        controllers: bool = True,
        log_line_seconds: float = pod_log.LINE_SECONDS,
    ) -> None:
        self._directory = directory or Path(tempfile.mkdtemp(prefix="kwit-sandbox-"))
        self._clock = clock
        self._access, self._log_line_seconds = access, log_line_seconds
        self.token = token or uuid.uuid4().hex
        self.seen: deque[SeenRequest] = deque(maxlen=MAX_SEEN)
        self.url = ""
        self.ca_pem = ""
        self._ca: CertificateAuthority | None = None
        self._runner: web.AppRunner | None = None
        self._stopping = False
        self._streams = 0
        self._streaming = Streaming()
        self._objects = Objects(now=self._now, new_id=lambda: str(uuid.uuid4()))
        self._controllers = Controllers(self._objects) if controllers else None
        self._resources = Resources(self._objects, self._controllers)
        for name in NAMESPACES:
            self._put(NAMESPACE, {"metadata": {"name": name}})
        if controllers:
            self._put(NODE, _node())

    def _now(self) -> str:
        return datetime.fromtimestamp(self._clock(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def _put(self, kind: Kind, o: Object) -> None:
        filled = admitted(kind, shape(kind.kind, o).object) if kind is not NODE else shape(kind.kind, o).object
        self._objects.create(kind, filled["metadata"].get("namespace", ""), filled)
        if self._controllers is not None:
            self._controllers.settle()

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen with a certificate of the sandbox's own CA. Raises KeystoreError, OSError."""
        self._ca = load_or_create_ca(self._directory, "cluster-ca", "sandbox cluster", self._clock())
        context = tls_context(self._directory, self._ca, host, self._clock())
        app = web.Application(client_max_size=MAX_BODY)
        app.router.add_route("*", "/{path:.*}", self._handle)
        # a watch whose client has gone ends at once, not with its next event
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS, handler_cancellation=True)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port, ssl_context=context).start()
        self.url = f"https://{host}:{self._runner.addresses[0][1]}"
        self.ca_pem = self._ca.pem

    async def stop(self) -> None:
        """Ends all watches, logs that are followed, commands and port-forwards."""
        self._stopping = True
        self._objects.history.wake()
        await self._streaming.close()
        if self._runner is not None:
            await self._runner.cleanup()

    def seed(self) -> None:
        """Put example objects in: the namespaces shop-dev and shop-prod, and what a small shop has in them."""
        for path, o in seeds():
            info = parse("POST", canonical(path.encode()))
            kind = BY_RESOURCE[(info.api_group, info.api_version, info.resource)]
            namespace = {"namespace": info.namespace} if kind.namespaced else {}
            body = json.dumps(o | {"metadata": o["metadata"] | namespace}).encode()
            self._resources.answer(kind, Asked(info, canonical(path.encode()), "application/json", body, "seed"))

    def client_certificate(self, user: str, groups: tuple[str, ...] = ()) -> tuple[str, str]:
        """(certificate, key) in PEM for somebody who comes without the proxy; after `start`."""
        assert self._ca is not None
        return client_certificate(self._ca, user, groups, self._clock())

    # -- one request

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        audit_id = request.headers.get("Audit-ID") or str(uuid.uuid4())
        try:
            response = await self._serve(request, audit_id)
        except Problem as problem:
            response = _json(problem.status, problem.code)
        except RefusedTarget as error:
            response = _json(bad_request(str(error)).status, 400)
        except web.HTTPRequestEntityTooLarge:
            message = f"Request entity too large: limit is {MAX_BODY}"
            response = _json(Problem(413, "RequestEntityTooLarge", message).status, 413)
        if not response.prepared:
            response.headers["Audit-Id"] = audit_id
        return response

    async def _serve(self, request: web.Request, audit_id: str) -> web.StreamResponse:
        headers = tuple(request.headers.items())
        caller = self._caller(request, headers, audit_id)
        target = canonical(request.raw_path.encode())
        info = parse(request.method, target)
        asked = attributes(info)
        if not allowed(caller, asked, self._access):
            raise refusal(caller, asked)
        known_group = info.api_prefix != "apis" or info.api_group in discovery.GROUPS
        if not info.is_resource_request or not known_group:
            return self._document(request, target)
        if asked.resource in _STREAMING and not allowed(caller, replace(asked, verb="create"), self._access):
            raise refusal(caller, replace(asked, verb="create"))  # since Kubernetes 1.35 for a GET, too
        return await self._resource(request, info, target, caller)

    def _caller(self, request: web.Request, headers: tuple[tuple[str, str], ...], audit_id: str) -> Caller:
        """Whom the request is for; what arrived with a credential is remembered. Raises Problem 400, 401, 403."""
        secured = request.get_extra_info("ssl_object")
        shown = subject(secured.getpeercert(binary_form=True)) if isinstance(secured, ssl.SSLObject) else None
        own = authenticate(headers, self.token, shown)
        whom = impersonated(headers)
        caller = whom or own
        named = caller if whom is not None or own.user != ACCOUNT else Caller("")
        self.seen.append(
            SeenRequest(
                request.method,
                request.raw_path,
                headers,
                named.user,
                named.groups,
                named.uid,
                named.extra,
                audit_id,
            )
        )
        if whom is not None and own.user != ACCOUNT and not own.is_master:
            constrained = Attributes("impersonate:user-info", "authentication.k8s.io", "users", "", whom.user)
            raise refusal(own, constrained)
        return caller

    def _document(self, request: web.Request, target: Target) -> web.Response:
        """What is no resource."""
        path = target.path
        if request.method not in ("GET", "HEAD"):
            raise not_allowed()
        if path in _HEALTH:
            return web.Response(text="ok")
        found = discovery.aggregated(path, request.headers.get("Accept", ""))
        if found is not None:
            response = web.Response(body=json.dumps(found[0]).encode())
            response.headers["Content-Type"] = found[1]
            return response
        if path == "/openapi/v2" and "protobuf" in request.headers.get("Accept", ""):
            response = web.Response(body=openapi_v2.in_protobuf())
            response.headers["Content-Type"] = openapi_v2.MEDIA_TYPE
            return response
        document = discovery.plain(path)
        if path == "/openapi/v3":
            document = openapi.index()
        elif path == "/openapi/v2":
            document = openapi_v2.document()
        elif path.startswith("/openapi/v3/"):
            document = openapi.document(path.removeprefix("/openapi/v3/"))
        if document is None and path.startswith("/api/"):
            raise no_such_resource()
        if document is None:
            return web.Response(status=404, text="404 page not found\n")
        return web.Response(text=json.dumps(document, indent=2), content_type="application/json")

    async def _resource(
        self, request: web.Request, info: RequestInfo, target: Target, caller: Caller
    ) -> web.StreamResponse:
        kind = BY_RESOURCE.get((info.api_group, info.api_version, info.resource))
        if kind is None:
            raise no_such_resource()
        body = await request.read()
        media_type = request.content_type if "Content-Type" in request.headers else ""
        asked = Asked(info, target, media_type, body, request.headers.get("User-Agent", ""))
        if kind in REVIEWS:
            return self._review(kind, asked, caller)
        if info.verb == "watch":
            return await self._watch(request, read_watch(kind, asked))
        if kind is POD and info.subresource == "log" and info.verb == "get":
            return await self._log(request, asked)
        if kind is POD and info.subresource in STREAMING and request.method in ("GET", "POST"):
            pod = self._objects.get(POD, info.namespace, info.name)
            return await self._streaming.serve(request, tuple(request.headers.items()), asked, pod)
        answer = self._resources.answer(kind, asked)
        return self._formed(request, kind, answer)

    def _review(self, kind: Kind, asked: Asked, caller: Caller) -> web.Response:
        if asked.info.verb != "create":
            raise not_allowed()
        given = shaped(kind, read(kind.kind, asked.media_type, asked.body)).object
        given |= {"kind": kind.kind, "apiVersion": kind.api_version}
        return _json(review(kind.kind, given, caller, self._access, self._now()), 201)

    def _formed(self, request: web.Request, kind: Kind, answer: Answer) -> web.Response:
        """A Table where the client would have one, else the object or list itself."""
        o = answer.object
        if answer.items is None:
            items, metadata = [o], {"resourceVersion": o.get("metadata", {}).get("resourceVersion", "")}
        else:
            items, metadata = answer.items, o
            list_kind = {"kind": f"{kind.kind}List", "apiVersion": kind.api_version}
            bare = [{k: v for k, v in item.items() if k not in ("kind", "apiVersion")} for item in items]
            o = list_kind | {"metadata": metadata, "items": bare}
        if _wants_table(request) and (answer.items is not None or o.get("kind") == kind.kind):
            include = request.query.get("includeObject", "Metadata")
            o = table(kind, items, metadata, self._clock(), include=include)
        response = _json(o, answer.status)
        for warning in answer.warnings:
            quoted = warning.replace("\\", "\\\\").replace('"', '\\"')
            response.headers.add("Warning", f'299 - "{quoted}"')
        return response

    async def _watch(self, request: web.Request, watch: Watch) -> web.StreamResponse:
        loop = asyncio.get_running_loop()
        found = events(watch, self._objects, monotonic=loop.time, stopped=lambda: self._stopping)
        include = request.query.get("includeObject", "Metadata")

        async def encoded() -> AsyncGenerator[bytes, None]:
            first = True
            async for change, event in found:
                o = event
                if _wants_table(request) and change != "ERROR":
                    o = _table_event(watch.kind, change, event, self._clock(), include=include, first=first)
                    first = False
                yield json.dumps({"type": change, "object": o}).encode() + b"\n"

        return await self._streamed(request, encoded(), "application/json")

    async def _log(self, request: web.Request, asked: Asked) -> web.StreamResponse:
        pod = self._objects.get(POD, asked.info.namespace, asked.info.name)
        options = pod_log.read_options(pod, asked)
        every = self._log_line_seconds

        def there() -> bool:
            now = self._objects.find(POD, asked.info.namespace, asked.info.name)
            return not self._stopping and now is not None and now["metadata"]["uid"] == pod["metadata"]["uid"]

        async def written() -> AsyncGenerator[bytes, None]:
            for line in pod_log.lines(pod, options, self._clock(), every=every):
                yield line
            if options.follow:
                async for line in pod_log.follow(pod, options, clock=self._clock, there=there, every=every):
                    yield line

        return await self._streamed(request, written(), "text/plain")

    async def _streamed(
        self, request: web.Request, chunks: AsyncGenerator[bytes, None], content_type: str
    ) -> web.StreamResponse:
        if self._streams >= MAX_STREAMS:
            raise Problem(429, "TooManyRequests", f"the sandbox has {MAX_STREAMS} watches and logs open; end some")
        self._streams += 1
        try:
            return await _stream(request, chunks, content_type)
        finally:
            self._streams -= 1


async def _stream(request: web.Request, chunks: AsyncGenerator[bytes, None], content_type: str) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": content_type})
    audit_id = request.headers.get("Audit-ID")
    if audit_id:
        response.headers["Audit-Id"] = audit_id
    await response.prepare(request)
    async with contextlib.aclosing(chunks):
        with contextlib.suppress(ConnectionResetError):  # the client has seen enough
            async for chunk in chunks:
                await response.write(chunk)
    return response


def _table_event(kind: Kind, change: str, o: Object, now: float, *, include: str, first: bool) -> Object:
    """A watch's object as a Table of one row; a bookmark has blank cells."""
    metadata = {"resourceVersion": o["metadata"]["resourceVersion"]}
    if change != "BOOKMARK":
        return table(kind, [o], metadata, now, include=include, first=first)
    header = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1"}
    row = {"cells": [""] * len(COLUMNS[kind.kind]), "object": header | {"metadata": o["metadata"]}}
    return table(kind, [], metadata, now, first=first) | {"rows": [row]}


def _json(document: Object, status: int = 200) -> web.Response:
    return web.Response(body=json.dumps(document).encode(), status=status, content_type="application/json")


def _wants_table(request: web.Request) -> bool:
    """As kubectl does, which names the Table first."""
    first = request.headers.get("Accept", "").split(",")[0]
    return "as=Table" in first


def _node() -> Object:
    """The machine that everything runs on."""
    capacity = {"cpu": "4", "memory": "8Gi", "pods": "110"}
    info = {
        "architecture": "amd64", "bootID": "", "containerRuntimeVersion": "sandbox://1", "kernelVersion": "6.12",
        "kubeProxyVersion": "", "kubeletVersion": discovery.VERSION["gitVersion"], "machineID": "",
        "operatingSystem": "linux", "osImage": "kubewitness sandbox", "systemUUID": "",
    }  # fmt: skip
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "sandbox is ready"}
    return {
        "metadata": {"name": NODE_NAME, "labels": {"kubernetes.io/hostname": NODE_NAME}},
        "spec": {},
        "status": {
            "addresses": [{"type": "InternalIP", "address": "192.0.2.10"}, {"type": "Hostname", "address": NODE_NAME}],
            "allocatable": capacity,
            "capacity": capacity,
            "conditions": [ready],
            "nodeInfo": info,
        },
    }


__all__ = ["SandboxAPIServer", "SeenRequest"]

"""The sandbox's HTTP side: authentication of the proxy, impersonation as the API server does it, and the API itself."""

from __future__ import annotations

import asyncio
import json
import ssl
import tempfile
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import yaml
from aiohttp import web

from auth.keystore import load_or_create_ca, serving_certificate
from deploy.sandbox.apiserver.kinds import BY_RESOURCE, KINDS, Kind, Object, table
from deploy.sandbox.apiserver.objects import Objects, Problem, json_patch, matches, merge
from proxy.request_info import RequestInfo, parse
from proxy.target import RefusedTarget, canonical

MAX_SEEN = 10_000
BOOKMARK_SECONDS = 30.0
MAX_BODY = 3 * 1024 * 1024
"""The API server's own limit."""

VERSION = {
    "major": "1", "minor": "36", "gitVersion": "v1.36.0-sandbox", "gitCommit": "", "gitTreeState": "clean",
    "buildDate": "1970-01-01T00:00:00Z", "goVersion": "", "compiler": "", "platform": "linux/amd64",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class SeenRequest:
    """What arrived, and whom it was for."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    user: str
    groups: tuple[str, ...]
    uid: str
    extra: tuple[tuple[str, str], ...]
    audit_id: str


@dataclass(frozen=True, slots=True)
class Caller:
    user: str
    groups: tuple[str, ...]
    uid: str
    extra: tuple[tuple[str, str], ...]


class SandboxAPIServer:
    """`await start()`, then `url`, `ca_pem`, `token`; `seen` tells what arrived."""

    def __init__(
        self,
        directory: Path | None = None,
        *,
        clock: Callable[[], float],
        token: str | None = None,
        read_only_groups: frozenset[str] = frozenset(("kwit:readonly",)),
    ) -> None:
        self._directory = directory or Path(tempfile.mkdtemp(prefix="kwit-sandbox-"))
        self._clock = clock
        self.token = token or uuid.uuid4().hex
        self._read_only = read_only_groups
        self.objects = Objects(self._timestamp)
        self.seen: deque[SeenRequest] = deque(maxlen=MAX_SEEN)
        self.url = ""
        self.ca_pem = ""
        self._runner: web.AppRunner | None = None
        self._stopping = asyncio.Event()

    def _timestamp(self) -> str:
        return datetime.fromtimestamp(self._clock(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen with a certificate of the sandbox's own CA, and put a few objects in."""
        ca = load_or_create_ca(self._directory, "cluster-ca", "sandbox cluster", self._clock())
        chain, key = serving_certificate(self._directory, "apiserver", ca, [host, "localhost"], now=self._clock())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain, key)
        app = web.Application(client_max_size=MAX_BODY)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port, ssl_context=context)
        await site.start()
        self.url = f"https://{host}:{self._runner.addresses[0][1]}"
        self.ca_pem = ca.pem
        self._furnish()

    async def stop(self) -> None:
        self._stopping.set()
        async with self.objects.changed:
            self.objects.changed.notify_all()
        if self._runner is not None:
            await self._runner.cleanup()

    def _furnish(self) -> None:
        by_kind = {k.kind: k for k in KINDS}
        if any(self.objects.list(by_kind["Namespace"], "", "", "")):
            return
        for name in ("default", "kube-system", "shop"):
            self.objects.create(by_kind["Namespace"], "", {"metadata": {"name": name}})
        self.objects.create(by_kind["Node"], "", {"metadata": {"name": "sandbox"}})
        for name in ("web-1", "web-2"):
            pod = {
                "metadata": {"name": name, "labels": {"app": "web"}},
                "spec": {"nodeName": "sandbox", "containers": [{"name": "main", "image": "example/web:1"}]},
            }
            self.objects.create(by_kind["Pod"], "shop", pod)
        self.objects.create(
            by_kind["ConfigMap"], "shop", {"metadata": {"name": "settings"}, "data": {"colour": "blue"}}
        )
        self.objects.create(
            by_kind["Secret"],
            "shop",
            {"metadata": {"name": "card-key"}, "type": "Opaque", "data": {"key": "cGxhbnRlZA=="}},
        )

    # -- one request

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        audit_id = request.headers.get("Audit-ID") or str(uuid.uuid4())
        try:
            response = await self._serve(request, audit_id)
        except Problem as problem:
            response = web.json_response(problem.status, status=problem.code)
        except RefusedTarget as error:
            response = web.json_response(Problem(400, "BadRequest", str(error)).status, status=400)
        if not response.prepared:
            response.headers["Audit-Id"] = audit_id
        return response

    async def _serve(self, request: web.Request, audit_id: str) -> web.StreamResponse:
        caller = self._impersonate(request)
        raw = request.raw_path.encode()
        headers = tuple((k, v) for k, v in request.headers.items())
        self.seen.append(
            SeenRequest(
                request.method,
                request.raw_path,
                headers,
                caller.user,
                caller.groups,
                caller.uid,
                caller.extra,
                audit_id,
            )
        )
        if request.headers.get("Upgrade"):
            raise Problem(501, "NotImplemented", "the sandbox has no streams yet")
        info = parse(request.method, canonical(raw))
        if not self._allowed(caller, info):
            raise Problem(403, "Forbidden", _forbidden(caller.user, info))
        if not info.is_resource_request:
            return self._paths(request, info.path)
        return await self._resources(request, info, caller)

    def _impersonate(self, request: web.Request) -> Caller:
        """Protocols of the API server: our account may only impersonate."""
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            raise Problem(401, "Unauthorized", "Unauthorized")
        user, groups, uid, extra = "", [], "", []
        for name, value in request.headers.items():
            lower = name.lower()
            if lower == "impersonate-user" and not user:
                user = value
            elif lower == "impersonate-group":
                groups.append(value)
            elif lower == "impersonate-uid":
                uid = value
            elif lower.startswith("impersonate-extra-"):
                extra.append((unquote(lower.removeprefix("impersonate-extra-")), value))
        if not user:
            if groups or uid or extra:
                raise Problem(400, "BadRequest", "requested impersonation without impersonating a user")
            raise Problem(403, "Forbidden", "the proxy's own account can do nothing but impersonate")
        if "system:authenticated" not in groups:
            groups.append("system:authenticated")
        return Caller(user, tuple(groups), uid, tuple(extra))

    def _allowed(self, caller: Caller, info: RequestInfo) -> bool:
        return not (self._read_only & set(caller.groups)) or info.verb in ("get", "list", "watch", "head")

    def _paths(self, request: web.Request, path: str) -> web.StreamResponse:
        groups = sorted({k.group for k in KINDS if k.group} | {"authorization.k8s.io", "authentication.k8s.io"})
        plain = path.rstrip("/") or "/"
        answers: dict[str, Object] = {
            "/version": VERSION,
            "/api": {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []},
            "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(g) for g in groups]},
            "/api/v1": _resource_list("", "v1"),
            "/openapi/v3": {"paths": {}},
            "/openapi/v2": {
                "swagger": "2.0",
                "info": {"title": "sandbox", "version": "v1"},
                "paths": {},
                "definitions": {},
            },
        }
        for group in groups:
            answers[f"/apis/{group}"] = {"kind": "APIGroup", "apiVersion": "v1", **_group(group)}
            answers[f"/apis/{group}/v1"] = _resource_list(group, "v1")
        if plain in ("/healthz", "/livez", "/readyz"):
            return web.Response(text="ok")
        if plain not in answers:
            return web.Response(status=404, text="404 page not found\n")
        del request
        return web.json_response(answers[plain])

    async def _resources(self, request: web.Request, info: RequestInfo, caller: Caller) -> web.StreamResponse:
        if info.api_group in ("authorization.k8s.io", "authentication.k8s.io"):
            return web.json_response(self._review(info, caller, await request.json()), status=201)
        kind = BY_RESOURCE.get((info.api_group, info.api_version, info.resource))
        if kind is None:
            return web.Response(status=404, text="404 page not found\n")
        if info.verb == "watch":
            return await self._watch(request, kind, info)
        if info.subresource == "log":
            return await self._log(request, info)
        return await self._objects(request, kind, info)

    async def _objects(self, request: web.Request, kind: Kind, info: RequestInfo) -> web.Response:
        o, dry, where = self.objects, request.query.get("dryRun") == "All", info.namespace if kind.namespaced else ""
        if info.subresource == "scale":
            return await self._scale(request, kind, info)
        if info.verb == "list":
            return self._list(request, kind, info, where)
        if info.verb == "get":
            return self._answer(request, kind, o.get(kind, where, info.name))
        if info.verb == "create":
            return self._answer(
                request, kind, await self._told(o.create(kind, where, await _body(request), dry=dry)), 201
            )
        if info.verb == "update":
            return self._answer(
                request, kind, await self._told(o.replace(kind, where, info.name, await _body(request), dry=dry))
            )
        if info.verb == "patch":
            return await self._patch(request, kind, info, where, dry=dry)
        if info.verb == "delete":
            gone = await self._told(o.delete(kind, where, info.name, dry=dry))
            details = {"name": info.name, "group": kind.group, "kind": kind.resource, "uid": gone["metadata"]["uid"]}
            return web.json_response(
                {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
            )
        for item in o.list(kind, where, info.label_selector, info.field_selector):
            await self._told(o.delete(kind, item["metadata"].get("namespace", ""), item["metadata"]["name"], dry=dry))
        return web.json_response({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"})

    async def _told(self, o: Object) -> Object:
        async with self.objects.changed:
            self.objects.changed.notify_all()
        return o

    async def _patch(
        self, request: web.Request, kind: Kind, info: RequestInfo, where: str, *, dry: bool
    ) -> web.Response:
        body, content = await _body(request), request.content_type
        if content == "application/apply-patch+yaml":
            try:
                old = self.objects.get(kind, where, info.name)
            except Problem:
                return self._answer(
                    request, kind, await self._told(self.objects.create(kind, where, body, dry=dry)), 201
                )
            new = merge(old, body)
        elif content == "application/json-patch+json":
            new = json_patch(self.objects.get(kind, where, info.name), body)
        else:
            new = merge(self.objects.get(kind, where, info.name), body)
        new["metadata"].pop("managedFields", None)
        if not (isinstance(body, dict) and body.get("metadata", {}).get("resourceVersion")):
            new["metadata"].pop("resourceVersion", None)
        return self._answer(request, kind, await self._told(self.objects.replace(kind, where, info.name, new, dry=dry)))

    async def _scale(self, request: web.Request, kind: Kind, info: RequestInfo) -> web.Response:
        o = dict(self.objects.get(kind, info.namespace, info.name))
        if request.method != "GET":
            body = await _body(request)
            o["spec"] = {**o["spec"], "replicas": int(body["spec"]["replicas"])}
            o["metadata"] = {k: v for k, v in o["metadata"].items() if k != "resourceVersion"}
            o = await self._told(self.objects.replace(kind, info.namespace, info.name, o))
        meta = {k: o["metadata"][k] for k in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")}
        replicas = o["spec"]["replicas"]
        return web.json_response(
            {
                "kind": "Scale",
                "apiVersion": "autoscaling/v1",
                "metadata": meta,
                "spec": {"replicas": replicas},
                "status": {"replicas": replicas},
            }
        )

    def _age(self, o: Object) -> str:
        made = datetime.strptime(o["metadata"]["creationTimestamp"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        seconds = max(0, int(self._clock() - made.timestamp()))
        return f"{seconds}s" if seconds < 120 else f"{seconds // 60}m"

    def _list(self, request: web.Request, kind: Kind, info: RequestInfo, where: str) -> web.Response:
        items = self.objects.list(kind, where, info.label_selector, info.field_selector)
        limit, start = int(request.query.get("limit") or 0), int(request.query.get("continue") or 0)
        meta: Object = {"resourceVersion": str(self.objects.version)}
        if limit and len(items) > start + limit:
            meta.update({"continue": str(start + limit), "remainingItemCount": len(items) - start - limit})
        items = items[start : start + limit] if limit else items[start:]
        if "as=Table" in request.headers.get("Accept", ""):
            return web.json_response(table(kind, items, meta, self._age))
        return web.json_response(
            {"kind": kind.kind + "List", "apiVersion": kind.api_version, "metadata": meta, "items": items}
        )

    def _answer(self, request: web.Request, kind: Kind, o: Object, status: int = 200) -> web.Response:
        if "as=Table" in request.headers.get("Accept", ""):
            meta = {"resourceVersion": o["metadata"]["resourceVersion"]}
            return web.json_response(table(kind, [o], meta, self._age), status=status)
        return web.json_response(o, status=status)

    async def _watch(self, request: web.Request, kind: Kind, info: RequestInfo) -> web.StreamResponse:
        asked = request.query.get("resourceVersion") or "0"
        fields = info.field_selector or (f"metadata.name={info.name}" if info.name else "")
        as_table = "as=Table" in request.headers.get("Accept", "")
        where = info.namespace if kind.namespaced else ""
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)

        async def send(change: str, o: Object) -> None:
            if as_table and change not in ("BOOKMARK", "ERROR"):
                o = table(kind, [o], {"resourceVersion": o["metadata"]["resourceVersion"]}, self._age)
            await response.write(json.dumps({"type": change, "object": o}).encode() + b"\n")

        version = int(asked)
        initial = request.query.get("sendInitialEvents") == "true"
        if version == 0 or initial:
            for o in self.objects.list(kind, where, info.label_selector, fields):
                await send("ADDED", o)
            version = self.objects.version
            if initial:
                await send("BOOKMARK", self._bookmark(kind, {"k8s.io/initial-events-end": "true"}))
        end = asyncio.get_running_loop().time() + float(request.query.get("timeoutSeconds") or 1800)
        while not self._stopping.is_set() and asyncio.get_running_loop().time() < end:
            for change in [c for c in self.objects.history if c.version > version]:
                version = change.version
                here = not where or change.object["metadata"].get("namespace") == where
                if change.kind is kind and here and matches(change.object, info.label_selector, fields):
                    await send(change.type, change.object)
            async with self.objects.changed:
                try:
                    left = min(BOOKMARK_SECONDS, end - asyncio.get_running_loop().time())
                    await asyncio.wait_for(self.objects.changed.wait(), max(left, 0.01))
                except TimeoutError:
                    if request.query.get("allowWatchBookmarks"):
                        await send("BOOKMARK", self._bookmark(kind, {}))
        return response

    def _bookmark(self, kind: Kind, annotations: Object) -> Object:
        meta: Object = {"resourceVersion": str(self.objects.version)}
        if annotations:
            meta["annotations"] = annotations
        return {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": meta}

    async def _log(self, request: web.Request, info: RequestInfo) -> web.StreamResponse:
        self.objects.get(BY_RESOURCE[("", "v1", "pods")], info.namespace, info.name)
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await response.prepare(request)
        tail = int(request.query.get("tailLines") or 3)
        for number in range(1, tail + 1):
            await response.write(f"{info.name}: line {number}\n".encode())
        number = tail
        follow = request.query.get("follow", "false") not in ("false", "0")
        while follow and not self._stopping.is_set():
            number += 1
            await asyncio.sleep(0.2)
            await response.write(f"{info.name}: line {number}\n".encode())
        return response

    def _review(self, info: RequestInfo, caller: Caller, body: Object) -> Object:
        if info.resource == "selfsubjectreviews":
            extra = {k: [v for n, v in caller.extra if n == k] for k, _ in caller.extra}
            user = {"username": caller.user, "groups": list(caller.groups), "extra": extra}
            return {**body, "status": {"userInfo": {**user, "uid": caller.uid} if caller.uid else user}}
        if info.resource == "selfsubjectaccessreviews":
            attributes = body.get("spec", {}).get("resourceAttributes") or {"verb": "get"}
            reads = attributes.get("verb") in ("get", "list", "watch")
            return {**body, "status": {"allowed": reads or not (self._read_only & set(caller.groups))}}
        rules = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
        return {**body, "status": {"resourceRules": [rules], "nonResourceRules": [], "incomplete": False}}


async def _body(request: web.Request) -> Any:
    text = await request.text()
    try:
        return yaml.safe_load(text) if "yaml" in request.content_type else json.loads(text or "{}")
    except ValueError as error:
        raise Problem(400, "BadRequest", "the body of the request cannot be read") from error


def _forbidden(user: str, info: RequestInfo) -> str:
    if not info.is_resource_request:
        return f'forbidden: User "{user}" cannot {info.verb} path "{info.path}"'
    what = f"{info.resource}.{info.api_group}" if info.api_group else info.resource
    name = f' "{info.name}"' if info.name else ""
    sub = f"/{info.subresource}" if info.subresource else ""
    scope = f'in the namespace "{info.namespace}"' if info.namespace else "at the cluster scope"
    return (
        f'{what}{name} is forbidden: User "{user}" cannot {info.verb} resource "{info.resource}{sub}" in API group '
        f'"{info.api_group}" {scope}'
    )


def _group(name: str) -> Object:
    version = {"groupVersion": f"{name}/v1", "version": "v1"}
    return {"name": name, "versions": [version], "preferredVersion": version}


def _resource_list(group: str, version: str) -> Object:
    resources: list[Object] = []
    for kind in KINDS:
        if (kind.group, kind.version) != (group, version):
            continue
        resources.append(
            {
                "name": kind.resource,
                "singularName": kind.singular,
                "namespaced": kind.namespaced,
                "kind": kind.kind,
                "verbs": list(kind.verbs),
                "shortNames": list(kind.short),
            }
        )
        resources += [
            {
                "name": f"{kind.resource}/{sub}", "singularName": "", "namespaced": kind.namespaced,
                "kind": "Scale" if sub == "scale" else kind.kind, "verbs": ["get", "patch", "update"],
                **({"group": "autoscaling", "version": "v1"} if sub == "scale" else {}),
            }
            for sub in kind.subresources
        ]  # fmt: skip
    reviews = {
        "authorization.k8s.io": ("SelfSubjectAccessReview", "SelfSubjectRulesReview"),
        "authentication.k8s.io": ("SelfSubjectReview",),
    }
    resources += [
        {
            "name": name.lower() + "s",
            "singularName": name.lower(),
            "namespaced": False,
            "kind": name,
            "verbs": ["create"],
        }
        for name in reviews.get(group, ())
    ]
    group_version = f"{group}/{version}" if group else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": resources}


__all__ = ["SandboxAPIServer", "SeenRequest"]

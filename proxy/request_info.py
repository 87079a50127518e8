"""What a request is about, exactly as the API server would read it: a port of apiserver `endpoints/request` as a pure
function over a canonical target (kubernetes/apiserver `requestinfo.go`, NewRequestInfo; vectors in
tests/vectors/request_info.json).

Two things are refused that the API server accepts: the old verb prefixes (`/api/v1/watch/…`, `/api/v1/proxy/…`), and
parameters given twice of which it would read the first only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from proxy.target import RefusedTarget, Target

_VERBS = {"POST": "create", "GET": "get", "HEAD": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_NAMESPACE_SUBRESOURCES = frozenset(("status", "finalize"))
_LONG_RUNNING_SUBRESOURCES = frozenset(("attach", "exec", "proxy", "log", "portforward"))
SINGLE_VALUED = frozenset(
    (
        "allowWatchBookmarks", "container", "continue", "dryRun", "fieldManager", "fieldSelector", "fieldValidation",
        "follow", "force", "gracePeriodSeconds", "insecureSkipTLSVerifyBackend", "labelSelector", "limit", "limitBytes",
        "orphanDependents", "pretty", "previous", "propagationPolicy", "resourceVersion", "resourceVersionMatch",
        "sendInitialEvents", "sinceSeconds", "sinceTime", "stderr", "stdin", "stdout", "stream", "tailLines", "timeout",
        "timeoutSeconds", "timestamps", "tty", "watch",
    )
)  # fmt: skip
"""Parameters of which the API server reads one value. `command` and `ports` repeat by right."""
_INTEGERS = re.compile(r"[+-]?[0-9]{1,19}")


@dataclass(frozen=True, slots=True)
class RequestInfo:
    """The attributes of a request, in Kubernetes' words. Empty text where the API server has an empty string."""

    is_resource_request: bool
    path: str
    verb: str
    api_prefix: str = ""
    api_group: str = ""
    api_version: str = ""
    namespace: str = ""
    resource: str = ""
    subresource: str = ""
    name: str = ""
    parts: tuple[str, ...] = ()
    field_selector: str = ""
    label_selector: str = ""

    @property
    def is_long_running(self) -> bool:
        """kube-apiserver's own reading: no deadline, and a ResponseStarted stage."""
        if not self.is_resource_request:
            return self.path.startswith("/debug/pprof/")
        return self.verb in ("watch", "proxy") or self.subresource in _LONG_RUNNING_SUBRESOURCES


def parse(method: str, target: Target) -> RequestInfo:
    """Method and canonical target → RequestInfo. Raises RefusedTarget."""
    path = target.path
    segments = path.strip("/").split("/")
    if len(segments) < 3 or segments[0] not in ("api", "apis"):
        return RequestInfo(False, path, method.lower())
    prefix, segments = segments[0], segments[1:]
    group = ""
    if prefix == "apis":
        if len(segments) < 3:
            return RequestInfo(False, path, method.lower())
        group, segments = segments[0], segments[1:]
    version, segments = segments[0], segments[1:]
    if segments[0] in ("watch", "proxy"):
        raise RefusedTarget("the old /watch/ and /proxy/ prefixes are not served")
    _refuse_repeats(target)
    namespace = ""
    if segments[0] == "namespaces" and len(segments) > 1:
        namespace = segments[1]
        if len(segments) > 2 and segments[2] not in _NAMESPACE_SUBRESOURCES:
            segments = segments[2:]
    parts = tuple(segments)
    resource = parts[0] if parts else ""
    name = parts[1] if len(parts) > 1 else ""
    subresource = parts[2] if len(parts) > 2 else ""
    verb = _VERBS.get(method, "")
    if not name and verb == "get":
        verb, name = _collection(target)
    if not name and verb == "delete":
        verb = "deletecollection"
    field_selector = label_selector = ""
    if verb in ("list", "watch", "deletecollection"):
        field_selector = target.first("fieldSelector") or ""
        label_selector = target.first("labelSelector") or ""
    return RequestInfo(
        True,
        path,
        verb,
        prefix,
        group,
        version,
        namespace,
        resource,
        subresource,
        name,
        parts,
        field_selector,
        label_selector,
    )


def _refuse_repeats(target: Target) -> None:
    seen: set[str] = set()
    for key, _ in target.query:
        if key in SINGLE_VALUED:
            if key in seen:
                raise RefusedTarget(f"the parameter {key} is given twice")
            seen.add(key)


def _collection(target: Target) -> tuple[str, str]:
    """(list or watch, name from the field selector): a nameless get."""
    if not _decodes(target):
        value = target.first("watch")
        watching = value is not None and value.lower() not in ("false", "0")
        return ("watch" if watching else "list"), ""
    verb = "watch" if _true(target.first("watch")) else "list"
    return verb, _selected_name(target.first("fieldSelector") or "")


def _true(value: str | None) -> bool:
    """Kubernetes' query booleans: absent, `0` and `false` are false, everything else is true, the empty text included."""
    return value is not None and value != "0" and value.lower() != "false"


def _decodes(target: Target) -> bool:
    """Whether ListOptions can be read: its integers must be integers, its field selector must parse."""
    for name in ("timeoutSeconds", "limit"):
        value = target.first(name)
        if value is not None and not _INTEGERS.fullmatch(value):
            return False
    selector = target.first("fieldSelector")
    return selector is None or _requirements(selector) is not None


def _requirements(selector: str) -> list[tuple[str, str, str]] | None:
    """[(field, operator, value)] of a field selector, or None where it does not parse (fields.ParseSelector)."""
    requirements: list[tuple[str, str, str]] = []
    for term in re.split(r"(?<!\\),", selector):
        if not term:
            continue
        match = re.search(r"(?<!\\)(==|!=|=)", term)
        if match is None:
            return None
        value = term[match.end() :]
        if re.search(r"(?<!\\)(?:\\\\)*[=,]", value) or re.search(r"\\(?![\\,=])", value):
            return None
        requirements.append((term[: match.start()], match[1], re.sub(r"\\([\\,=])", r"\1", value)))
    return requirements


def _selected_name(selector: str) -> str:
    for field, operator, value in _requirements(selector) or ():
        if field == "metadata.name" and operator in ("=", "=="):
            if value in (".", "..") or "/" in value or "%" in value:
                return ""
            return value
    return ""

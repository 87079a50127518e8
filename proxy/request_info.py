"""What a request is about, exactly as the API server would read it: apiserver `endpoints/request` NewRequestInfo, as a
pure function over a canonical target. tests/vectors/request_info.json holds what the real program answers.

Refused although the API server accepts it: the old verb prefixes (`/api/v1/watch/…`, `/api/v1/proxy/…`), a parameter
given twice of which it would read the first only, and a name taken from a field selector beside a label selector of
which we cannot tell whether the API server can read it (it would then take no name at all).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from proxy.target import RefusedTarget, Target, query_bool

_VERBS = {"POST": "create", "GET": "get", "HEAD": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_NAMESPACE_SUBRESOURCES = frozenset(("status", "finalize"))
_LONG_RUNNING_SUBRESOURCES = frozenset(("attach", "exec", "proxy", "log", "portforward"))
SINGLE_VALUED = frozenset(
    (
        "allowWatchBookmarks", "container", "continue", "dryRun", "fieldManager", "fieldSelector", "fieldValidation",
        "follow", "force", "gracePeriodSeconds", "ignoreStoreReadErrorWithClusterBreakingPotential",
        "insecureSkipTLSVerifyBackend", "labelSelector", "limit", "limitBytes", "orphanDependents", "pretty",
        "previous", "propagationPolicy", "resourceVersion", "resourceVersionMatch", "sendInitialEvents",
        "shardSelector", "sinceSeconds", "sinceTime", "stderr", "stdin", "stdout", "stream", "tailLines", "timeout",
        "timeoutSeconds", "timestamps", "tty", "watch",
    )
)  # fmt: skip
"""Parameters of which the API server reads one value. `command` and `ports` repeat by right."""

_INTEGER = re.compile(r"[+-]?[0-9]+", re.ASCII)
_INT64 = range(-(1 << 63), 1 << 63)

_LABEL_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?(?![A-Za-z0-9_./-])"
_LABEL_PREFIX = r"(?=[a-z0-9.-]{1,253}/)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*"
_LABEL_KEY = rf"(?!(?:in|notin)\b)(?:{_LABEL_PREFIX}/)?{_LABEL_NAME}"
_LABEL_WORD = rf"(?!(?:in|notin)\b){_LABEL_NAME}"
_LABEL_TERM = (
    rf"{_LABEL_KEY} {{0,8}}(?:(?:==?|!=) {{0,8}}(?:{_LABEL_WORD})?"
    rf"|(?:in|notin) {{0,8}}\( {{0,8}}{_LABEL_WORD} {{0,8}}(?:, {{0,8}}{_LABEL_WORD} {{0,8}})*\))?|!{_LABEL_KEY}"
)
_LABELS_SURELY_READ = re.compile(rf"(?> {{0,8}}(?:{_LABEL_TERM}) {{0,8}}(?:,(?=.)|\Z))*+", re.ASCII)
"""A subset of what `labels.Parse` accepts, wide enough for what people write; atomic: a failure costs no retries."""


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
    def is_watch(self) -> bool:
        """Whether the answer is a stream of watch events."""
        return self.is_resource_request and self.verb == "watch"

    @property
    def is_long_running(self) -> bool:
        """kube-apiserver's own reading: no deadline, and a ResponseStarted stage."""
        if not self.is_resource_request:
            return self.path.startswith("/debug/pprof/")
        return self.verb == "watch" or self.subresource in _LONG_RUNNING_SUBRESOURCES


def parse(method: str, target: Target) -> RequestInfo:
    """Method and canonical target → RequestInfo. Raises RefusedTarget."""
    path = target.path
    segments = path.strip("/").split("/")
    grouped = segments[0] == "apis"
    if len(segments) < (4 if grouped else 3) or not (grouped or segments[0] == "api"):
        # the API server has read prefix and group by then when only the version's resource is missing
        prefix = "apis" if grouped and len(segments) == 3 else ""
        return RequestInfo(False, path, method.lower(), prefix)
    prefix, group, version = (segments[0], segments[1] if grouped else "", segments[2 if grouped else 1])
    parts = segments[3 if grouped else 2 :]
    if parts[0] in ("watch", "proxy"):
        raise RefusedTarget("the old /watch/ and /proxy/ prefixes are not served")
    namespace = ""
    if parts[0] == "namespaces" and len(parts) > 1:
        namespace = parts[1]
        if len(parts) > 2 and parts[2] not in _NAMESPACE_SUBRESOURCES:
            parts = parts[2:]
    name = parts[1] if len(parts) > 1 else ""
    subresource = parts[2] if len(parts) > 2 else ""
    if subresource != "proxy":  # whose query is another server's
        _refuse_repeats(target)
    verb = _VERBS.get(method, "")
    if not name:
        verb, name = _of_collection(verb, target)
    fields = labels = ""
    if verb in ("list", "watch", "deletecollection"):
        fields, labels = target.first("fieldSelector") or "", target.first("labelSelector") or ""
    resource = parts[0]
    return RequestInfo(
        True, path, verb, prefix, group, version, namespace, resource, subresource, name, tuple(parts), fields, labels
    )


def _refuse_repeats(target: Target) -> None:
    if len(target.query) < 2:
        return
    seen: set[str] = set()
    for key, _ in target.query:
        if key in SINGLE_VALUED:
            if key in seen:
                raise RefusedTarget(f"the parameter {key} is given twice")
            seen.add(key)


def _of_collection(verb: str, target: Target) -> tuple[str, str]:
    """(verb, name) of a request whose path has no name."""
    if verb == "delete":
        return "deletecollection", ""
    if verb != "get":
        return verb, ""
    selector = target.first("fieldSelector")
    name = _selected_name(selector, target) if selector else ""
    return ("watch" if _true(target.first("watch")) else "list"), name


def _true(value: str | None) -> bool:
    """As `query_bool`, where it is sure to be read so.

    Go folds case by Unicode (U+017F is an `s`) where ListOptions can be read, and not where they cannot.
    """
    if value is not None and not value.isascii():
        raise RefusedTarget("the parameter watch is not ASCII")
    return query_bool(value)


def _selected_name(selector: str, target: Target) -> str:
    """The name that a field selector requires, where all of ListOptions can be read; else none."""
    requirements = _requirements(selector)
    if requirements is None:
        return ""
    name = next((value for field, equal, value in requirements if equal and field == "metadata.name"), "")
    if not name or name in (".", "..") or "/" in name or "%" in name:
        return ""  # Kubernetes' IsPathSegmentName
    if not all(_is_int64(target.first(number)) for number in ("timeoutSeconds", "limit")):
        return ""
    labels = target.first("labelSelector")
    if labels and not _LABELS_SURELY_READ.fullmatch(labels):
        raise RefusedTarget("a label selector that is not certain to be read, beside a field selector for one name")
    return name


def _is_int64(text: str | None) -> bool:
    """Whether Go's strconv.ParseInt(text, 10, 64) accepts it; an absent parameter is no obstacle."""
    if text is None:
        return True
    digits = text.lstrip("+-0")
    return _INTEGER.fullmatch(text) is not None and len(digits) < 20 and int(text) in _INT64


def _requirements(selector: str) -> list[tuple[str, bool, str]] | None:
    """[(field, whether equal, value)] in the order of the API server, or None where `fields.ParseSelector` fails."""
    requirements = []
    for term in sorted(_terms(selector), key=str.encode):  # it sorts: of two names the lesser one counts
        if not term:
            continue
        match = re.search("!=|==?", term)
        value = _unescaped(term[match.end() :]) if match else None
        if match is None or value is None:
            return None
        requirements.append((term[: match.start()], match[0] != "!=", value))
    return requirements


def _terms(selector: str) -> list[str]:
    """Split at commas, except those behind a backslash."""
    terms, start, escaped = [], 0, False
    for at, character in enumerate(selector):
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == ",":
            terms.append(selector[start:at])
            start = at + 1
    return [*terms, selector[start:]]


def _unescaped(value: str) -> str | None:
    r"""A selector's value: `\` before `\`, `,` or `=`, which cannot stand alone. None where it is malformed."""
    if re.fullmatch(r"(?:[^\\,=]|\\[\\,=])*", value, re.DOTALL) is None:
        return None
    return re.sub(r"\\(.)", r"\1", value)

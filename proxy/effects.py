"""What a request does, in our verbs: everything that must be allowed, whatever HTTP method it comes with.

Kubernetes decides exec by the method (a WebSocket exec is a `get`); we decide it as one act. See design, section 6.
Own verbs that stand instead of Kubernetes' verb: exec, attach, portforward (on pods), proxy (on what is proxied to),
debug (on pods), mint. Own verbs that are needed beside it: escalate, bind. `impersonate` comes from headers, not from
here. tests/vectors/effects.json holds the whole matrix.
"""

from __future__ import annotations

from dataclasses import dataclass

from proxy.request_info import RequestInfo

APPLY = ("application/apply-patch+yaml", "application/apply-patch+cbor")
_STREAMS = frozenset(("exec", "attach", "portforward"))
_RBAC = "rbac.authorization.k8s.io"
_WRITES = frozenset(("create", "update", "patch"))


@dataclass(frozen=True, slots=True)
class Effect:
    """One thing that a role must allow. `verb` is Kubernetes' or one of our own.

    An own verb that names the subresource's act carries no subresource: exec is done to a pod. `mint` keeps it.
    """

    verb: str
    api_group: str
    resource: str
    subresource: str
    namespace: str
    name: str


def effects(
    info: RequestInfo, method: str, query: tuple[tuple[str, str], ...], content_type: str
) -> tuple[Effect, ...]:
    """All effects of a request; every one must be allowed. Never empty."""
    del method, query  # a verdict by method is what this module is there to prevent

    def of(verb: str, subresource: str = info.subresource, name: str = info.name) -> Effect:
        return Effect(verb, info.api_group, info.resource, subresource, info.namespace, name)

    if not info.is_resource_request:
        return (of(info.verb),)
    if info.subresource == "proxy":
        return (of("proxy", "", _proxied(info.name)),)
    if info.api_group == "" and info.resource == "pods":
        if info.subresource in _STREAMS:
            return (of(info.subresource, ""),)
        if info.subresource == "ephemeralcontainers" and info.verb in _WRITES:
            return (of("debug", ""),)
    wanted = [of(info.verb)]
    if info.verb == "patch" and content_type.split(";", maxsplit=1)[0].strip().lower() in APPLY:
        wanted.append(of("create"))  # server-side apply makes what is not there
    own = _own_verb(info)
    if own == "mint":
        return (of(own),)
    if own is not None:
        wanted.append(of(own))
    return tuple(wanted)


def _proxied(name: str) -> str:
    """`[scheme:]name[:port]` → name (Kubernetes' SplitSchemeNamePort), so that rules know it in every spelling."""
    pieces = name.split(":")
    if len(pieces) == 3:
        return pieces[1]
    return pieces[0] if len(pieces) == 2 else name


def _own_verb(info: RequestInfo) -> str | None:
    if info.verb not in _WRITES:
        return None
    if info.api_group == "" and info.resource == "serviceaccounts" and info.subresource == "token":
        return "mint"
    if info.api_group == "certificates.k8s.io" and info.resource in (
        "certificatesigningrequests",
        "podcertificaterequests",
    ):
        return "mint"
    if info.api_group == _RBAC:
        if info.resource in ("roles", "clusterroles"):
            return "escalate"
        if info.resource in ("rolebindings", "clusterrolebindings"):
            return "bind"
    return None

"""Who may do what in the sandbox, and the reviews that tell it. The proxy decides; this is the cluster behind it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from deploy.sandbox.apiserver.caller import ACCOUNT, AUTHENTICATED, Caller
from deploy.sandbox.apiserver.kinds import Object
from deploy.sandbox.apiserver.problem import Cause, Problem
from proxy.request_info import RequestInfo

READ_ONLY = "kwit:readonly"
"""Who is in this group may only look."""
_READS = frozenset(("get", "list", "watch", "head"))
_FOR_ALL = ("/api", "/apis", "/healthz", "/livez", "/openapi", "/readyz", "/version")
_REVIEWS = frozenset(("selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews"))
_IMPERSONATED = frozenset(("users", "groups", "uids", "userextras", "serviceaccounts"))


@dataclass(frozen=True, slots=True)
class Attributes:
    """What is asked for; `path` for what is no resource, `resource` with its subresource for what is one."""

    verb: str
    group: str = ""
    resource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""


Access = Callable[[Caller, Attributes], bool]
"""Whether somebody other than the proxy's own account may."""


def everything_but_for_readers(caller: Caller, asked: Attributes) -> bool:
    """The sandbox's own rule."""
    return READ_ONLY not in caller.groups or asked.verb in _READS


def attributes(info: RequestInfo) -> Attributes:
    """Of a request."""
    if not info.is_resource_request:
        return Attributes(info.verb, path=info.path)
    resource = f"{info.resource}/{info.subresource}" if info.subresource else info.resource
    return Attributes(info.verb, info.api_group, resource, info.namespace, info.name)


def allowed(caller: Caller, asked: Attributes, access: Access) -> bool:
    """The rule for everybody, for the proxy's account, for masters, then `access`."""
    if asked.path:
        root = "/" + asked.path.split("/")[1]
        anybody = root in _FOR_ALL and asked.verb in _READS
        return anybody or caller.is_master or (caller.user != ACCOUNT and access(caller, asked))
    if asked.resource in _REVIEWS and asked.verb == "create":
        return AUTHENTICATED in caller.groups
    if caller.user == ACCOUNT:
        return asked.verb == "impersonate" and asked.resource.partition("/")[0] in _IMPERSONATED
    return caller.is_master or (asked.verb != "impersonate" and access(caller, asked))


def refusal(caller: Caller, asked: Attributes) -> Problem:
    """403 as RBAC words it."""
    if asked.path:
        return Problem(403, "Forbidden", f'forbidden: User "{caller.user}" cannot {asked.verb} path "{asked.path}"', {})
    resource = asked.resource.partition("/")[0]
    what = f"{resource}.{asked.group}" if asked.group else resource
    scope = f'in the namespace "{asked.namespace}"' if asked.namespace else "at the cluster scope"
    name = f' "{asked.name}"' if asked.name else ""
    message = (
        f'{what}{name} is forbidden: User "{caller.user}" cannot {asked.verb} resource "{asked.resource}" '
        f'in API group "{asked.group}" {scope}'
    )
    about = {"name": asked.name, "group": asked.group, "kind": resource}
    return Problem(403, "Forbidden", message, {key: value for key, value in about.items() if value})


def review(kind: str, o: Object, caller: Caller, access: Access, now: str) -> Object:
    """A review with its status. Raises Problem 422."""
    if kind == "SelfSubjectReview":
        return o | {"metadata": {"creationTimestamp": now}, "status": {"userInfo": user_info(caller)}}
    if kind == "SelfSubjectAccessReview":
        return o | {"status": {"allowed": allowed(caller, _asked(o.get("spec", {})), access)}}
    every = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
    reviews = {"verbs": ["create"], "apiGroups": ["authorization.k8s.io"], "resources": sorted(_REVIEWS)}
    paths = {"verbs": ["get"], "nonResourceURLs": [url for root in _FOR_ALL for url in (root, f"{root}/*")]}
    rules = [every, reviews] if allowed(caller, Attributes("create", "", "pods"), access) else [reviews]
    return o | {"status": {"resourceRules": rules, "nonResourceRules": [paths], "incomplete": False}}


def user_info(caller: Caller) -> Object:
    """authentication/v1 UserInfo."""
    extra: dict[str, list[str]] = {}
    for key, value in caller.extra:
        extra.setdefault(key, []).append(value)
    about = {"username": caller.user, "uid": caller.uid, "groups": list(caller.groups), "extra": extra}
    return {key: value for key, value in about.items() if value}


def _asked(spec: Object) -> Attributes:
    resource, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if (resource is None) == (path is None):
        detail = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        cause = Cause.invalid("spec.resourceAttributes", "null", detail)
        causes = [{"reason": cause.reason, "message": cause.message, "field": cause.field}]
        message = f'.authorization.k8s.io "" is invalid: {cause.field}: {cause.message}'
        raise Problem(422, "Invalid", message, {"group": "authorization.k8s.io", "causes": causes})
    if path is not None:
        return Attributes(path.get("verb", ""), path=path.get("path", "") or "/")
    assert resource is not None
    sub = resource.get("subresource", "")
    what = resource.get("resource", "")
    return Attributes(
        resource.get("verb", ""),
        resource.get("group", ""),
        f"{what}/{sub}" if sub else what,
        resource.get("namespace", ""),
        resource.get("name", ""),
    )

"""One rule of an audit policy, and whether it speaks of a request.

apiserver `pkg/audit/policy/checker.go`, ruleMatches and below. An empty list means any. A rule with namespaces or
resources speaks of resource requests only, one with URLs of the others only, one with neither of both.
"""

from __future__ import annotations

from dataclasses import dataclass

from recordings.audit.policy.level import Level, Stage


@dataclass(frozen=True, slots=True)
class PolicyAttributes:
    """What rules look at, in Kubernetes' words. `user` is who called, before any impersonation."""

    user: str
    groups: frozenset[str]
    verb: str
    is_resource_request: bool
    path: str = ""
    api_group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class GroupResources:
    """Resources of one API group: `pods`, `pods/log`, `*/scale`, `pods/*`, `*`. Names need resources beside them."""

    group: str
    resources: tuple[str, ...] = ()
    resource_names: tuple[str, ...] = ()

    def matches(self, a: PolicyAttributes) -> bool:
        if self.group not in ("*", a.api_group):
            return False
        if not self.resources:
            return True
        if self.resource_names and a.name not in self.resource_names:
            return False
        return any(_resource_matches(pattern, a.resource, a.subresource) for pattern in self.resources)


@dataclass(frozen=True, slots=True)
class PolicyRule:
    """`name` is what its author wrote above it, `line` where it stands; neither decides anything."""

    level: Level
    users: tuple[str, ...] = ()
    user_groups: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()
    resources: tuple[GroupResources, ...] = ()
    namespaces: tuple[str, ...] = ()
    non_resource_urls: tuple[str, ...] = ()
    omit_stages: tuple[Stage, ...] = ()
    omit_managed_fields: bool | None = None
    name: str = ""
    line: int = 0

    @property
    def speaks_of_resources_only(self) -> bool:
        return bool(self.resources or self.namespaces)

    def matches(self, a: PolicyAttributes) -> bool:
        """Whether this rule speaks of the request."""
        if self.users and a.user not in self.users:
            return False
        if self.user_groups and a.groups.isdisjoint(self.user_groups):
            return False
        if self.verbs and a.verb not in self.verbs:
            return False
        if self.speaks_of_resources_only:
            return self._matches_resource(a)
        if self.non_resource_urls:
            return not a.is_resource_request and any(url_matches(url, a.path) for url in self.non_resource_urls)
        return True

    def _matches_resource(self, a: PolicyAttributes) -> bool:
        if not a.is_resource_request or (self.namespaces and a.namespace not in self.namespaces):
            return False
        return not self.resources or any(group.matches(a) for group in self.resources)


def _resource_matches(pattern: str, resource: str, subresource: str) -> bool:
    """`res/*` is also the bare resource, by the API server's code if not by its words."""
    combined = f"{resource}/{subresource}" if subresource else resource
    if pattern in ("*", combined):
        return True
    if subresource and pattern == f"*/{subresource}":
        return True
    return pattern == f"{resource}/*"


def url_matches(pattern: str, path: str) -> bool:
    """`*`, the path itself, or its beginning before one `*` at the end."""
    return pattern in ("*", path) or (pattern.endswith("*") and path.startswith(pattern.rstrip("*")))

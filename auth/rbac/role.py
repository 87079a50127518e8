"""What may stand in roles and bindings, as written; whether it makes sense is `auth.rbac.compilation`'s to say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Protocol

from auth.rbac.ports import Ports

KUBERNETES_VERBS = frozenset(("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"))
URL_VERBS = frozenset(("get", "head", "post", "put", "patch", "delete", "options"))
OWN_VERBS = frozenset(("exec", "attach", "portforward", "proxy", "debug", "mint", "impersonate", "escalate", "bind"))


class PolicyError(ValueError):
    """Everything wrong with a set of roles: each of `mistakes` says where, what, and what was expected."""

    def __init__(self, mistakes: Sequence[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = tuple(mistakes)


class ConditionError(ValueError):
    """A condition cannot be read, or cannot be evaluated for somebody."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where something was written. `lines` (from 1) by path, such as `spec.allow[0].verbs`; `line` is its first."""

    file: str
    line: int
    what: str
    lines: Mapping[str, int] = field(default_factory=dict, compare=False, repr=False)

    def at(self, path: str) -> str:
        """`file:line: what`, with the line of `path` or of the nearest thing that contains it."""
        while path and path not in self.lines:
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return f"{self.file}:{self.lines.get(path, self.line)}: {self.what}"


@dataclass(frozen=True, slots=True)
class Rule:
    """One entry of `allow` or `deny`, as written."""

    verbs: tuple[str, ...]
    api_groups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    namespaces: tuple[str, ...] | None = None
    except_namespaces: tuple[str, ...] = ()
    names: tuple[str, ...] | None = None
    except_names: tuple[str, ...] = ()
    non_resource_urls: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    requestable: bool = False


@dataclass(frozen=True, slots=True)
class Options:
    """Obligations; of several roles' the strictest holds."""

    certificate_ttl_seconds: float | None = None
    record: str = "standard"
    require_reason: tuple[str, ...] = ()
    require_mfa: tuple[str, ...] = ()
    max_streams: int | None = None
    hide_unechoed_input: bool = False
    """Of what is typed at a terminal while its echo is off, a recording has the length only."""
    forward_ports: Ports | None = None
    """None: a port-forward may reach every port."""


NO_OPTIONS = Options()


@dataclass(frozen=True, slots=True)
class Role:
    """Who may do what as whom, on which clusters; `source` is where it was written."""

    name: str
    cluster_names: tuple[str, ...] = ("*",)
    cluster_labels: tuple[tuple[str, str], ...] = ()
    as_user: str | None = None
    as_groups: tuple[str, ...] = ()
    allow: tuple[Rule, ...] = ()
    deny: tuple[Rule, ...] = ()
    options: Options = NO_OPTIONS
    source: Source | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    """Somebody a role is given to; without a connector, of the only one that is configured."""

    kind: str  # Group or User
    name: str
    connector: str | None = None


@dataclass(frozen=True, slots=True)
class RoleBinding:
    """A role, and to whom it is given; `when` is a condition as written."""

    name: str
    role: str
    subjects: tuple[Subject, ...]
    when: str | None = None
    source: Source | None = None


class Condition(Protocol):
    """A compiled `when`: true binds. Raises ConditionError where it cannot say."""

    def __call__(self, username: str, groups: tuple[str, ...], claims: Mapping[str, object]) -> bool: ...


def strictest(options: Sequence[Options]) -> Options:
    """Of each option the strictest; none given is none asked for."""
    lifetimes = [o.certificate_ttl_seconds for o in options if o.certificate_ttl_seconds is not None]
    ports = [o.forward_ports for o in options if o.forward_ports is not None]
    streams = [o.max_streams for o in options if o.max_streams is not None]
    return Options(
        min(lifetimes, default=None),
        "strict" if any(o.record == "strict" for o in options) else "standard",
        tuple(sorted({v for o in options for v in o.require_reason})),
        tuple(sorted({v for o in options for v in o.require_mfa})),
        min(streams, default=None),
        any(o.hide_unechoed_input for o in options),
        reduce(Ports.common, ports) if ports else None,
    )

"""One effect of a request, asked about by one person on one cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, Self

from auth.identity import Identity


class Act(Protocol):
    """What somebody wants to do, without who and where. Empty text means that there is none."""

    @property
    def verb(self) -> str: ...
    @property
    def api_group(self) -> str: ...
    @property
    def resource(self) -> str: ...
    @property
    def subresource(self) -> str: ...
    @property
    def namespace(self) -> str: ...
    @property
    def name(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Attributes:
    """One effect, asked about. Empty text means the request has none."""

    connector: str
    username: str
    groups: tuple[str, ...]
    claims: Mapping[str, object] = field(hash=False, compare=False)
    cluster: str
    cluster_labels: Mapping[str, str] = field(hash=False, compare=False)
    verb: str
    api_group: str
    resource: str
    subresource: str
    namespace: str
    name: str
    path: str
    is_resource_request: bool

    @classmethod
    def of(
        cls, identity: Identity, cluster: str, labels: Mapping[str, str], act: Act, *, path: str | None = None
    ) -> Self:
        """`act` as wanted by `identity` on `cluster`. `path` is given for a request that is about no resource."""
        return cls(
            identity.connector,
            identity.username,
            identity.groups,
            identity.claims,
            cluster,
            labels,
            act.verb,
            act.api_group,
            act.resource,
            act.subresource,
            act.namespace,
            act.name,
            path or "",
            path is None,
        )

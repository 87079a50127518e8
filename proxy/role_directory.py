"""The roles of a configuration, compiled against its connectors and clusters."""

from __future__ import annotations

from typing import Any

from auth.rbac import Policy, PolicyError, Role, RoleBinding, compile_policy
from auth.role_files import RoleFiles, compile_condition
from proxy.clusters import ClusterRegistry
from proxy.config import Config
from proxy.role_changes import Documents, differences, documents


class RoleDirectory:
    """`policy` is in force; `poll`, each second or so, takes over what changed."""

    def __init__(self, config: Config, clusters: ClusterRegistry) -> None:
        """Raises PolicyError with every mistake, when there is no good policy to begin with."""
        self._connectors = [connector.name for connector in config.connectors]
        self._clusters = clusters
        self._compiled: tuple[str, ...] = ()
        self._documents: Documents = {}
        self.documents: Documents = {}
        """What the roles and bindings in force say."""
        self._files = RoleFiles(config.roles_dir, self._compile)
        self.names: tuple[str, ...] = self._compiled
        """Of the roles in force, sorted."""
        self.documents = self._documents
        self.differences: list[dict[str, Any]] = []
        """What the last change was; nothing at the start."""

    @property
    def policy(self) -> Policy:
        return self._files.policy

    @property
    def error(self) -> PolicyError | None:
        """Why the files as they are now are not in force."""
        return self._files.error

    def poll(self) -> bool:
        """True when another policy is in force."""
        changed = self._files.poll()
        if changed:
            self.names = self._compiled
            self.differences = differences(self.documents, self._documents)
            self.documents = self._documents
        return changed

    def _compile(self, roles: list[Role], bindings: list[RoleBinding]) -> Policy:
        allowed = frozenset(name for cluster in self._clusters for name in cluster.allowed_system_names)
        policy = compile_policy(
            roles, bindings, self._connectors, allowed_system_names=allowed, condition=compile_condition
        )
        self._compiled = tuple(sorted(role.name for role in roles))
        self._documents = documents(roles, bindings)
        return policy

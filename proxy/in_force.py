"""What decides right now, in one process: logins and locks, roles, clusters. One `refresh` a second keeps it so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from auth.state.live import LiveState
from auth.state.store import Store, StoreError
from proxy.clusters import ClusterRegistry
from proxy.role_directory import RoleDirectory

NO_LABELS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Changes:
    """What one refresh took over or refused, for the log: `error` is empty where the new form is in force."""

    roles: bool = False
    roles_error: str = ""
    clusters: bool = False
    clusters_error: str = ""


class InForce:
    """Look-ups are plain reads. What cannot be read anew stays as it was and is named in `problems`."""

    def __init__(
        self, store: Store, live: LiveState, roles: RoleDirectory, clusters: ClusterRegistry, *, max_age_seconds: float
    ) -> None:
        self.live = live
        self.roles = roles
        self.clusters = clusters
        self._store = store
        self._max_age = max_age_seconds
        self._state_error = ""
        self._told = ("", "")

    async def refresh(self, now: float) -> Changes:
        """Take over what changed. Never raises for what it reads: a state that cannot be read grows old instead."""
        await self.refresh_state(now)
        changed = self.clusters.reload()
        await self.clusters.refresh(now)
        roles = self.roles.poll()
        return self._changes(roles=roles, clusters=changed)

    async def refresh_state(self, now: float) -> None:
        """Logins and locks alone: after a change of our own they are read at once."""
        try:
            await self.live.refresh(self._store, now)
        except StoreError as error:
            self._state_error = str(error)
        else:
            self._state_error = ""

    def _changes(self, *, roles: bool, clusters: bool) -> Changes:
        """A mistake is told once, when it appears, not every second that it stands."""
        roles_error = "" if self.roles.error is None else str(self.roles.error)
        clusters_error = "\n".join(str(mistake) for mistake in self.clusters.problems)
        before, self._told = self._told, (roles_error, clusters_error)
        return Changes(
            roles=roles,
            roles_error=roles_error if roles_error != before[0] else "",
            clusters=clusters,
            clusters_error=clusters_error if clusters_error != before[1] else "",
        )

    def labels(self, cluster: str) -> Mapping[str, str]:
        found = self.clusters.get(cluster)
        return NO_LABELS if found is None else found.labels

    def allowed_system_names(self, cluster: str) -> frozenset[str]:
        found = self.clusters.get(cluster)
        return frozenset() if found is None else found.allowed_system_names

    def served(self) -> dict[str, Mapping[str, str]]:
        """Every cluster's labels by its name."""
        return {cluster.name: cluster.labels for cluster in self.clusters}

    def too_old(self, now: float) -> str:
        """Why everything is refused, or nothing: the state's copy is older than it may be."""
        age = self.live.age(now)
        if age <= self._max_age:
            return ""
        return self._state_error or f"the state was last read {age:.0f} s ago"

    def problems(self) -> list[tuple[str, str]]:
        """(what, why) of whatever stays as it was because its new form is broken."""
        found = [("state", self._state_error)] if self._state_error else []
        if self.roles.error is not None:
            found += [("roles", mistake) for mistake in self.roles.error.mistakes]
        found += [("clusters", str(mistake)) for mistake in self.clusters.problems]
        found += [
            ("clusters", f"{cluster.name}: {cluster.credentials.problem}")
            for cluster in self.clusters
            if cluster.credentials.problem
        ]
        return found

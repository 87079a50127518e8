from types import SimpleNamespace

import pytest

from auth.rbac import PolicyError
from auth.state.live import LiveState
from auth.state.store import StoreError
from proxy.in_force import Changes, InForce

NOW = 1_800_000_000.0


class Store:
    """A state that can be made unreadable."""

    def __init__(self):
        self.error = None

    async def generation(self):
        if self.error:
            raise StoreError(self.error)
        return 1

    async def live_logins(self, _now):
        return ()

    async def locks(self, _now):
        return ()


class Roles:
    def __init__(self):
        self.changed, self.error = False, None

    def poll(self):
        changed, self.changed = self.changed, False
        return changed


class Clusters(dict):
    def __init__(self):
        super().__init__()
        self.changed, self.problems, self.refreshed = False, (), []

    def __iter__(self):
        return iter(self.values())

    def reload(self):
        changed, self.changed = self.changed, False
        return changed

    async def refresh(self, now):
        self.refreshed.append(now)


@pytest.fixture
def parts():
    store, roles, clusters = Store(), Roles(), Clusters()
    problem = SimpleNamespace(problem=None)
    clusters["staging"] = SimpleNamespace(
        name="staging", labels={"env": "s"}, allowed_system_names=frozenset(("system:x",)), credentials=problem
    )
    in_force = InForce(store, LiveState(), roles, clusters, max_age_seconds=60.0)
    return SimpleNamespace(store=store, roles=roles, clusters=clusters, in_force=in_force)


async def test_a_refresh_says_what_changed_and_a_mistake_only_once(parts):
    assert await parts.in_force.refresh(NOW) == Changes()
    parts.roles.changed = parts.clusters.changed = True
    assert await parts.in_force.refresh(NOW) == Changes(roles=True, clusters=True)
    parts.roles.error, parts.clusters.problems = PolicyError(["a.yaml:1: no", "b.yaml:1: no"]), ("c.yaml:1: no",)
    assert await parts.in_force.refresh(NOW) == Changes(
        roles_error="a.yaml:1: no\nb.yaml:1: no", clusters_error="c.yaml:1: no"
    )
    assert await parts.in_force.refresh(NOW) == Changes()
    assert parts.in_force.problems() == [
        ("roles", "a.yaml:1: no"),
        ("roles", "b.yaml:1: no"),
        ("clusters", "c.yaml:1: no"),
    ]
    parts.roles.error = None
    assert await parts.in_force.refresh(NOW) == Changes()
    parts.roles.error = PolicyError(["a.yaml:1: no"])
    assert (await parts.in_force.refresh(NOW)).roles_error == "a.yaml:1: no"


async def test_a_state_that_cannot_be_read_grows_old_and_all_else_goes_on(parts):
    await parts.in_force.refresh(NOW)
    parts.store.error = "the state in state.db cannot be used: disk I/O error"
    await parts.in_force.refresh(NOW + 60)
    assert parts.in_force.too_old(NOW + 60) == ""
    assert parts.in_force.problems() == [("state", parts.store.error)]
    assert parts.in_force.too_old(NOW + 61) == parts.store.error
    assert parts.clusters.refreshed == [NOW, NOW + 60]
    parts.store.error = None
    await parts.in_force.refresh(NOW + 62)
    assert (parts.in_force.too_old(NOW + 62), parts.in_force.problems()) == ("", [])


async def test_a_state_that_nobody_asked_for_is_too_old_as_well(parts):
    await parts.in_force.refresh(NOW)
    assert parts.in_force.too_old(NOW + 90) == "the state was last read 90 s ago"


def test_a_cluster_that_is_not_there_has_no_labels_and_allows_nothing(parts):
    look = parts.in_force
    assert (look.labels("staging"), look.labels("gone")) == ({"env": "s"}, {})
    assert look.allowed_system_names("staging") == {"system:x"}
    assert look.allowed_system_names("gone") == frozenset()
    assert look.served() == {"staging": {"env": "s"}}


def test_a_credential_that_cannot_be_had_is_a_problem(parts):
    parts.clusters["staging"].credentials.problem = "token is gone"
    assert parts.in_force.problems() == [("clusters", "staging: token is gone")]

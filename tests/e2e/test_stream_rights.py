"""A person to whom the cluster gives only one of `create` and `get` on pods/exec: the same with kwit as without.

Both are `exec` in our roles, so it is the cluster that refuses. A WebSocket is a `get`, for which newer API servers ask
for `create` too; kubectl goes on to SPDY, a `create`, where the upgrade of the WebSocket was refused.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from recordings.recorder.directory import RecordingDirectory
from recordings.recorder.moment import Kind
from tests.e2e.cluster import Cluster
from tests.e2e.conftest import start_pods
from tests.e2e.installation import Installation
from tests.e2e.node import Node
from tests.e2e.story import Person
from tests.e2e.way import WAYS, Way, carried, newest_recording

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

ROLES = """\
apiVersion: kubewitness.dev/v1
kind: Role
metadata: {name: one-verb}
spec:
  as: {groups: [kwit-e2e-one-verb]}
  allow: [{apiGroups: [""], resources: [pods], verbs: [get, list, watch, exec]}]
---
apiVersion: kubewitness.dev/v1
kind: RoleBinding
metadata: {name: one-verb}
spec: {role: one-verb, subjects: [{kind: Group, connector: corp, name: one-verb}]}
"""
RBAC = """\
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: one-verb}
rules:
  - {apiGroups: [""], resources: [pods], verbs: [get]}
  - {apiGroups: [""], resources: [pods/exec], verbs: [%s]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: one-verb}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: one-verb}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: "%s"}]
"""
VERBS = ("create", "get")
COMMAND = ("exec", "p", "-c", "main", "--", "sh", "-c", "echo out; exit 7")


@dataclass
class Pair:
    """The same person without kwit and through it."""

    direct: Person
    proxied: Person


@pytest.fixture(scope="module")
def pairs(
    cluster: Cluster,
    node: Node,
    admin: Callable[..., str],
    installation: Installation,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Pair]:
    """By the verb that the cluster gives them."""
    del node
    installation.add_roles("one-verb", ROLES)
    made = {}
    for verb in VERBS:
        name, folder = f"only-{verb}", tmp_path_factory.mktemp(verb)
        for namespace in (f"{name}-direct", f"{name}-kwit"):
            admin("create", "namespace", namespace)
            admin("apply", f"--namespace={namespace}", "-f", "-", stdin=RBAC % (verb, name))
        direct = Person(cluster.person(name, ()), name, f"{name}-direct", folder)
        made[verb] = Pair(direct, installation.sign_in(name, f"{name}-kwit", folder, groups=("one-verb",)))
    start_pods(admin, [one for pair in made.values() for one in (pair.direct, pair.proxied)])
    return made


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("way", WAYS)
def test_kubectl_falls_back_or_is_refused_as_without_us_and_the_log_holds_each_attempt(
    pairs: dict[str, Pair], installation: Installation, kubectls: dict[int, Path], way: str, verb: str
) -> None:
    minor, environment = WAYS[way]
    pair, before = pairs[verb], len(installation.records())
    kept = set(paths(installation))
    told = []
    for person in (pair.direct, pair.proxied):
        code, out, problem = Way(person, kubectls[minor], environment).run(*COMMAND)
        told.append((code, out, person.normalise(problem.decode())))
    assert told[1] == told[0]
    asked = [
        (record["outcome"], record["event"]["verb"], record["event"]["responseStatus"]["code"])
        for record in installation.records()[before:]
        if is_exec(record) and record["outcome"] in ("done", "refused", "aborted")
    ]
    web_socket = () if minor == 24 or environment else (("done", "get", 403),)
    if verb == "get":
        assert told[1][:2] == (1, b"")
        assert tuple(asked) == (*web_socket, ("done", "create", 403))
        assert set(paths(installation)) == kept
        return
    assert told[1][:2] == (7, b"out\n")
    assert tuple(asked) == (*web_socket, ("done", "create", 101))
    with newest_recording(installation) as reader:
        assert (reader.head.username, carried(reader, Kind.STDOUT)) == ("only-create", b"out\n")
    assert len(set(paths(installation)) - kept) == 1


def is_exec(record: dict[str, Any]) -> bool:
    return bool(record.get("event", {}).get("objectRef", {}).get("subresource") == "exec")


def paths(installation: Installation) -> list[Path]:
    return list(RecordingDirectory(installation.folder / "data" / "recordings").paths())

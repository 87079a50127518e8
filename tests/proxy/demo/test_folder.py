"""The demo's files are a configuration like any other, and what is there is left as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from auth.rbac import compile_policy
from auth.role_files import load
from proxy.cli.client.problem import Problem
from proxy.config import OidcConnector
from proxy.demo import folder as files
from proxy.demo.folder import CONNECTOR, Folder, Ports, check, cluster_name, sandbox_cluster, write

PORTS = Ports(1001, 1002, 1003, 1004, 1005)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    folder = Folder(tmp_path / "demo")
    write(folder, PORTS, secret="a-secret", cluster_text=sandbox_cluster(folder, PORTS, token="a-token"))
    return folder


def test_what_is_written_is_read_as_it_was_meant(folder: Folder) -> None:
    config = folder.load()
    assert (config.installation, config.kube.url, config.web.url) == (
        "demo",
        "https://127.0.0.1:1001",
        "http://127.0.0.1:1002",
    )
    assert (config.kube.address.port, config.web.address.port, config.operations.address.port) == (1001, 1002, 1003)
    assert (config.audit.segment_bytes, config.kube.limits.drain_timeout) == (1 << 20, 2)
    assert (folder.provider_port(), folder.cluster_port()) == (1004, 1005)
    assert (folder.provider_secret, folder.cluster_token) == ("a-secret", "a-token")
    (connector,) = config.connectors
    assert isinstance(connector, OidcConnector)
    assert (connector.issuer, connector.client_secret_file) == (
        "http://127.0.0.1:1004",
        folder.path / "provider-secret",
    )


@pytest.mark.parametrize(("cluster", "names"), [("sandbox", ["developer", "support"]), ("theirs", ["viewer"])])
def test_the_roles_compile(tmp_path: Path, cluster: str, names: list[str]) -> None:
    folder = Folder(tmp_path / "demo", cluster)
    write(folder, PORTS, secret="s", cluster_text="")
    roles, bindings = load(folder.path / "roles")
    assert sorted(role.name for role in roles) == names
    compile_policy(roles, bindings, [CONNECTOR])


def test_nobody_else_may_read_what_is_secret(folder: Folder) -> None:
    modes = {path.name: path.stat().st_mode & 0o777 for path in (folder.path, folder.cluster_directory)}
    assert modes == {"demo": 0o700, "cluster": 0o700}
    for path in (folder.path / "provider-secret", folder.cluster_directory / "token", folder.config):
        assert path.stat().st_mode & 0o777 == 0o600


def test_what_a_person_changed_stays(folder: Folder) -> None:
    role = folder.path / "roles" / "developer.yaml"
    role.write_text("changed")
    other = Ports(2001, 2002, 2003, 2004, 2005)
    write(folder, other, secret="other", cluster_text=sandbox_cluster(folder, other, token="other"))
    assert role.read_text() == "changed"
    assert (folder.provider_port(), folder.cluster_port()) == (1004, 1005)
    assert (folder.provider_secret, folder.cluster_token) == ("a-secret", "a-token")


def test_an_empty_directory_is_new_and_a_demos_is_not(folder: Folder, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert check(Folder(tmp_path / "absent")) is False
    assert check(Folder(tmp_path / "empty")) is False
    assert check(folder) is True


def test_a_directory_of_something_else_is_left_alone(folder: Folder, tmp_path: Path) -> None:
    with pytest.raises(Problem, match="is neither empty nor a demo's; choose another directory with --data"):
        check(Folder(tmp_path))
    (tmp_path / "file").touch()
    with pytest.raises(Problem, match="is no directory"):
        check(Folder(tmp_path / "file"))
    folder.config.write_text(folder.config.read_text().replace("installation: demo", "installation: prod"))
    with pytest.raises(Problem, match="is not a demo's, and stays as it is"):
        check(folder)


def test_a_demo_for_another_cluster_says_for_which_it_is(folder: Folder) -> None:
    with pytest.raises(Problem, match=r"is for another cluster \(sandbox\)"):
        check(Folder(folder.path, "kind-kind"))


def test_files_that_were_broken_are_named(folder: Folder) -> None:
    folder.cluster_file.write_text("name: 1\n")
    with pytest.raises(Problem, match=r"sandbox.yaml cannot be used any more"):
        folder.cluster_port()
    text = folder.config.read_text()
    folder.config.write_text(text.replace("name: sandbox", "name: other"))
    with pytest.raises(Problem, match="has no connector sandbox any more"):
        folder.provider_port()
    folder.config.write_text(text.replace(":1004", ""))
    with pytest.raises(Problem, match="names no port on this machine any more"):
        folder.provider_port()
    folder.config.write_text("kube: [\n")
    with pytest.raises(Problem, match=r"kwit.yaml cannot be used any more"):
        folder.load()


@pytest.mark.parametrize(
    ("context", "name"),
    [
        ("kind-kind", "kind-kind"),
        ("gke_proj_europe-west1_Prod", "gke-proj-europe-west1-prod"),
        ("arn:aws:eks:eu:1:cluster/x", "arn-aws-eks-eu-1-cluster-x"),
        ("a..b", "a.b"),
        ("é", "cluster"),
        ("x" * 80, "x" * 63),
    ],
)
def test_a_context_becomes_a_clusters_name(context: str, name: str) -> None:
    assert cluster_name(context) == name
    assert files.cluster_name(name) == name

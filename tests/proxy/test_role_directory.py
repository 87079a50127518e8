import pytest
import yaml

from auth.ca import new_ca
from auth.rbac import PolicyError
from proxy.clusters import ClusterRegistry
from proxy.config import Config
from proxy.role_directory import RoleDirectory

TEXT = """\
installation: example
kube: {url: "https://localhost:8443"}
web: {url: "https://localhost:8444"}
connectors: [{type: oidc, name: corp, issuer: "https://id.example.com", client_id: kwit, client_secret_file: s}]
"""
ROLE = """\
apiVersion: kubewitness.dev/v1
kind: Role
metadata: {name: NAME}
spec:
  as: {groups: ["GROUP"]}
  allow: [{apiGroups: [""], resources: [pods], verbs: [get]}]
---
apiVersion: kubewitness.dev/v1
kind: RoleBinding
metadata: {name: NAME}
spec: {role: NAME, subjects: [{kind: Group, connector: CONNECTOR, name: eng}]}
"""


def role(name, group="dev", connector="corp"):
    return ROLE.replace("NAME", name).replace("GROUP", group).replace("CONNECTOR", connector)


def directory(folder, *allowed):
    (folder / "clusters").mkdir(exist_ok=True)
    (folder / "token").write_text("t")
    document = {
        "name": "staging",
        "server": "https://127.0.0.1:1",
        "ca_data": new_ca("u", 1_700_000_000.0).pem,
        "credentials": {"kind": "token_file", "path": str(folder / "token")},
        "allowed_system_groups": list(allowed),
    }
    (folder / "clusters" / "staging.yaml").write_text(yaml.safe_dump(document))
    clusters = ClusterRegistry.load(folder / "clusters")
    assert clusters.problems == ()
    return RoleDirectory(Config.parse(TEXT, path=folder / "kwit.yaml"), clusters)


@pytest.fixture
def roles(tmp_path):
    (tmp_path / "roles").mkdir()
    return tmp_path / "roles"


def test_the_names_are_of_what_is_in_force(roles, tmp_path):
    (roles / "a.yaml").write_text(role("writer"))
    found = directory(tmp_path)
    assert (found.names, found.error) == (("writer",), None)
    (roles / "b.yaml").write_text("kind: [")
    assert [found.poll(), found.poll()] == [False, False]
    assert found.names == ("writer",)
    assert found.error is not None
    (roles / "b.yaml").write_text(role("reader"))
    before = found.policy
    assert [found.poll(), found.poll()] == [False, True]
    assert (found.names, found.error) == (("reader", "writer"), None)
    assert found.policy is not before


def test_a_binding_to_a_connector_that_is_not_configured_is_refused(roles, tmp_path):
    (roles / "a.yaml").write_text(role("writer", connector="other"))
    with pytest.raises(PolicyError, match="other"):
        directory(tmp_path)


def test_a_system_group_is_a_mistake_unless_a_cluster_lists_it(roles, tmp_path):
    (roles / "a.yaml").write_text(role("writer", group="system:monitoring"))
    with pytest.raises(PolicyError, match="system:monitoring"):
        directory(tmp_path)
    assert directory(tmp_path, "system:monitoring").names == ("writer",)

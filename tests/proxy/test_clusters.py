import os
from pathlib import Path

import pytest
import trustme

from proxy.clusters import Cluster, ClusterFile, ClusterRegistry, build_cluster, load_cluster
from proxy.config import ConfigError, parse_section
from proxy.upstream import Endpoint

CA = trustme.CA().cert_pem.bytes().decode()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "ca.crt").write_text(CA)
    (tmp_path / "token").write_text("t0ken")
    (tmp_path / "clusters").mkdir()
    return tmp_path / "clusters"


def text(name: str, more: str = "", server: str = "https://10.0.0.1:6443/prefix/") -> str:
    return (
        f"name: {name}\nserver: {server}\nca_file: ../ca.crt\ncredentials: {{kind: token_file, path: ../token}}\n{more}"
    )


def refused(content: str, path: Path = Path("/etc/c.yaml")) -> list[str]:
    with pytest.raises(ConfigError) as error:
        build_cluster(parse_section(ClusterFile, content, path=path), path)
    return [f"{mistake.path}: {mistake.expected}" for mistake in error.value.mistakes]


async def test_a_cluster_is_an_endpoint_of_the_upstream_pool(folder):
    (folder / "staging.yaml").write_text(text("staging", "labels: {env: staging}\ntls_server_name: kube\n"))
    cluster = load_cluster(folder / "staging.yaml")
    endpoint: Endpoint = cluster
    assert (endpoint.name, endpoint.host, endpoint.port, endpoint.host_header, endpoint.path_prefix) == (
        "staging",
        "10.0.0.1",
        6443,
        b"10.0.0.1:6443",
        b"/prefix",
    )
    assert (endpoint.server_hostname, cluster.labels) == ("kube", {"env": "staging"})
    assert endpoint.authorization() is None
    await cluster.credentials.refresh(0.0)
    assert endpoint.authorization() == b"Bearer t0ken"


def test_a_tls_context_is_made_once_for_a_certificate(folder):
    (folder / "a.yaml").write_text(text("a"))
    cluster = load_cluster(folder / "a.yaml")
    first = cluster.ssl_context()
    assert cluster.ssl_context() is first
    cluster.credentials.generation += 1
    assert cluster.ssl_context() is not first


def test_a_url_without_port_and_path_means_443_and_none(folder):
    (folder / "a.yaml").write_text(text("a", server="https://[2001:db8::1]"))
    cluster = load_cluster(folder / "a.yaml")
    assert (cluster.host, cluster.port, cluster.host_header, cluster.path_prefix) == (
        "2001:db8::1",
        443,
        b"[2001:db8::1]",
        b"",
    )


def test_in_cluster_knows_everything_by_itself(folder):
    file = f"name: self\ncredentials: {{kind: in_cluster, directory: {folder.parent}}}\n"
    cluster = build_cluster(parse_section(ClusterFile, file, path=folder / "self.yaml"), folder / "self.yaml")
    assert (cluster.server, cluster.ca_pem) == ("https://kubernetes.default.svc", CA)


def test_a_kubeconfig_context_gives_address_and_ca(folder):
    kubeconfig = f"""\
current-context: c
contexts: [{{name: c, context: {{cluster: k, user: u}}}}]
clusters: [{{name: k, cluster: {{server: "https://k:1", certificate-authority: {folder.parent}/ca.crt}}}}]
users: [{{name: u, user: {{token: t}}}}]
"""
    (folder.parent / "kubeconfig").write_text(kubeconfig)
    (folder / "k.yaml").write_text("name: k\ncredentials: {kind: kubeconfig, path: ../kubeconfig, context: c}\n")
    assert (load_cluster(folder / "k.yaml").server, load_cluster(folder / "k.yaml").ca_pem) == ("https://k:1", CA)


def test_system_names_are_sent_only_where_they_are_listed(folder):
    more = "allowed_system_groups: [system:authenticated]\nallowed_system_users: [system:admin]\n"
    (folder / "a.yaml").write_text(text("a"))
    (folder / "b.yaml").write_text(text("b", more))
    allowed = [load_cluster(folder / name).allowed_system_names for name in ("a.yaml", "b.yaml")]
    assert allowed == [frozenset(), {"system:authenticated", "system:admin"}]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("name: a\ncredentials: {kind: token_file, path: t}\nca_data: x\n", "server: the API server's URL"),
        (
            "name: a\ncredentials: {kind: token_file, path: t}\nserver: https://x\n",
            "ca_data: one of ca_file and ca_data",
        ),
        (
            "name: a\ncredentials: {kind: in_cluster}\nca_file: x\nca_data: y\n",
            "ca_data: one of ca_file and ca_data, not",
        ),
        (
            "name: a\ncredentials: {kind: in_cluster}\nallowed_system_groups: [eng]\n",
            "allowed_system_groups: full names",
        ),
        (
            "name: a\ncredentials: {kind: in_cluster}\nallowed_system_users: ['system:*']\n",
            "allowed_system_users: full",
        ),
        ("name: ../a\ncredentials: {kind: in_cluster}\n", "name: a name of at most 63"),
        ("name: a\ncredentials: {kind: password}\n", "credentials: kind to be one of"),
        ("name: a\ncredentials: {kind: in_cluster, directory: /nonexistent}\n", ": /nonexistent/ca.crt cannot be read"),
        ("name: a\ncredentials: {kind: in_cluster}\nca_data: nonsense\n", ": the cluster's CA is not PEM"),
        ("name: a\ncredentials: {kind: in_cluster}\nsever: x\n", "sever: is not a key; did you mean server?"),
    ],
)
def test_a_cluster_file_that_trusts_too_much_or_says_too_little_is_refused(content, expected):
    found = refused(content)
    assert len(found) == 1
    assert expected in found[0]


def test_a_registry_has_every_usable_file_and_names_the_others(folder):
    (folder / "a.yaml").write_text(text("a"))
    (folder / "broken.yaml").write_text("name: broken\n")
    (folder / "other.yaml").write_text(text("b"))
    (folder / ".hidden.yaml").write_text("nonsense")
    (folder / "README").write_text("nonsense")
    registry = ClusterRegistry.load(folder)
    assert ([cluster.name for cluster in registry], len(registry)) == (["a"], 1)
    assert [(Path(m.file).name, m.path) for m in registry.problems] == [
        ("broken.yaml", "credentials"),
        ("other.yaml", "name"),
    ]
    assert (registry.get("b"), registry.get("nothing")) == (None, None)


def test_a_change_is_taken_over_and_the_rest_keeps_its_object(folder):
    (folder / "a.yaml").write_text(text("a"))
    (folder / "b.yaml").write_text(text("b"))
    registry = ClusterRegistry.load(folder)
    a, b = registry.get("a"), registry.get("b")
    assert not registry.reload()
    (folder / "b.yaml").write_text(text("b", "labels: {x: y}\n"))
    (folder / "c.yaml").write_text(text("c"))
    assert registry.reload()
    assert registry.get("a") is a
    assert registry.get("b") is not b
    assert [cluster.name for cluster in registry] == ["a", "b", "c"]


def test_a_file_that_breaks_keeps_its_last_good_form_until_it_is_mended(folder):
    path = folder / "a.yaml"
    path.write_text(text("a"))
    registry = ClusterRegistry.load(folder)
    good = registry.get("a")
    path.write_text("name: a\nname: a\n")
    assert not registry.reload()
    assert registry.get("a") is good
    assert "stands twice" in registry.problems[0].expected
    path.write_text(text("a", "labels: {mended: 'yes'}\n"))
    assert registry.reload()
    assert (registry.problems, registry.get("a").labels) == ((), {"mended": "yes"})


def test_a_file_that_is_gone_takes_its_cluster_with_it(folder):
    for name in ("a", "b"):
        (folder / f"{name}.yaml").write_text(text(name))
    registry = ClusterRegistry.load(folder)
    (folder / "a.yaml").unlink()
    assert registry.reload()
    assert [cluster.name for cluster in registry] == ["b"]


def test_a_directory_that_cannot_be_read_takes_nothing_away(folder):
    (folder / "a.yaml").write_text(text("a"))
    registry = ClusterRegistry.load(folder)
    folder.rename(folder.with_name("away"))
    assert not registry.reload()
    assert (len(registry), registry.problems[0].expected) == (1, "cannot be read: No such file or directory")
    folder.with_name("away").rename(folder)
    registry.reload()
    assert registry.problems == ()


def test_a_file_replaced_with_the_same_time_and_size_is_noticed(folder):
    path = folder / "a.yaml"
    path.write_text(text("a", "labels: {x: '1'}\n"))
    registry = ClusterRegistry.load(folder)
    before = path.stat()
    other = folder / "new"
    other.write_text(text("a", "labels: {x: '2'}\n"))
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(path)
    assert registry.reload()
    assert registry.get("a").labels == {"x": "2"}


async def test_all_credentials_are_renewed_together(folder):
    for name in ("a", "b"):
        (folder / f"{name}.yaml").write_text(text(name))
    registry = ClusterRegistry.load(folder)
    await registry.refresh(0.0)
    assert [cluster.authorization() for cluster in registry] == [b"Bearer t0ken"] * 2


def test_a_cluster_does_not_show_its_credential(folder):
    (folder / "a.yaml").write_text(text("a"))
    cluster = load_cluster(folder / "a.yaml")
    assert isinstance(cluster, Cluster)
    assert "credentials" not in repr(cluster)

import base64

import pytest
import yaml

from proxy.cluster_credentials import CertificateFiles, CredentialError, Fixed, Material, TokenFile
from proxy.cluster_kubeconfig import ContextEntry, read_context
from proxy.exec_plugin import ExecPlugin

V1 = "client.authentication.k8s.io/v1"


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.fixture
def kubeconfig(tmp_path):
    """Write a kubeconfig with one context `c`; `cluster` and `user` replace or add keys."""

    def write(user: dict, cluster: dict | None = None, current: str | None = "c"):
        base = {"server": "https://10.0.0.1:6443", "certificate-authority-data": b64("CA")}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": current,
            "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u", "namespace": "x"}}],
            "clusters": [{"name": "k", "cluster": {**base, **(cluster or {})}}],
            "users": [{"name": "u", "user": user}],
        }
        path = tmp_path / "config"
        path.write_text(yaml.safe_dump(document))
        return path

    return write


def test_the_current_context_is_taken_unless_one_is_named(kubeconfig):
    expected = ContextEntry("https://10.0.0.1:6443", "CA", None, Fixed(Material(token="t")))
    path = kubeconfig({"token": "t"})
    assert [read_context(path, None), read_context(path, "c")] == [expected, expected]


def test_each_kind_of_user_has_its_source(kubeconfig, tmp_path):
    pair = {"client-certificate-data": b64("C"), "client-key-data": b64("K")}
    users = [
        ({"tokenFile": "t", "token": "ignored"}, TokenFile(tmp_path / "t")),
        ({"client-certificate": "c", "client-key": "/k"}, CertificateFiles(tmp_path / "c", tmp_path.__class__("/k"))),
        (pair, Fixed(Material(certificate_pem=b"C", key_pem=b"K"))),
        ({**pair, "client-certificate": "ignored"}, Fixed(Material(certificate_pem=b"C", key_pem=b"K"))),
        (
            {"exec": {"apiVersion": V1, "command": "aws", "args": ["eks"], "env": [{"name": "A", "value": "b"}]}},
            ExecPlugin(V1, ("aws", "eks"), (("A", "b"),)),
        ),
        (
            {"exec": {"apiVersion": V1, "command": "./bin/x", "args": None, "interactiveMode": "Never"}},
            ExecPlugin(V1, (str(tmp_path / "bin/x"),)),
        ),
    ]
    for user, source in users:
        assert read_context(kubeconfig(user), None).source == source


def test_a_ca_file_and_another_name_for_tls_are_taken(kubeconfig, tmp_path):
    (tmp_path / "ca.crt").write_text("FROM FILE")
    cluster = {"certificate-authority-data": None, "certificate-authority": "ca.crt", "tls-server-name": "kube"}
    entry = read_context(kubeconfig({"token": "t"}, cluster), None)
    assert (entry.ca_pem, entry.tls_server_name) == ("FROM FILE", "kube")


@pytest.mark.parametrize(
    ("user", "cluster", "why"),
    [
        ({"token": "t"}, {"insecure-skip-tls-verify": True}, "always checks"),
        ({"token": "t"}, {"proxy-url": "http://proxy"}, "reaches clusters directly"),
        ({"token": "t"}, {"certificate-authority-data": None}, "no certificate-authority"),
        ({"token": "t"}, {"certificate-authority-data": "%%%"}, "not base64"),
        ({"token": "t"}, {"server": "http://10.0.0.1"}, "a server that kwit cannot use"),
        ({"token": "t"}, {"server": None}, "a server that kwit cannot use"),
        ({"token": "t", "as": "admin"}, {}, "impersonates by itself"),
        ({"token": "t", "as-groups": ["x"]}, {}, "impersonates by itself"),
        ({"username": "a", "password": "b"}, {}, "no passwords"),
        ({"auth-provider": {"name": "gcp"}}, {}, r"dropped it in 1\.26"),
        ({}, {}, "no token, no client certificate"),
        ({"token": 3}, {}, "a token that is not text"),
        ({"client-certificate-data": b64("C")}, {}, "no client certificate with its key"),
        ({"exec": {"apiVersion": V1}}, {}, "without a command"),
        ({"exec": {"apiVersion": V1, "command": "x", "args": "y"}}, {}, "is not a list"),
        ({"exec": {"apiVersion": V1, "command": "x", "interactiveMode": "Always"}}, {}, "wants a person"),
        ({"token": ""}, {}, "no token"),
    ],
)
def test_what_asks_for_more_trust_or_gives_too_little_is_refused_by_name(kubeconfig, user, cluster, why):
    path = kubeconfig(user, cluster)
    with pytest.raises(CredentialError, match=why) as refused:
        read_context(path, None)
    assert str(path) in str(refused.value)


def test_a_context_that_is_not_there_lists_those_that_are(kubeconfig):
    with pytest.raises(CredentialError, match="has no context named 'x'; it has: c"):
        read_context(kubeconfig({"token": "t"}), "x")
    with pytest.raises(CredentialError, match="no current-context"):
        read_context(kubeconfig({"token": "t"}, current=None), None)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"a: [", "config:1: not YAML"),
        (b"[]", "it has no keys"),
        (b"\xff\xfe", "not UTF-8"),
        (b"current-context: c\ncontexts: 3\n", "it has: none"),
        (b"current-context: c\ncontexts: [{name: c, context: 3}]\nclusters: [3]\n", "no cluster named ''"),
    ],
)
def test_a_broken_kubeconfig_is_a_sentence(tmp_path, content, why):
    path = tmp_path / "config"
    path.write_bytes(content)
    with pytest.raises(CredentialError, match=why):
        read_context(path, None)


def test_no_error_shows_a_token(kubeconfig):
    with pytest.raises(CredentialError) as refused:
        read_context(kubeconfig({"token": "hunter2 hunter2"}), None)
    assert "hunter2" not in str(refused.value)

import pytest

from proxy.config import Config, ConfigError

TEXT = """\
installation: example
kube: {url: "https://localhost:8443"}
web: {url: "https://localhost:8444"}
connectors: [{type: oidc, name: corp, issuer: "https://id.example.com", client_id: kwit, client_secret_file: s}]
audit: {anchors: [%s]}
"""
S3 = "{type: s3, endpoint: 'https://s3.example.com', bucket: logs, access_key_id: a, secret_key_file: b%s}"


def anchors(text, folder):
    return Config.parse(TEXT % text, path=folder / "kwit.yaml").audit.anchors


def test_each_kind_has_what_it_needs(tmp_path):
    found = anchors(
        "{type: file, path: kept, every: 5s}, {type: http, url: 'https://a.example.com/x'}, "
        + S3 % ", retain: 30d"
        + ", {type: configmap, server: 'https://10.0.0.1:6443', namespace: audit, name: kwit, token_file: t}",
        tmp_path,
    )
    assert [(one.type, one.every) for one in found] == [("file", 5), ("http", 1), ("s3", 1), ("configmap", 1)]
    assert found[0].path == tmp_path / "kept"
    assert (found[2].prefix, found[2].region, found[2].retain) == ("kubewitness", "us-east-1", 30 * 86_400)
    assert found[3].token_file == tmp_path / "t"


@pytest.mark.parametrize(
    "text",
    [
        "{type: file}",
        "{type: tape, path: x}",
        "{type: file, path: x, every: 0s}",
        "{type: http, url: 'http://a.example.com/'}",
        S3 % ", prefix: /x",
        S3 % ", prefix: a//b",
        S3 % ", retain: 1s",
        S3.replace("logs", "../x") % "",
        "{type: configmap, server: 'https://10.0.0.1', namespace: 'a/b', name: kwit, token_file: t}",
        "{type: witness, url: 'https://w.example.com', key: 'a+b+c'}",
    ],
)
def test_what_cannot_be_meant_is_a_mistake(tmp_path, text):
    with pytest.raises(ConfigError):
        anchors(text, tmp_path)

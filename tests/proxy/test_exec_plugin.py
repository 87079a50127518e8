import json
import os
import stat

import pytest

from proxy.cluster_credentials import CredentialError, Material
from proxy.exec_plugin import ExecPlugin, InstallHint, parse_exec_credential

V1 = "client.authentication.k8s.io/v1"
V1BETA1 = "client.authentication.k8s.io/v1beta1"


def credential(version: str = V1, **status: object) -> bytes:
    return json.dumps({"kind": "ExecCredential", "apiVersion": version, "status": status}).encode()


@pytest.fixture
def plugin(tmp_path):
    """A program that runs a line of shell."""

    def make(script: str, **settings: object) -> ExecPlugin:
        path = tmp_path / "plugin"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return ExecPlugin(settings.pop("version", V1), (str(path), "--arg"), **settings)

    return make


@pytest.mark.parametrize("version", [V1, V1BETA1])
def test_a_plugins_token_and_expiry_are_taken(plugin, version):
    answer = credential(version, token="t", expirationTimestamp="2026-11-23T10:00:00Z").decode()
    made = plugin(f"echo '{answer}'", version=version)
    assert made.fetch() == Material(token="t", expires_at=1795428000.0)


def test_it_gets_its_arguments_its_environment_and_no_stdin(plugin):
    answer = credential(token="$1-$EXTRA-$(cat)-$HOME").decode().replace('"', '\\"')
    made = plugin(f'echo "{answer}"', environment=(("EXTRA", "more"),))
    assert made.fetch() == Material(token=f"--arg-more--{os.environ['HOME']}")


def test_it_is_told_that_nobody_can_answer_questions(plugin, tmp_path):
    made = plugin(f"echo \"$KUBERNETES_EXEC_INFO\" > {tmp_path}/info; echo '{credential(token='t').decode()}'")
    made.fetch()
    info = json.loads((tmp_path / "info").read_text())
    assert info == {"apiVersion": V1, "kind": "ExecCredential", "spec": {"interactive": False}}


@pytest.mark.parametrize(
    ("script", "settings", "why"),
    [
        ("echo first >&2; printf 'sign in\\033[2J first' >&2; exit 7", {}, r"exit code 7: sign in\[2J first$"),
        ("exit 1", {}, "exit code 1: it said nothing"),
        ("exec sleep 5", {"timeout_seconds": 0.05}, "did not answer within 0.05 s"),
        ("echo no json", {}, "not JSON"),
        ("head -c 300000 /dev/zero", {}, "wrote more than"),
        ("true", {"version": "client.authentication.k8s.io/v1alpha1"}, "expected v1 or v1beta1"),
    ],
)
def test_a_plugin_that_fails_is_a_sentence(plugin, script, settings, why):
    with pytest.raises(CredentialError, match=why):
        plugin(script, **settings).fetch()


def test_a_plugin_that_is_not_there_carries_its_install_hint():
    missing = ExecPlugin(V1, ("no-such-plugin-anywhere",), (), InstallHint("install it with apt"))
    with pytest.raises(CredentialError, match="cannot be run: No such file or directory; install it with apt"):
        missing.fetch()


@pytest.mark.parametrize(
    ("output", "why"),
    [
        (b"[]", "no ExecCredential"),
        (b'{"kind": "ExecCredential"}', "no ExecCredential"),
        (b'{"kind": "Other", "status": {}}', "no ExecCredential"),
        (credential(V1BETA1, token="t"), "another version"),
        (credential(), "neither a token"),
        (credential(clientCertificateData="c"), "come together"),
        (credential(token=3), "token that is not text"),
        (credential(token="t", expirationTimestamp="soon"), "no RFC 3339"),
        (credential(token="t", expirationTimestamp="2026-11-23T10:00:00"), "time zone"),
    ],
)
def test_an_answer_that_could_be_misread_is_refused_and_never_repeated(output, why):
    with pytest.raises(CredentialError, match=why):
        parse_exec_credential(output, V1, "plugin")


def test_no_error_shows_what_the_plugin_wrote():
    for output in (b"hunter2", b'{"kind": "X", "status": {"token": "hunter2"}}', credential(token="hunter2 x")):
        with pytest.raises(CredentialError) as refused:
            parse_exec_credential(output, V1, "plugin")
        assert "hunter2" not in str(refused.value)


def test_a_certificate_pair_is_taken():
    output = credential(clientCertificateData="C", clientKeyData="K")
    assert parse_exec_credential(output, V1, "p") == Material(certificate_pem=b"C", key_pem=b"K")

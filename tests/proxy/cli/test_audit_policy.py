"""Claims about `kwit audit policy`, run as a platform engineer runs it."""

import json
import time
from pathlib import Path

import pytest

from proxy.audit_policy_file import policy_text
from proxy.cli import main
from recordings.audit.encode import encode, rfc3339
from recordings.audit.segments import segment_name


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_a_command_is_explained_request_by_request(capsys):
    assert main(["audit", "policy", "explain", "kubectl delete secret x -n y", "--policy", "cis"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "REQUEST                 RULE                 LEVEL      IN THE LOG        EXPORTED",
        "delete secrets x in y   what holds secrets   Metadata   who, what, when   yes, but RequestReceived",
    ]


def test_machines_get_the_same(capsys):
    assert main(["audit", "policy", "explain", "kubectl edit clusterrole/x", "-o", "json"]) == 0
    assert [(row["request"], row["level"], row["exported"]) for row in json.loads(capsys.readouterr().out)] == [
        ("get clusterroles.rbac.authorization.k8s.io x", "Metadata", "yes"),
        ("patch clusterroles.rbac.authorization.k8s.io x", "RequestResponse", "yes"),
    ]


def test_a_command_that_cannot_be_asked_about_is_a_usage_error(capsys):
    assert main(["audit", "policy", "explain", "kubectl get widgets"]) == 2
    assert "write others in full" in capsys.readouterr().err


def test_lint_shows_each_doubt_with_its_line(capsys):
    Path("p.yaml").write_text(
        "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n"
        "  # all\n  - level: Metadata\n  # late\n  - level: None\n    verbs: [get]\n"
    )
    assert main(["audit", "policy", "lint", "p.yaml"]) == 0
    assert main(["audit", "policy", "lint", "p.yaml", "--strict"]) == 1
    out = capsys.readouterr().out.splitlines()
    assert out[0].split() == ["LINE", "RULE", "DOUBT"]
    assert out[1] == "7      late           can never match: 'all' before it speaks of all that this one does"
    assert main(["audit", "policy", "lint", "proxy", "--strict"]) == 0
    assert capsys.readouterr().out == "9 rules, no doubts\n"


def test_a_broken_policy_and_one_that_is_not_there_are_sentences(capsys):
    Path("p.yaml").write_text("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n  - level: all\n")
    assert main(["audit", "policy", "lint", "p.yaml"]) == 1
    assert "p.yaml:4: rules[0].level" in capsys.readouterr().err
    assert main(["audit", "policy", "explain", "kubectl get po", "--policy", "none.yaml"]) == 1
    assert "no profile of that name; profiles are proxy" in capsys.readouterr().err


def test_the_past_is_counted_by_rule(capsys):
    now = time.time()

    def record(seq: int, age: float, resource: str) -> bytes:
        event = {"verb": "get", "stage": "ResponseComplete", "objectRef": {"resource": resource}}
        return encode({"seq": seq, "time": rfc3339(now - age), "type": "kube.request", "event": event})

    writer = Path("log/one")
    writer.mkdir(parents=True)
    lines = [record(1, 9 * 86_400, "pods"), record(2, 60, "events"), record(3, 50, "pods"), record(4, 40, "pods")]
    (writer / segment_name(1, 0)).write_bytes(b"".join(lines))
    assert main(["audit", "policy", "simulate", "--dir", "log", "-o", "json"]) == 0
    rows = {row["rule"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["events are chatter"]["kept"] == 1
    last = rows["everything else: who, what, when"]
    assert (last["requests"], last["exported"], last["bytes"]) == (2, 2, len(lines[2]) + len(lines[3]))


def test_a_profile_is_printed_as_it_is_written_and_as_a_cluster_needs_it(capsys):
    assert main(["audit", "policy", "show", "falco"]) == 0
    assert capsys.readouterr().out == policy_text("falco")
    assert main(["audit", "policy", "for-cluster"]) == 0
    assert "--audit-policy-file" in capsys.readouterr().out


def test_the_configuration_names_the_policy_that_is_meant(capsys):
    Path("kwit.yaml").write_text(
        'installation: x\nkube: {url: "https://k.example.com"}\nweb: {url: "https://w.example.com"}\n'
        "connectors: [{name: c, type: oidc, issuer: 'https://i.example.com', client_id: k, client_secret_file: s}]\n"
        "audit: {policy_profile: metadata}\n"
    )
    assert main(["audit", "policy", "show"]) == 0
    assert capsys.readouterr().out == policy_text("metadata")

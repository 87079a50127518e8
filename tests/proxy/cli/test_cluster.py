import json
import stat

import pytest
import yaml

from proxy.cli.cluster import cluster_text, listing
from proxy.cli.commands import run
from proxy.clusters import load_cluster
from tests.fakes.probed_apiserver import ProbedAPIServer

ROLES = """\
apiVersion: kubewitness.dev/v1
kind: Role
metadata: {name: r}
spec:
  as: {groups: ["kwit:a", "kwit:team-{{ claims.team }}"]}
  allow: [{apiGroups: [""], resources: [pods], verbs: [get]}]
"""


@pytest.fixture
def installed(tmp_path, capsys):
    run(["init", str(tmp_path)])
    capsys.readouterr()
    return tmp_path


@pytest.fixture
def server():
    with ProbedAPIServer() as server:
        yield server


@pytest.fixture
def options(installed, server):
    """`cluster add` for the fake API server."""
    (installed / "ca.crt").write_text(server.ca_pem)
    (installed / "token").write_text("good")
    return [
        *("-c", str(installed / "kwit.yaml"), "--server", server.url),
        *("--ca-file", str(installed / "ca.crt"), "--token-file", str(installed / "token")),
    ]


def test_a_cluster_that_answers_is_registered_and_listed(installed, options, server, capsys):
    assert run(["cluster", "add", "staging", *options, "--label", "env=staging"]) == 0
    path = installed / "clusters" / "staging.yaml"
    assert (load_cluster(path).server, load_cluster(path).labels) == (server.url, {"env": "staging"})
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "is refused, as it should be" in capsys.readouterr().err
    assert run(["cluster", "ls", "-c", str(installed / "kwit.yaml")]) == 0
    assert capsys.readouterr().out.split() == [
        *("NAME", "STATUS", "SERVER", "CREDENTIALS"),
        *("staging", "ready", server.url, "token_file"),
    ]


def test_an_account_that_can_do_more_is_registered_with_a_loud_warning(installed, options, server, capsys):
    server.rights.add(("*", "*", "*"))
    assert run(["cluster", "add", "staging", *options]) == 0
    assert "kwit's account can do more than impersonate: it may do everything" in capsys.readouterr().err


def test_a_cluster_that_fails_is_not_registered_unless_asked_to_go_untried(installed, options, server, capsys):
    server.rights.clear()
    assert run(["cluster", "add", "staging", *options]) == 1
    assert not (installed / "clusters" / "staging.yaml").exists()
    assert "was not registered" in capsys.readouterr().err
    seen = len(server.seen)
    assert run(["cluster", "add", "staging", *options, "--no-check"]) == 0
    assert (installed / "clusters" / "staging.yaml").exists()
    assert len(server.seen) == seen


def test_a_registered_cluster_is_replaced_only_when_asked(installed, options, capsys):
    path = installed / "clusters" / "staging.yaml"
    path.write_text("mine")
    assert run(["cluster", "add", "staging", *options]) == 1
    assert path.read_text() == "mine"
    assert "--replace" in capsys.readouterr().err
    assert run(["cluster", "add", "staging", *options, "--replace"]) == 0
    assert path.read_text() != "mine"


@pytest.mark.parametrize("name", ["../evil", "A", "a b", ".hidden"])
def test_a_name_that_could_leave_the_directory_is_refused(installed, options, name):
    before = sorted(installed.rglob("*"))
    assert run(["cluster", "add", name, *options]) == 1
    assert sorted(installed.rglob("*")) == before


@pytest.mark.parametrize(
    ("given", "credentials"),
    [
        ({"in_cluster": True}, {"kind": "in_cluster"}),
        ({"token_file": "/t"}, {"kind": "token_file", "path": "/t"}),
        (
            {"client_certificate": "/c", "client_key": "/k"},
            {"kind": "client_certificate", "certificate": "/c", "key": "/k"},
        ),
        ({"context": "x", "kubeconfig": "/f"}, {"kind": "kubeconfig", "path": "/f", "context": "x"}),
        ({"context": "x"}, {"kind": "kubeconfig", "path": "/env/config", "context": "x"}),
    ],
)
def test_each_way_to_prove_ourselves_has_its_form_in_the_file(monkeypatch, given, credentials):
    from pathlib import Path

    monkeypatch.setenv("KUBECONFIG", "/env/config:/other")
    paths = {key: Path(value) if str(value).startswith("/") else value for key, value in given.items()}
    assert yaml.safe_load(cluster_text("a", paths)) == {"name": "a", "credentials": credentials}


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ([], "say how kwit proves itself"),
        (["--in-cluster", "--context", "x"], "say how kwit proves itself"),
        (["--client-certificate", "c"], "--client-key FILE"),
        (["--token-file", "t"], "Add --server URL and --ca-file FILE"),
        (["--token-file", "t", "--server", "https://a"], "Add --server URL and --ca-file FILE"),
        (["--in-cluster", "--label", "x"], "expected KEY=VALUE"),
    ],
)
def test_options_that_do_not_fit_together_are_one_sentence(installed, capsys, arguments, why):
    assert run(["cluster", "add", "a", "-c", str(installed / "kwit.yaml"), *arguments]) == 1
    assert why in capsys.readouterr().err


def test_a_listing_names_what_is_broken_and_gives_machines_everything(installed, options, capsys):
    run(["cluster", "add", "good", *options])
    (installed / "clusters" / "bad.yaml").write_text("name: bad\n")
    capsys.readouterr()
    assert run(["cluster", "ls", "-c", str(installed / "kwit.yaml"), "-o", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["name"], row["status"]) for row in rows] == [("bad", "broken"), ("good", "ready")]
    assert "credentials" in rows[0]["problem"]
    assert listing(installed / "nowhere") == []


def test_an_empty_listing_says_how_to_add_one(installed, capsys):
    assert run(["cluster", "ls", "-c", str(installed / "kwit.yaml")]) == 0
    captured = capsys.readouterr()
    assert (captured.out, "kwit cluster add" in captured.err) == ("", True)


def test_a_manifest_grants_the_groups_that_the_roles_send(tmp_path, capsys):
    (tmp_path / "r.yaml").write_text(ROLES.replace(', "kwit:team-{{ claims.team }}"', ""))
    assert run(["cluster", "manifest", "staging", "--roles", str(tmp_path), "--groups", "kwit:b"]) == 0
    rules = next(d for d in yaml.safe_load_all(capsys.readouterr().out) if d["kind"] == "ClusterRole")["rules"]
    assert rules[1]["resourceNames"] == ["kwit:a", "kwit:b"]


def test_a_group_made_per_person_asks_for_a_list_or_a_plain_yes(tmp_path, capsys):
    (tmp_path / "r.yaml").write_text(ROLES)
    command = ["cluster", "manifest", "staging", "--roles", str(tmp_path)]
    assert run(command) == 1
    assert "--any-group" in capsys.readouterr().err
    assert run([*command, "--groups", "kwit:team-red"]) == 0
    assert '"kwit:team-red"' in capsys.readouterr().out
    assert run([*command, "--any-group"]) == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["A"],
        ["a", "--groups", "system:masters"],
        ["a"],
        ["a", "--any-group", "--namespace", "x y"],
        ["a", "--roles", "."],
    ],
)
def test_a_manifest_that_would_grant_the_wrong_thing_is_not_printed(tmp_path, monkeypatch, capsys, arguments):
    (tmp_path / "broken.yaml").write_text("kind: Nothing\n")
    monkeypatch.chdir(tmp_path)
    assert run(["cluster", "manifest", *arguments]) == 1
    assert capsys.readouterr().out == ""


def test_a_broken_configuration_is_shown_with_its_mistakes(tmp_path, capsys):
    (tmp_path / "kwit.yaml").write_text("workers: 0\n")
    assert run(["cluster", "ls", "-c", str(tmp_path / "kwit.yaml")]) == 1
    assert "workers" in capsys.readouterr().err

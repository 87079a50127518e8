"""Claims about the engineer's commands, run as a person runs them."""

from __future__ import annotations

import io
import json
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import click
import pytest
import yaml

from proxy.cli import commands, main
from proxy.cli.client import cached, terminal
from proxy.cli.client.problem import Problem
from proxy.cli.client.saved_login import SavedLogin
from proxy.cli.client.sign_in import Person

Out = Callable[[], tuple[str, str]]


@pytest.fixture
def out(capsys: pytest.CaptureFixture[str]) -> Out:
    return lambda: tuple(capsys.readouterr())  # type: ignore[return-value]


def test_help_names_every_command_under_its_people_and_imports_none(out: Out) -> None:
    assert main(["--help"]) == 0
    text = out()[0]
    for section, table in commands.SECTIONS.items():
        assert section in text
        assert all(f"  {name} " in text for name in table)


def test_a_command_that_is_not_there_is_one_sentence(out: Out, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(commands.TABLE, "later", ("proxy.cli.not_written:command", ""))
    assert main(["later"]) == 1
    assert out()[1] == "kwit: `kwit later` is not part of this version; run `kwit --help` for what is\n"
    assert main(["nonsense"]) == 2


def test_version_and_wrong_usage(out: Out) -> None:
    assert main(["--version"]) == 0
    assert out()[0].startswith("kwit ")
    assert main(["can-i"]) == 2
    assert out()[1] == "kwit: missing argument 'VERB'; `kwit can-i --help` shows how it is used\n"
    assert main(["status", "--sever", "x"]) == 2
    assert out()[1] == "kwit: no such option '--sever'. Did you mean '--server'?\n"
    assert main(["statuss"]) == 2
    assert out()[1] == "kwit: there is no command 'statuss'; did you mean `kwit status`?\n"


def test_an_output_that_is_full_is_one_sentence(capfd: pytest.CaptureFixture[str]) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no device that is always full")
    command = [sys.executable, "-m", "proxy.cli", "init", "--schema"]
    with open("/dev/full", "wb") as full:  # noqa: PTH123 - a device, not a path of ours
        assert subprocess.run(command, stdout=full, check=False).returncode == 1
    assert capfd.readouterr().err == "kwit: the output cannot be written: No space left on device\n"


@pytest.mark.parametrize(("said", "coloured"), [("1", False), ("", True)])
def test_no_color_is_heeded(monkeypatch: pytest.MonkeyPatch, said: str, coloured: bool) -> None:
    monkeypatch.setenv("NO_COLOR", said)
    assert (commands.colours() is None) == coloured
    seen: list[bool | None] = []
    probe = click.Command("status", callback=lambda: seen.append(click.get_current_context().color))
    monkeypatch.setattr(commands.Commands, "get_command", lambda *_: probe)
    assert main(["status"]) == 0
    assert seen == [commands.colours()]


def test_login_writes_contexts_and_says_who_until_when_and_where(
    web, person: Person, home: Path, out: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "config").write_text("# mine\nkind: Config\ncurrent-context: x\n")
    monkeypatch.setattr(terminal, "person", lambda: person)
    assert main(["login", web.url]) == 0
    text, notes = out()
    assert text.startswith("Signed in to example as ada@example.com (eng) until ")
    assert "  prod  kubectl --context kwit-prod\n" in text
    assert notes.endswith(f"2 contexts written to {home / 'config'}.\n")
    written = (home / "config").read_text()
    assert written.startswith("# mine\n")
    assert written.endswith("kind: Config\ncurrent-context: x\n")
    data = yaml.safe_load(written)
    assert {c["name"]: c["cluster"]["server"] for c in data["clusters"]} == {
        "kwit-prod": "https://kube.example.com:8443/clusters/prod",
        "kwit-dev": "https://kube.example.com:8443/clusters/dev",
    }
    args = data["users"][0]["user"]["exec"]["args"]
    assert args[-5:] == ["credential", "--cluster", "prod", "--server", web.url]
    assert "You are signed in" in web.page


def test_login_without_a_browser_takes_a_pasted_code_and_shows_the_keys_fingerprint(
    web, out: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []

    def ask(_: str) -> str:
        web.browse(said[-1].splitlines()[1].strip())
        return " CODE \n"

    monkeypatch.setattr(terminal, "person", lambda: Person(said.append, lambda _: pytest.fail("opened"), ask))
    assert main(["login", web.url, "--no-browser", "--connector", "corp"]) == 0
    assert web.transaction["key"] in said[-1].splitlines()[2]
    assert "redirect_uri" not in web.transaction
    assert web.transaction["connector"] == "corp"


def test_a_code_that_nobody_can_paste_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    ask = terminal.person().ask
    assert ask is not None
    with pytest.raises(Problem, match="there is no terminal to paste into"):
        ask("Paste the code")


def test_a_broken_kubeconfig_is_named_and_left_as_it_was(
    web, person: Person, home: Path, out: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "config").write_text("clusters: [\n")
    monkeypatch.setattr(terminal, "person", lambda: person)
    assert main(["login", web.url]) == 1
    assert f"{home / 'config'}: it cannot be parsed: line 2, column 1" in out()[1]
    assert (home / "config").read_text() == "clusters: [\n"
    assert sorted(p.name for p in home.iterdir()) == ["config", "kwit"]


def test_a_hostile_cluster_name_from_the_server_stores_nothing(
    web, person: Person, home: Path, out: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    web.clusters = [{"name": "x$(touch pwned)", "labels": {}}]
    monkeypatch.setattr(terminal, "person", lambda: person)
    assert main(["login", web.url]) == 1
    assert "only letters" in out()[1]
    assert not (home / "config").exists()
    assert not (home / "kwit" / "current").exists()


def test_only_the_owner_can_read_what_login_stores(login: SavedLogin, home: Path) -> None:
    files = [p for p in (home / "kwit").rglob("*") if p.is_file()]
    assert {p.name for p in files} == {"current", "login.json", "key.pem"}
    assert {stat.S_IMODE(p.stat().st_mode) for p in files} == {0o600}
    assert stat.S_IMODE(Path(cached.folder(login.server)).stat().st_mode) == 0o700


def test_status_shows_the_login_in_every_form(login: SavedLogin, web, out: Out) -> None:
    assert main(["status"]) == 0
    assert out()[0].splitlines()[0].split() == ["SERVER", "USER", "EXPIRES", "CLUSTERS"]
    assert main(["status", "-o", "json"]) == 0
    (row,) = json.loads(out()[0])
    assert (row["username"], row["clusters"], row["expires_at"][-1]) == ("ada@example.com", ["prod", "dev"], "Z")
    assert main(["status", "-o", "name"]) == 0
    assert out()[0] == "ada@example.com\n"


@pytest.mark.parametrize("args", [["status"], ["clusters"], ["logout"], ["can-i", "get", "pods"], ["kubeconfig"]])
def test_without_a_login_every_command_says_what_to_type(args: list[str], out: Out) -> None:
    assert main(args) == 1
    assert out() == ("", "kwit: you are not signed in; run `kwit login https://YOUR-SERVER`\n")


def test_clusters_are_asked_of_the_server_anew(login: SavedLogin, web, out: Out) -> None:
    web.clusters.append({"name": "new", "labels": {"a": "b"}})
    assert main(["clusters", "-o", "wide"]) == 0
    assert out()[0].splitlines()[-1].split() == ["new", "kwit-new", "a=b"]
    assert main(["clusters", "-o", "yaml"]) == 0
    assert [c["name"] for c in yaml.safe_load(out()[0])] == ["prod", "dev", "new"]


def test_can_i_answers_by_its_exit_code_and_with_role_and_rule(login: SavedLogin, web, out: Out) -> None:
    assert main(["can-i", "get", "deployments.apps/scale", "web", "-n", "shop", "--cluster", "prod"]) == 0
    assert out()[0] == "yes - role dev rule allow[0]\n"
    assert web.question == {
        "cluster": "prod", "verb": "get", "resource": "deployments", "subresource": "scale", "api_group": "apps",
        "namespace": "shop", "name": "web",
    }  # fmt: skip
    web.verdict = {"allowed": False, "role": None, "rule": None, "reason": "no role"}
    assert main(["can-i", "get", "pods", "--cluster", "prod"]) == 1
    assert out()[0] == "no - no role\n"
    assert main(["can-i", "get", "pods"]) == 2
    assert "one of: prod, dev" in out()[1]


def test_logout_ends_the_login_on_the_server_and_removes_what_is_here(
    login: SavedLogin, web, home: Path, out: Out
) -> None:
    assert main(["kubeconfig"]) == 0
    assert main(["credential", "--cluster", "prod"]) == 0
    before = (home / "config").read_text()
    assert main(["logout", "--remove-contexts"]) == 0
    assert web.ended
    assert "kwit-prod" in before
    assert "kwit-" not in (home / "config").read_text()
    assert [p.name for p in (home / "kwit").rglob("*") if p.is_file() and p.suffix in (".json", ".pem")] == []


def test_logout_without_the_server_removes_the_key_and_says_what_lasts(login: SavedLogin, web, out: Out) -> None:
    web.refusal = (503, {"error": "state_stale", "message": "the state is too old; wait"})
    assert main(["logout"]) == 1
    assert "until it expires" in out()[1]
    assert not (Path(cached.folder(web.url)) / "key.pem").exists()


def test_an_embedded_kubeconfig_needs_nothing_else_and_overwrites_nothing(
    login: SavedLogin, home: Path, out: Out
) -> None:
    assert main(["kubeconfig", "--embed", "--cluster", "prod"]) == 0
    data = yaml.safe_load(out()[0])
    assert [u["user"].keys() for u in data["users"]] == [{"client-certificate-data", "client-key-data"}]
    path = home / "alone"
    assert main(["kubeconfig", "--embed", "--kubeconfig", str(path)]) == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert main(["kubeconfig", "--embed", "--kubeconfig", str(path)]) == 1
    assert main(["kubeconfig", "--print", "--cluster", "nowhere"]) == 1


def test_an_ended_login_is_one_sentence_when_nobody_is_there(login: SavedLogin, web, out: Out) -> None:
    web.ended = True
    assert main(["credential", "--cluster", "prod"]) == 1
    assert out() == ("", "kwit: this login has ended; run `kwit login`\n")


def test_a_refusal_comes_with_its_next_step(login: SavedLogin, web, out: Out) -> None:
    web.refusal = (403, {"error": "no_role", "message": "you have no role in prod.", "next": "ask \x1b[31mOps"})
    assert main(["credential", "--cluster", "prod"]) == 1
    assert out()[1] == "kwit: you have no role in prod; ask  [31mOps\n"


def test_a_fresh_certificate_is_answered_without_any_import_of_ours(
    login: SavedLogin, out: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["credential", "--cluster", "prod"]) == 0
    first = out()[0]
    monkeypatch.setattr(commands, "run", lambda _: pytest.fail("the slow way"))
    assert main(["credential", "--cluster=prod", "--server", login.server]) == 0
    assert out()[0] == first
    assert json.loads(first)["status"]["expirationTimestamp"] > time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())

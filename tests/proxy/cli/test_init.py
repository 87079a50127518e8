from pathlib import Path

import pytest

from auth.rbac import compile_policy
from auth.role_files import load
from proxy.cli import init
from proxy.cli.commands import run
from proxy.config import Config, json_schema


def test_what_is_written_loads_as_it_is_and_its_role_compiles(tmp_path, capsys):
    assert run(["init", str(tmp_path / "kwit"), "--connector", "okta"]) == 0
    config = Config.load(tmp_path / "kwit" / "kwit.yaml")
    roles, bindings = load(config.roles_dir)
    compile_policy(roles, bindings, [connector.name for connector in config.connectors])
    assert (config.connectors[0].name, bindings[0].subjects[0].connector) == ("okta", "okta")
    assert config.clusters_dir.is_dir()
    assert "kwit doctor -c" in capsys.readouterr().out


def test_options_stand_in_the_file_and_in_the_next_steps(tmp_path, capsys):
    options = {
        "--installation": "prod",
        "--kube-url": "https://k.example.com",
        "--web-url": "https://w.example.com",
        "--issuer": "https://i.example.com",
        "--client-id": "c1",
        "--client-secret-file": "/s",
    }
    assert run(["init", str(tmp_path), *(part for pair in options.items() for part in pair)]) == 0
    config = Config.load(tmp_path / "kwit.yaml")
    connector = config.connectors[0]
    assert (config.installation, config.kube.url, config.web.url) == (
        "prod",
        "https://k.example.com",
        "https://w.example.com",
    )
    assert (connector.issuer, connector.client_id, connector.client_secret_file) == (
        "https://i.example.com",
        "c1",
        Path("/s"),
    )
    assert "https://w.example.com/callback/corp" in capsys.readouterr().out


def test_nothing_is_ever_overwritten(tmp_path, capsys):
    (tmp_path / "roles").mkdir()
    (tmp_path / "roles" / "viewer.yaml").write_text("mine")
    assert run(["init", str(tmp_path)]) == 0
    assert (tmp_path / "roles" / "viewer.yaml").read_text() == "mine"
    (tmp_path / "kwit.yaml").write_text("mine too")
    assert run(["init", str(tmp_path)]) == 1
    assert (tmp_path / "kwit.yaml").read_text() == "mine too"
    assert "exists and stays as it is" in capsys.readouterr().err


def test_a_value_that_cannot_stand_there_writes_nothing(tmp_path, capsys):
    assert run(["init", str(tmp_path / "new"), "--web-url", "http://kwit.example.com"]) == 1
    assert not (tmp_path / "new").exists()
    assert "loopback only" in capsys.readouterr().err


def test_it_asks_on_a_terminal_for_what_no_option_says(monkeypatch):
    class Terminal:
        def isatty(self) -> bool:
            return True

    asked = []
    monkeypatch.setattr(init.sys, "stdin", Terminal())
    monkeypatch.setattr(init.sys, "stdout", Terminal())
    monkeypatch.setattr(init.click, "prompt", lambda question, default: asked.append(question) or default)
    values = init._answers({"issuer": "https://given"})
    assert (values["issuer"], len(asked)) == ("https://given", 4)


def test_the_schema_is_for_editors_and_writes_nothing(tmp_path, capsys):
    assert run(["init", str(tmp_path / "new"), "--schema"]) == 0
    assert (capsys.readouterr().out, (tmp_path / "new").exists()) == (json_schema(), False)


@pytest.mark.parametrize("connector", ["a b", "A", "x/../y"])
def test_a_connector_name_that_breaks_urls_is_refused(tmp_path, connector):
    assert run(["init", str(tmp_path / "new"), "--connector", connector]) == 1

import sys
from types import SimpleNamespace

from proxy.cli.commands import run


def test_a_broken_configuration_starts_nothing_and_shows_every_mistake(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "proxy.app", SimpleNamespace(serve=lambda _: 1 / 0))
    (tmp_path / "kwit.yaml").write_text("installation: X\nworkers: 0\n")
    assert run(["serve", "-c", str(tmp_path / "kwit.yaml")]) == 1
    err = capsys.readouterr().err
    assert "nothing was started" in err
    assert ("installation" in err, "workers" in err) == (True, True)


def test_the_loaded_configuration_is_served_and_its_exit_code_is_ours(tmp_path, monkeypatch):
    served = []
    monkeypatch.setitem(sys.modules, "proxy.app", SimpleNamespace(serve=lambda config: served.append(config) or 7))
    run(["init", str(tmp_path), "--installation", "prod"])
    assert run(["serve", "-c", str(tmp_path / "kwit.yaml")]) == 7
    assert [config.installation for config in served] == ["prod"]

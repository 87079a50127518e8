import sys
from types import SimpleNamespace

from proxy.app import StartError
from proxy.cli.commands import run


def test_a_broken_configuration_starts_nothing_and_shows_every_mistake(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "proxy.server", SimpleNamespace(serve=lambda _: 1 / 0))
    (tmp_path / "kwit.yaml").write_text("installation: X\nworkers: 0\n")
    assert run(["serve", "-c", str(tmp_path / "kwit.yaml")]) == 1
    err = capsys.readouterr().err
    assert "nothing was started" in err
    assert ("installation" in err, "workers" in err) == (True, True)


def test_the_loaded_configuration_is_served_and_its_exit_code_is_ours(tmp_path, monkeypatch):
    served = []
    server = SimpleNamespace(serve=lambda config: served.append(config) or 7)
    monkeypatch.setitem(sys.modules, "proxy.server", server)
    run(["init", str(tmp_path), "--installation", "prod"])
    assert run(["serve", "-c", str(tmp_path / "kwit.yaml")]) == 7
    assert [config.installation for config in served] == ["prod"]


def test_what_cannot_start_is_one_sentence(tmp_path, monkeypatch, capsys):
    def serve(_):
        raise StartError("kube.address 127.0.0.1:8443: Address already in use; free it, or choose another")

    monkeypatch.setitem(sys.modules, "proxy.server", SimpleNamespace(serve=serve))
    run(["init", str(tmp_path), "--installation", "prod"])
    capsys.readouterr()
    assert run(["serve", "-c", str(tmp_path / "kwit.yaml")]) == 1
    assert capsys.readouterr().err == (
        "kwit: nothing was started: kube.address 127.0.0.1:8443: Address already in use; free it, or choose another\n"
    )

import json

from proxy.cli.commands import run
from proxy.cli.doctor import table
from proxy.finding import Finding, Level, fail, ok, warn


def test_a_table_has_a_line_for_each_finding_and_its_fix_below():
    assert table([ok("disk", "room"), warn("ca", "wide", "narrow it"), fail("roles", "bro\x1b[2Jken", "mend it")]) == (
        "\x1b[32mok  \x1b[0m  disk   room\n"
        "\x1b[33mwarn\x1b[0m  ca     wide\n"
        "             → narrow it\n"
        "\x1b[31mfail\x1b[0m  roles  bro?[2Jken\n"
        "             → mend it\n"
        "1 to mend, 1 to think about.\n"
    )


def test_all_well_is_said_in_one_line():
    assert table([Finding(Level.OK, "a", "b")]).endswith("Everything that was looked at is in order.\n")


def test_every_mistake_of_a_broken_configuration_is_a_finding_and_the_exit_code_is_1(tmp_path, capsys):
    path = tmp_path / "kwit.yaml"
    path.write_text("installation: X\nworkers: 0\n")
    assert run(["doctor", "-c", str(path), "-o", "json"]) == 1
    findings = json.loads(capsys.readouterr().out)
    assert {finding["level"] for finding in findings} == {"fail"}
    assert len(findings) == 5


def test_a_new_installation_is_told_what_is_missing(tmp_path, capsys):
    run(["init", str(tmp_path), "--issuer", "https://127.0.0.1:1"])
    capsys.readouterr()
    assert run(["doctor", "-c", str(tmp_path / "kwit.yaml")]) == 1
    out = capsys.readouterr().out
    assert "ok    config" in out
    assert "put the client secret there" in out
    assert "2 to mend" in out

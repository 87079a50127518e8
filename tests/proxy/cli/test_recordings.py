"""`kwit recordings` on a folder; what it says of a server, tests/proxy/web/test_recordings.py holds."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from proxy.cli.commands import run
from tests.recordings.replay.conversation import HEAD, SHELL, said
from tests.recordings.replay.library import Library

BOB = replace(HEAD, id="b" * 26, username="bob", namespace="bank", pod="db-1", started=HEAD.started + 1, tty=False)


@pytest.fixture
async def folder(tmp_path: Path) -> str:
    library = Library(tmp_path / "recordings")
    await library.add(HEAD, SHELL)
    await library.add(BOB, [said(1, b"SELECT\nDROP\x1b[2J TABLE\n")])
    await library.close()
    return str(tmp_path / "recordings")


def test_every_command_and_option_is_explained(capsys):
    for words in ([], ["ls"], ["show"], ["text"], ["search"], ["export"], ["verify"], ["rm"], ["follow"]):
        assert run(["recordings", *words, "--help"]) == 0
    assert run(["play", "--help"]) == 0
    assert "follow" in capsys.readouterr().out


def test_a_table_says_who_did_what_where(folder, capsys):
    assert run(["recordings", "ls", "--dir", folder, "-n", "shop"]) == 0
    title, row = capsys.readouterr().out.splitlines()
    assert title.split() == ["ID", "AGE", "USER", "CLUSTER", "NAMESPACE", "POD", "LENGTH", "EXIT", "COMMAND"]
    assert row.split()[0] == HEAD.id
    assert row.split()[2:] == ["ada@example.com", "staging-eu", "shop", "web-0", "10s", "3", "sh"]


def test_each_form_is_for_its_reader(folder, capsys):
    run(["recordings", "ls", "--dir", folder, "--user", "bob", "-o", "name"])
    assert capsys.readouterr().out == f"{BOB.id}\n"
    run(["recordings", "ls", "--dir", folder, "--user", "bob", "-o", "json"])
    assert json.loads(capsys.readouterr().out)[0]["pod"] == "db-1"
    run(["recordings", "ls", "--dir", folder, "--text", "drop", "-o", "yaml"])
    assert [row["user"] for row in yaml.safe_load(capsys.readouterr().out)] == ["bob"]
    run(["recordings", "ls", "--dir", folder, "-o", "wide"])
    assert "REQUEST" in capsys.readouterr().out


def test_no_recording_is_exit_code_1_and_a_time_that_is_none_is_2(folder, capsys):
    assert run(["recordings", "ls", "--dir", folder, "--user", "eve"]) == 1
    assert "No recording fits" in capsys.readouterr().err
    assert run(["recordings", "ls", "--dir", folder, "--user", "eve", "-o", "json"]) == 1
    assert capsys.readouterr().out == "[]\n"
    assert run(["recordings", "ls", "--dir", folder, "--since", "soon"]) == 2
    assert run(["recordings", "ls", "--dir", folder, "--limit", "1"]) == 0
    assert "newest 1 of more" in capsys.readouterr().err


def test_show_names_the_commands_as_a_guess(folder, capsys):
    assert run(["recordings", "show", HEAD.id, "--dir", folder]) == 0
    shown = capsys.readouterr().out
    assert "user:       ada@example.com" in shown
    assert "end:        exited, exit code 3\n" in shown
    assert "seconds:    10.3" in shown
    assert "role:" not in shown
    assert "a guess" in shown
    assert "  00:00:02  ls\n  00:00:04  cat file\\ one\n" in shown
    assert run(["recordings", "show", HEAD.id, "--dir", folder, "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["commands"][0] == {"at": 2.0, "text": "ls"}
    assert run(["recordings", "show", HEAD.id, "--dir", folder, "-o", "name"]) == 0
    assert capsys.readouterr().out == f"{HEAD.id}\n"


def test_examples_stand_in_lines_of_their_own(capsys):
    for words in (["recordings"], ["audit"]):
        run([*words, "--help"])
        shown = capsys.readouterr().out
        assert "\\b" not in shown
        assert f"\n    kwit {words[0]} " in shown


def test_text_is_what_was_drawn_and_input_only_where_it_is_asked_for(folder, capsys):
    assert run(["recordings", "text", HEAD.id, "--dir", folder]) == 0
    drawn = capsys.readouterr().out
    assert "secret\n" in drawn
    assert "hunter2" not in drawn
    run(["recordings", "text", HEAD.id, "--dir", folder, "--typed"])
    assert "> hunter2\n" in capsys.readouterr().out


def test_search_tells_when_in_all_or_in_one(folder, capsys):
    assert run(["recordings", "search", "table", "--dir", folder]) == 0
    found = capsys.readouterr().out
    assert found.startswith(f"{BOB.id}  ")
    assert "  00:00:01  stdout   DROP\\u001b[2J TABLE\n" in found
    assert run(["recordings", "search", "secret", HEAD.id, "--dir", folder]) == 0
    assert "00:00:04  drawn    secret" in capsys.readouterr().out
    assert run(["recordings", "search", "nowhere", "--dir", folder]) == 1
    assert "Nowhere in the recordings that fit" in capsys.readouterr().err
    assert run(["recordings", "search", "nowhere", HEAD.id, "--dir", folder]) == 1
    assert capsys.readouterr().err == "Nowhere in this recording.\n"
    assert run(["recordings", "search", "", "--dir", folder]) == 2


@pytest.mark.parametrize(
    ("form", "beginning"),
    [
        ("asciicast", '{"version": 3'),
        ("asciicast-v2", '{"version": 2'),
        ("text", "secret\n"),
        ("jsonl", '{"head":'),
        ("html", "<!doctype html>"),
    ],
)
def test_each_format_is_written_to_a_file_of_ones_own(folder, form, beginning, tmp_path, capsys):
    target = tmp_path / "out"
    words = ["recordings", "export", HEAD.id, "--dir", folder, "--format", form, "--to", str(target)]
    assert run(words) == 0
    text = target.read_text()
    assert text.startswith(beginning)
    assert target.stat().st_mode & 0o777 == 0o600
    assert form == "jsonl" or "hunter2" not in text
    assert run(words) == 1
    assert "is there already" in capsys.readouterr().err
    assert run([*words[:-2], "--with-input"]) == 0
    assert "hunter2" in capsys.readouterr().out


def test_a_recording_that_is_over_is_followed_to_its_end(folder, capsys):
    assert run(["recordings", "follow", BOB.id, "--dir", folder]) == 0
    assert capsys.readouterr().out.startswith("SELECT\nDROP")


def test_nothing_is_removed_behind_the_servers_back(folder, capsys):
    assert run(["recordings", "rm", BOB.id, "--dir", folder]) == 2
    assert run(["recordings", "ls", "--dir", folder, "--user", "bob"]) == 0

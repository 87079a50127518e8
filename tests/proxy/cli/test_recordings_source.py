"""Recordings from a folder, a file and a server."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from proxy.cli.client.problem import Problem
from proxy.cli.recordings_source import Folder, Server, opened_file, row_of
from recordings.recorder.footer import Footer
from recordings.recorder.head import RecordingHead
from recordings.replay.jsonl import written
from recordings.replay.shelf import Summary, Wanted
from tests.recordings.replay.conversation import HEAD, SHELL, said
from tests.recordings.replay.library import Library

FOOTER = Footer("exited", 3, "", "", received=9, sent=99, duration=11_000_000, chunks=1)


class FakeApi:
    """What the web listener answers."""

    server = "https://kwit.example.com"

    def __init__(self, answer: object = None) -> None:
        self.answer = answer
        self.calls: list[str] = []
        self.cut = 0

    def call(self, method: str, path: str) -> object:
        self.calls.append(f"{method} {path}")
        return self.answer

    def lines(self, path: str) -> Iterator[bytes]:
        self.calls.append(f"GET {path}")
        lines = [line.encode() for line in written(HEAD, SHELL, FOOTER)]
        yield from lines[: len(lines) - self.cut]


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    library = Library(tmp_path)
    await library.add(HEAD, SHELL)
    await library.add(replace(HEAD, id="b" * 26, username="bob", started=HEAD.started + 1), [said(1, b"x")])
    await library.close()
    return tmp_path


async def test_a_folder_gives_rows_recordings_and_their_ends(folder):
    place = Folder(folder)
    rows, more = place.rows(Wanted(), 1)
    assert (len(rows), more) == (1, True)
    assert len(place.rows(Wanted(user="bob"), 5)[0]) == 1
    one = place.open(HEAD.id)
    assert one.head == HEAD
    assert tuple(one.moments()) == tuple(one.moments()) == SHELL
    assert one.footer is not None
    assert list(place.follow(HEAD.id, lambda _: None)) == list(SHELL)


@pytest.mark.parametrize("wanted", ["c" * 26, "", "../x", "\x1b[2J"])
async def test_what_a_folder_does_not_have_is_said_in_a_sentence(folder, wanted):
    with pytest.raises(Problem, match="no recording"):
        Folder(folder).open(wanted)


async def test_a_file_that_is_no_recording_is_said_in_a_sentence(tmp_path):
    path = tmp_path / "x.kwr"
    path.write_bytes(b"nonsense")
    with pytest.raises(Problem, match="no recording that can be read"):
        opened_file(path)


def test_a_server_is_asked_once_and_its_recording_read_as_often_as_needed():
    api = FakeApi()
    one = Server(api).open(HEAD.id)
    assert one.head == HEAD
    assert tuple(one.moments()) == tuple(one.moments()) == SHELL
    assert one.footer == FOOTER
    assert api.calls == [f"GET /api/v1/recordings/{HEAD.id}/moments"]


def test_a_server_is_asked_for_what_was_asked():
    api = FakeApi({"recordings": [Summary(HEAD, FOOTER, 5).fields()], "more": True})
    rows, more = Server(api).rows(Wanted(user="a b", since=5.0), 7)
    assert (rows[0]["head"]["id"], more) == (HEAD.id, True)
    path = urlsplit(api.calls[0].split()[1])
    assert parse_qs(path.query) == {"user": ["a b"], "since": ["5.0"], "limit": ["7"]}


@pytest.mark.parametrize("answer", [{}, {"recordings": {}}, {"recordings": [5]}, {"recordings": [{}]}])
def test_a_server_that_answers_something_else_is_said_so(answer):
    with pytest.raises(Problem, match="something else"):
        Server(FakeApi(answer)).rows(Wanted(), 1)


def test_a_recording_that_breaks_off_on_its_way_is_no_whole_one():
    api = FakeApi()
    api.cut = 1
    one = Server(api).open(HEAD.id)
    with pytest.raises(Exception, match="broke off"):
        list(one.moments())


def test_a_server_follows_and_removes():
    api = FakeApi()
    assert list(Server(api).follow(HEAD.id, lambda _: None)) == list(SHELL)
    Server(api).remove(HEAD.id)
    assert api.calls == [
        f"GET /api/v1/recordings/{HEAD.id}/moments?follow=1",
        f"DELETE /api/v1/recordings/{HEAD.id}",
    ]


@pytest.mark.parametrize("wanted", ["x", "../../v1/logins/current", "a" * 27])
def test_only_an_id_becomes_part_of_a_path(wanted):
    api = FakeApi()
    for act in (Server(api).open, Server(api).remove):
        with pytest.raises(Problem, match="no recording's id"):
            act(wanted)
    assert api.calls == []


def test_a_row_says_who_where_how_long_and_how_it_ended():
    row = row_of(json.loads(json.dumps(Summary(HEAD, FOOTER, 5).fields())), HEAD.started + 60)
    assert {key: row[key] for key in ("name", "age", "user", "pod", "duration", "exit", "command")} == {
        "name": HEAD.id,
        "age": 60.0,
        "user": "ada@example.com",
        "pod": "web-0",
        "duration": 11.0,
        "exit": 3,
        "command": "sh",
    }
    head: RecordingHead = replace(HEAD, command=())
    assert row_of(Summary(head, None, 5).fields(), 0)["exit"] == "live"
    assert row_of(Summary(head, None, 5).fields(), 0)["command"] == "exec"
    assert row_of(Summary(head, replace(FOOTER, ended="unknown"), 5).fields(), 0)["exit"] == "unknown"

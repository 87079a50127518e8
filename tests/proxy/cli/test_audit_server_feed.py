"""A server's log as a stream: what is asked of it, what is made of its lines, and where one goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from proxy.cli import audit_export
from proxy.cli import main as command
from proxy.cli.audit_server_feed import ServerFeed
from proxy.cli.client import terminal
from proxy.cli.client.problem import Problem, Unreachable
from recordings.audit.cursor import Place, read
from recordings.audit.feed import Fed


def line(writer: str, seq: int, *, seen: bool = True, lost: int = 0) -> bytes:
    answer: dict[str, Any] = {"writer": writer, "place": asdict(Place(1, 0, seq * 10, seq))}
    if seen:
        answer |= {"record": {"seq": seq, "type": "x", "id": f"{writer}-{seq}"}, "lost": lost}
    return json.dumps(answer).encode() + b"\n"


END = b'{"end":true}\n'


class Api:
    """A server that gives each answer once; an exception among its lines is raised there."""

    def __init__(self, *answers: list[bytes | BaseException]) -> None:
        self.answers, self.asked = list(answers), list[object]()
        self.timeout = 0.0

    def call(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        raise AssertionError((method, path, body))

    def lines(self, path: str, body: object = None) -> Iterator[bytes]:
        assert path == "/api/v1/audit/export"
        self.asked.append(body)
        for one in self.answers.pop(0):
            if isinstance(one, BaseException):
                raise one
            yield one


def test_each_record_comes_with_its_place_and_what_may_not_be_seen_moves_the_place_alone():
    api = Api([line("a", 1), line("a", 2, seen=False), line("b", 7, lost=3), END])
    feed = ServerFeed(api, {"b": Place(1, 0, 30, 3)}, since=5.0)
    assert list(feed.more()) == [
        Fed("a", Place(1, 0, 10, 1), {"seq": 1, "type": "x", "id": "a-1"}),
        Fed("b", Place(1, 0, 70, 7), {"seq": 7, "type": "x", "id": "b-7"}, 3),
    ]
    assert feed.places == {"a": Place(1, 0, 20, 2), "b": Place(1, 0, 70, 7)}
    assert api.asked == [{"places": {"b": asdict(Place(1, 0, 30, 3))}, "follow": False, "since": 5.0}]


def test_following_returns_where_nothing_more_is_there_and_goes_on_by_the_same_answer():
    api = Api([line("a", 1), b"\n", b"\n", line("a", 2), b"\n", END])
    feed = ServerFeed(api, follow=True)
    found = [[fed.place.seq for fed in feed.more()] for _ in range(4)]
    assert found == [[1], [], [2], []]
    assert (len(api.asked), feed.is_open) == (1, False)


@pytest.mark.parametrize("bad", [b"nonsense\n", b"[]\n", b'{"writer":"a"}\n', b'{"writer":"a","place":{"seq":"x"}}\n'])
def test_what_is_no_export_is_said(bad):
    with pytest.raises(Problem, match="not an export"):
        list(ServerFeed(Api([bad])).more())


def test_what_the_server_says_ends_it():
    with pytest.raises(Problem, match="this login has ended"):
        list(ServerFeed(Api([b'{"error":"this login has ended"}\n'])).more())


def test_an_export_goes_on_over_a_restart_of_the_server_where_its_cursor_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    api = Api(
        [line("a", 1), b"\n", line("a", 2), Unreachable("it is gone")],
        [Unreachable("it is gone")],
        [line("a", 2), line("a", 3), b"\n", KeyboardInterrupt()],
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(terminal, "signed_in", lambda server: (server, api))
    monkeypatch.setattr(audit_export.time, "sleep", lambda _: None)
    at = tmp_path / "cursor"
    args = ["audit", "export", "--server", "https://kwit.example.com", "--follow", "--all", "--cursor", str(at)]
    assert command(args) == 0
    shown = capsys.readouterr()
    assert [json.loads(one)["seq"] for one in shown.out.splitlines()] == [1, 2, 2, 3]  # again, under the same id
    assert shown.err.count("trying again every 5 s") == 1
    assert read(at) == {"a": Place(1, 0, 30, 3)}
    assert [one["places"] for one in api.asked] == [{}, *[{"a": asdict(Place(1, 0, 10, 1))}] * 2]  # type: ignore[index]

"""Claims about whom `kwit audit` asks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from proxy.cli.audit_source import MAX_FROM_SERVER, Files, Server, source
from proxy.cli.client import terminal
from proxy.cli.client.problem import NotSignedIn, Problem
from recordings.audit.encode import encode, rfc3339
from recordings.audit.question import Decision, Question
from recordings.audit.segments import segment_name
from recordings.audit.stats import Counts
from recordings.audit.timeline import Entry

NOW = 1_700_000_000.0


class FakeApi:
    def __init__(self, answer: Mapping[str, Any]) -> None:
        self.answer = answer
        self.timeout = 0.0
        self.sent: list[bytes] = []
        self.asked: list[tuple[str, str, object]] = []

    def call(self, method: str, path: str, body: object = None) -> Mapping[str, Any]:
        self.asked.append((method, path, body))
        return self.answer

    def lines(self, path: str, body: object = None) -> Iterator[bytes]:
        self.asked.append(("lines", path, body))
        return iter(self.sent)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def sign_in(monkeypatch: pytest.MonkeyPatch, api: FakeApi) -> None:
    monkeypatch.setattr(terminal, "signed_in", lambda server: (server, api))


def test_files_where_they_are_named_or_lie_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sign_in(monkeypatch, FakeApi({}))
    assert isinstance(source(None, None, None), Server)
    directory = tmp_path / "kwit-data" / "audit"
    directory.mkdir(parents=True)
    assert source(None, None, None) == Files(Path("kwit-data/audit"))
    assert source(tmp_path, None, None) == Files(tmp_path)
    assert isinstance(source(None, None, "https://kwit.example.com"), Server)
    with pytest.raises(Problem, match="give one of them"):
        source(tmp_path, None, "https://kwit.example.com")


def test_nobody_who_is_signed_in_and_no_files_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(_server: str | None) -> None:
        raise NotSignedIn("run `kwit login`")

    monkeypatch.setattr(terminal, "signed_in", nobody)
    with pytest.raises(Problem, match=r"there is no audit log in kwit-data/audit; .* sign in with `kwit login`"):
        source(None, None, None)
    with pytest.raises(NotSignedIn):
        source(None, None, "https://kwit.example.com")


def test_files_give_the_newest_and_say_whether_there_are_more(tmp_path: Path) -> None:
    lines = [
        encode({"v": 1, "seq": seq, "id": f"id-{seq:08d}", "time": rfc3339(NOW + seq), "type": "x"})
        for seq in (1, 2, 3)
    ]
    (tmp_path / segment_name(1, 0)).write_bytes(encode({"header": {}}) + b"".join(lines))
    files = Files(tmp_path)
    for limit, seqs, is_more in ((2, [2, 3], True), (3, [1, 2, 3], False), (0, [1, 2, 3], False)):
        found, more = files.newest(Question(), limit)
        assert ([one["seq"] for one in found], more) == (seqs, is_more)
    assert [one["seq"] for one in files.story("id-00000002")] == [2]


def test_a_server_is_asked_what_was_asked_and_no_more_than_it_gives() -> None:
    api = FakeApi({"records": [{"seq": 1}], "more": True})
    server = Server(api)
    asked = Question(user="ada", decision=Decision.DENY, since=NOW)
    assert server.newest(asked, 5) == ([{"seq": 1}], True)
    server.newest(Question(), 0)
    assert server.story("id-00000002") == [{"seq": 1}]
    assert api.asked == [
        ("POST", "/api/v1/audit/search", {"user": "ada", "decision": "deny", "since": NOW, "limit": 5}),
        ("POST", "/api/v1/audit/search", {"limit": MAX_FROM_SERVER}),
        ("POST", "/api/v1/audit/show", {"id": "id-00000002"}),
    ]


@pytest.mark.parametrize("answer", [{}, {"records": 5}, {"records": [5]}])
def test_an_answer_without_records_is_one_sentence(answer: Mapping[str, Any]) -> None:
    with pytest.raises(Problem, match="not what was asked for"):
        Server(FakeApi(answer)).story("id-00000002")


def test_a_server_counts_tells_and_answers_sql_as_files_do() -> None:
    counts = {"counts": [{"name": "people", "rows": [["ada", 2]], "others": 1}]}
    assert Server(FakeApi(counts)).counts(Question()) == [Counts("people", (("ada", 2),), 1)]
    entry = {field.name: "x" for field in fields(Entry)} | {"count": 2}
    told = FakeApi({"entries": [entry | {"later": 1}], "more": False})
    assert Server(told).timeline(Question(user="ada")) == [Entry(**entry)]
    api = FakeApi({"names": ["n"], "types": ["INTEGER"], "rows": [[1], [2]], "more": False})
    with Server(api).select("SELECT 1", NOW) as answer:
        assert (answer.names, answer.types, list(answer.rows)) == (("n",), ("INTEGER",), [(1,), (2,)])
    assert api.asked == [("POST", "/api/v1/audit/sql", {"select": "SELECT 1", "since": NOW})]


@pytest.mark.parametrize("answer", [{}, {"counts": [{}]}, {"entries": [{"count": 1}]}, {"rows": [], "names": 5}])
def test_an_answer_of_another_shape_is_one_sentence(answer: Mapping[str, Any]) -> None:
    server = Server(FakeApi(answer))
    with pytest.raises(Problem, match="not what was asked for"):
        server.counts(Question())
    with pytest.raises(Problem, match="not what was asked for"):
        server.timeline(Question())
    with pytest.raises(Problem, match="not what was asked for"), server.select("SELECT 1", None):
        pass


def test_following_a_server_passes_its_records_on_until_it_says_why_not() -> None:
    api = FakeApi({})
    api.sent = [b"\n", b'{"seq":1}\n', b"\n", b'{"error":"your login has ended\x9b"}\n'.replace(b"\x9b", b"\xc2\x9b")]
    batches = Server(api).follow(Question(user="ada"), 5)
    assert next(batches) == [{"seq": 1}]
    with pytest.raises(Problem, match=r"your login has ended\\u009b"):
        next(batches)
    assert api.asked == [("lines", "/api/v1/audit/follow", {"user": "ada", "limit": 5})]
    api.sent = []
    with pytest.raises(Problem, match="has ended this"):
        next(Server(api).follow(Question(), 5))
    api.sent = [b"5\n"]
    with pytest.raises(Problem, match="not what was asked for"):
        next(Server(api).follow(Question(), 5))

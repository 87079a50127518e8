"""Claims about asking Parquet files first: nothing that matches is left out, and nothing is believed but lines."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recordings.audit import index, query
from recordings.audit.encode import encode, rfc3339
from recordings.audit.index import conditions
from recordings.audit.parquet import connect, parquet_path, write_parquet
from recordings.audit.query import newest, oldest_first
from recordings.audit.question import Decision, Question
from recordings.audit.sealing import seal
from recordings.audit.segments import segment_name, segments

NOW = 1_700_000_000.0
TEXTS = ["", "ada", "bob", "ädä", 'q"u']
A1, A2 = "0199aef2-51c4-7d3a-9f60-000000000001", "0199aef2-51c4-7d3a-9f60-000000000002"


def record(seq: int, draw: list[int]) -> dict[str, Any]:
    def one(values: list[Any]) -> Any:
        return values[draw.pop() % len(values)]

    user = one(TEXTS)
    event = {
        "auditID": one([A1, A2]),
        "verb": one(["get", "create", 5]),
        "user": {"username": one([user, user, "eve"]), "groups": one([[], ["eng"], ["ops", "eng"], "eng"])},
        "objectRef": {"resource": "pods", "namespace": one(["shop", "bank"]), "name": one(TEXTS)}
        | one([{}, {"subresource": "exec"}, {"subresource": 5}]),
        "annotations": one(
            [{}, {"authorization.k8s.io/decision": "forbid"}, {"kubewitness.dev/recording": one(["r1", "r2"])}]
        ),
    }
    return {
        "v": 1,
        "seq": seq,
        "id": f"0199aef2-1111-7000-8000-{seq:012d}",
        "time": rfc3339(NOW + one([seq, seq - 3])),
        "type": "kube.request",
        "outcome": one(["done", "refused"]),
        "cluster": one(["prod", "dev"]),
        "login": one(["l1", "l2", 5]),
        "body": one([{}, {"recording": "r1"}]),
        **one([{"actor": {"username": user}}, {}]),
        "event": one([event, event, event, ["odd"]]),
    }


QUESTIONS = st.builds(
    Question,
    user=st.sampled_from([*TEXTS, "eve"]),
    group=st.sampled_from(["", "", "eng"]),
    verb=st.sampled_from(["", "", "get", "exec"]),
    resource=st.sampled_from(["", "pods", "pods/exec"]),
    namespace=st.sampled_from(["", "", "shop"]),
    name=st.sampled_from(["", "", *TEXTS]),
    cluster=st.sampled_from(["", "", "prod"]),
    decision=st.sampled_from([None, None, *Decision]),
    id=st.sampled_from(["", "", "", A1, A2[:9]]),
    login=st.sampled_from(["", "", "l1"]),
    recording=st.sampled_from(["", "", "r1"]),
    text=st.sampled_from(["", "", "SHOP"]),
    since=st.none() | st.integers(0, 9).map(lambda at: NOW + at),
    until=st.none() | st.integers(0, 9).map(lambda at: NOW + at),
)


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.lists(st.integers(0, 11), min_size=19, max_size=19), min_size=1, max_size=9), QUESTIONS)
def test_an_answer_is_the_same_with_it_and_without(
    tmp_path_factory: pytest.TempPathFactory, draws: list[list[int]], question: Question
) -> None:
    root = tmp_path_factory.mktemp("log")
    writer = root / "node-0"
    writer.mkdir()
    records = [record(seq, list(draw)) for seq, draw in enumerate(draws, 1)]
    for first in range(0, len(records) + 3, 3):
        data = encode({"header": {"first_seq": first + 1}}) + b"".join(map(encode, records[first : first + 3]))
        (writer / segment_name(first + 1, 0)).write_bytes(data + b'{"v":1,"torn')
    expected = [one["seq"] for one in records if question.matches(json.loads(encode(one)))]
    assert [one["seq"] for one in oldest_first(root, question)] == expected
    paths = segments(writer)
    for path, following in pairwise(paths):
        seal(path, following)
    assert [one["seq"] for one in oldest_first(root, question)] == expected
    with connect(threads=1) as connection:
        for path in segments(writer)[:-1]:
            write_parquet(connection, path)
    assert [one["seq"] for one in oldest_first(root, question)] == expected
    assert [one["seq"] for one in newest(root, question, 2)] == expected[-2:]


@pytest.fixture
def indexed(tmp_path: Path) -> Path:
    writer = tmp_path / "node-0"
    writer.mkdir()
    for first in (1, 101, 201):
        lines = [
            encode({"v": 1, "seq": seq, "id": f"id-{seq:08d}", "time": rfc3339(NOW + seq), "type": "log.start"})
            for seq in range(first, first + 100)
        ]
        (writer / segment_name(first, 0)).write_bytes(encode({"header": {}}) + b"".join(lines))
    paths = segments(writer)
    with connect(threads=1) as connection:
        for path, following in pairwise(paths):
            seal(path, following)
            write_parquet(connection, path.with_name(path.name + ".zst"))
    return tmp_path


@pytest.mark.parametrize("backward", [False, True])
def test_lines_come_in_order_however_they_are_fetched(
    indexed: Path, monkeypatch: pytest.MonkeyPatch, *, backward: bool
) -> None:
    monkeypatch.setattr(index, "FIRST_LINES", 3)
    monkeypatch.setattr(index, "MAX_LINES", 20)
    monkeypatch.setattr(index, "BATCH", 1)
    asked = Question(type="log.start")
    found = newest(indexed, asked, 9999)[::-1] if backward else list(oldest_first(indexed, asked))
    seqs = list(range(1, 301))
    assert [one["seq"] for one in found] == (seqs[::-1] if backward else seqs)


def test_segments_are_read_themselves_where_their_index_is_damaged(indexed: Path) -> None:
    parquet_path(segments(indexed / "node-0")[0]).write_bytes(b"PAR1 and nothing else")
    assert len(list(oldest_first(indexed, Question(type="log.start")))) == 300
    assert [one["seq"] for one in newest(indexed, Question(type="log.start"), 250)] == list(range(51, 301))


def test_what_cannot_hold_an_answer_is_not_opened(indexed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    read = query.forwards

    def forwards(path: Path, *given: Any) -> Any:
        opened.append(path.name)
        return read(path, *given)

    monkeypatch.setattr(query, "forwards", forwards)
    asked = Question(since=NOW + 150, until=NOW + 160)
    assert [one["seq"] for one in oldest_first(indexed, asked)] == list(range(150, 160))
    assert opened == [segment_name(101, 0) + ".zst", segment_name(201, 0)]


def test_a_question_of_no_column_is_asked_of_the_lines() -> None:
    assert conditions(Question(text="x", since=NOW)) == ()
    assert conditions(Question()) == ()
    (found,) = conditions(Question(cluster="prod", until=NOW))
    assert found.values == ("prod", rfc3339(NOW))
    assert len(conditions(Question(id="01234567"))) == 2

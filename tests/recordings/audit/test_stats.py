"""Claims about the log in numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

from recordings.audit.encode import encode, rfc3339
from recordings.audit.question import Decision, Question
from recordings.audit.segments import segment_name
from recordings.audit.sql import LogDatabase
from recordings.audit.stats import GROUPS, TOP, Counts, stats
from recordings.errors import QuestionError

NOW = 1_700_000_000.0


def request(seq: int, user: str, outcome: str = "done", verb: str = "get", subresource: str | None = None) -> bytes:
    return encode(
        {
            "v": 1,
            "seq": seq,
            "id": f"id-{seq}",
            "time": rfc3339(NOW + seq),
            "type": "kube.request",
            "outcome": outcome,
            "cluster": "prod",
            "actor": {"username": user},
            "source": f"10.0.0.{seq}",
            "event": {
                "verb": verb,
                "objectRef": {"resource": "pods"} | ({"subresource": subresource} if subresource else {}),
                "annotations": {"kubewitness.dev/refused": "denied"} if outcome == "refused" else {},
            },
        }
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    lines = (
        request(1, "ada", "intent", "delete"),
        request(2, "ada", "done", "delete"),
        request(3, "ada"),
        request(4, "bob", "refused"),
        request(5, "bob", "done", "create", "exec"),
        encode({"v": 1, "seq": 6, "id": "x", "time": rfc3339(NOW + 6), "type": "log.stop", "outcome": "done"}),
    )
    (tmp_path / segment_name(1, 0)).write_bytes(encode({"header": {}}) + b"".join(lines))
    return tmp_path


def counted(root: Path, question: Question) -> dict[str, Counts]:
    with LogDatabase(root) as database:
        return {one.name: one for one in stats(database, question)}


def test_every_request_is_counted_once_in_every_list(root: Path) -> None:
    found = counted(root, Question())
    assert tuple(found) == tuple(GROUPS)
    assert {name: one.rows for name, one in found.items()} == {
        "results": (("done", 4), ("refused", 1)),
        "people": (("ada", 2), ("bob", 2)),
        "verbs": (("get", 2), ("create", 1), ("delete", 1)),
        "objects": (("pods", 3), ("pods/exec", 1)),
        "clusters": (("prod", 4),),
        "sources": tuple((f"10.0.0.{seq}", 1) for seq in (2, 3, 4, 5)),
        "refused": (("denied", 1),),
        "types": (("kube.request", 4), ("log.stop", 1)),
    }


def test_filters_narrow(root: Path) -> None:
    assert counted(root, Question(decision=Decision.DENY))["people"].rows == (("bob", 1),)
    assert counted(root, Question(since=NOW + 5, until=NOW + 6))["verbs"].rows == (("create", 1),)


def test_only_the_largest_are_listed_and_how_many_others_there_are(root: Path) -> None:
    with (root / segment_name(1, 0)).open("ab") as file:
        for seq in range(7, 7 + TOP + 5):
            file.write(request(seq, f"user-{seq:03d}"))
    found = counted(root, Question())["people"]
    assert (len(found.rows), found.others) == (TOP, 2 + TOP + 5 - TOP)
    assert found.rows[:3] == (("ada", 2), ("bob", 2), ("user-007", 1))


def test_what_columns_cannot_answer_is_refused(root: Path) -> None:
    for question in (
        Question(text="x"),
        Question(source="10.0.0.1"),
        Question(resource="pods"),
        Question(id="01234567"),
    ):
        with pytest.raises(QuestionError):
            counted(root, question)

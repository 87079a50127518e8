"""Claims about SQL, counts and stories for one who may not see all."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest

from recordings.audit.answering import CountQuestion, SqlQuestion, StoryQuestion, followed
from recordings.audit.encode import encode, rfc3339
from recordings.audit.parquet import connect, write_parquet
from recordings.audit.question import Question
from recordings.audit.sealing import seal
from recordings.audit.segments import segment_name, segments
from recordings.audit.visible import Visible
from recordings.errors import QuestionError

NOW = 1_700_000_000.0
OWN = ("https://id.example.com", "ada")
HIDDEN = "what-nobody-else-may-know"


def record(seq: int, cluster: str | None, namespace: str | None, subject: str, issuer: str = OWN[0]) -> dict[str, Any]:
    found = {
        "v": 1,
        "seq": seq,
        "id": f"id-{seq:08d}",
        "time": rfc3339(NOW + seq),
        "type": "kube.request",
        "outcome": "done",
        "actor": {"issuer": issuer, "subject": subject, "username": subject},
        "event": {
            "verb": "delete",
            "requestURI": HIDDEN,
            "objectRef": {"resource": "pods"} | ({} if namespace is None else {"namespace": namespace}),
        },
    }
    return found | ({} if cluster is None else {"cluster": cluster})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """In three segments, of which one has a Parquet file and one is open."""
    records = [
        record(1, "prod", "shop", "bob"),
        record(2, "prod", "bank", "bob"),
        record(3, "prod", "bank", "ada"),
        record(4, "prod", "bank", "ada", "https://elsewhere"),
        record(5, "prod", None, "bob"),
        record(6, None, None, "bob"),
    ]
    writer = tmp_path / "node-0"
    writer.mkdir()
    for first in (0, 2, 4):
        data = encode({"header": {}}) + b"".join(map(encode, records[first : first + 2]))
        (writer / segment_name(first + 1, 0)).write_bytes(data)
    for path, following in pairwise(segments(writer)):
        seal(path, following)
    with connect(threads=1) as connection:
        write_parquet(connection, segments(writer)[0])
    return tmp_path


def seen_by(*places: tuple[str | None, str]) -> Visible:
    return Visible(OWN, lambda cluster, namespace: (cluster, namespace) in places)


def rows(root: Path, select: str, visible: Visible, since: float | None = None) -> list[Any]:
    return [orjson.loads(one) for one in SqlQuestion(select, since).items(root, visible)][1:]


@pytest.mark.parametrize(
    ("places", "seqs"),
    [
        ((), [3]),
        ((("prod", "shop"),), [1, 3]),
        ((("prod", "bank"),), [2, 3, 4]),
        ((("prod", ""),), [3, 5]),
        (((None, ""),), [3, 6]),
        ((("prod", "shop"), ("prod", "bank"), ("prod", ""), (None, "")), [1, 2, 3, 4, 5, 6]),
    ],
)
def test_sql_and_stories_see_what_a_search_would(root: Path, places: Any, seqs: list[int]) -> None:
    visible = seen_by(*places)
    assert rows(root, "SELECT seq FROM records ORDER BY seq", visible) == [[seq] for seq in seqs]
    told = [orjson.loads(one)["id"] for one in StoryQuestion(Question()).items(root, visible)]
    assert told == [f"id-{seq:08d}" for seq in seqs]
    counts = [orjson.loads(one) for one in CountQuestion(Question(verb="delete")).items(root, visible)]
    assert next(one for one in counts if one["name"] == "verbs")["rows"] == [["delete", len(seqs)]]


def test_what_is_before_since_is_not_there(root: Path) -> None:
    everything = Visible(OWN, lambda *_: True)
    assert rows(root, "SELECT seq FROM records ORDER BY seq", everything, NOW + 4) == [[4], [5], [6]]
    assert rows(root, "SELECT seq FROM records ORDER BY seq", everything, NOW + 4.5) == [[5], [6]]


@pytest.mark.parametrize(
    "select",
    [
        "SELECT CAST(uri AS INT) FROM records",
        "SELECT error(uri) FROM records",
        "SELECT * FROM records WHERE CAST(uri AS INT) > 0",
        "SELECT * FROM places",
        "SELECT line FROM records",
        "SELECT * FROM read_csv('{root}/node-0/00000000000000000005.ndjson')",
        "SELECT * FROM read_parquet('{root}/node-0/00000000000000000001.parquet')",
        "SELECT * FROM read_text('{root}/**')",
        "SELECT * FROM glob('{root}/**')",
        "SELECT * FROM '{root}/node-0/00000000000000000001.parquet'",
        "SELECT * FROM query('SELECT * FROM read_text(''{root}/node-0/00000000000000000005.ndjson'')')",
        "SELECT getenv('HOME')",
        "SELECT * FROM duckdb_secrets()",
        "COPY records TO '{root}/x'",
        "ATTACH '{root}/x' AS x",
        "SET enable_external_access = true",
        "PRAGMA database_list",
        "INSERT INTO records SELECT * FROM records",
        "SELECT 1; SELECT 2",
    ],
)
def test_no_question_gets_at_what_may_not_be_seen(root: Path, select: str) -> None:
    before = sorted(path.name for path in root.rglob("*"))
    said = tried(root, select.replace("{root}", str(root)))
    assert said.startswith(("refused", "[]"))  # nothing to fail on is as good
    assert HIDDEN not in said
    assert sorted(path.name for path in root.rglob("*")) == before


def tried(root: Path, select: str) -> str:
    """What somebody who may see nothing is told."""
    try:
        return str(rows(root, select, Visible(("", ""), lambda *_: False)))
    except QuestionError as error:
        return f"refused: {error}"


def test_lines_are_not_there_even_for_one_who_may_see_all(root: Path) -> None:
    with pytest.raises(QuestionError, match='"line" not found'):
        rows(root, "SELECT line FROM records", Visible(OWN, lambda *_: True))


def test_no_list_of_what_there_is_says_where_or_what_was_left_out(root: Path) -> None:
    for listing in ("duckdb_tables()", "duckdb_views()", "duckdb_columns()", "information_schema.tables"):
        found = rows(root, f"SELECT * FROM {listing}", seen_by())
        assert str(root) not in str(found)
        assert HIDDEN not in str(found)


def test_an_answer_is_json_whatever_it_holds(root: Path) -> None:
    select = (
        "SELECT 170141183460469231731687303715884105727::HUGEINT, [1::HUGEINT << 100], 'x'::BLOB, 0.5::DECIMAL(3,1)"
    )
    assert rows(root, select, seen_by()) == [[str(2**127 - 1), [str(2**100)], "78", "0.5"]]
    assert rows(root, "SELECT time FROM records", seen_by()) == [["2023-11-14T22:13:23.000000Z"]]


def test_who_follows_gets_what_is_there_and_then_what_comes(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recordings.audit.answering.FOLLOW_SECONDS", 0.0)
    batches = followed(root, Question(verb="delete"), 2)
    assert [one["seq"] for one in next(batches)] == [5, 6]
    assert next(batches) == []
    with (root / "node-0" / segment_name(5, 0)).open("ab") as file:
        file.write(encode(record(7, "prod", "shop", "bob")))
    assert [one["seq"] for one in next(batches)] == [7]

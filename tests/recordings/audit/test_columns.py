"""Claims about the columns: what SQL sees is what the records say, in both forms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings.audit.columns import COLUMNS, DERIVED, STORED, quoted, select_derived, select_shown, select_stored
from recordings.audit.encode import encode
from recordings.audit.parquet import connect, lines_of
from recordings.audit.question import decision

RECORD: dict[str, Any] = {
    "v": 1,
    "seq": 7,
    "id": "id-7",
    "time": "2026-01-02T03:04:05.123456Z",
    "boot": "b00t",
    "mono": 12.5,
    "type": "kube.request",
    "outcome": "done",
    "cluster": "prod",
    "actor": {"connector": "corp", "issuer": "https://id", "subject": "s-1", "username": "o'neil@example.com"},
    "login": "l1",
    "source": "10.0.0.1",
    "event": {
        "auditID": "a-7",
        "stage": "ResponseComplete",
        "requestURI": "/api/v1/namespaces/shop/pods/web-0/exec?command=sh",
        "verb": "create",
        "user": {"groups": ["eng", 'a"b, c'], "extra": {"kubewitness.dev/certificate": ["ab12"]}},
        "userAgent": "kubectl",
        "objectRef": {"resource": "pods", "subresource": "exec", "namespace": "shop", "name": "web-0"},
        "responseStatus": {"code": 101, "message": "closed"},
        "requestReceivedTimestamp": "2026-01-02T03:04:05.000001Z",
        "annotations": {
            "authorization.k8s.io/decision": "allow",
            "kubewitness.dev/role": "dev",
            "kubewitness.dev/rule": "allow[0]",
            "kubewitness.dev/recording": "r1",
        },
    },
}


@pytest.fixture(scope="module")
def duckdb() -> Any:
    return connect(threads=1)


def shown(duckdb: Any, select: str) -> list[dict[str, Any]]:
    cursor = duckdb.execute(select)
    names = [one[0] for one in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def both(duckdb: Any, path: Path, *lines: bytes) -> list[dict[str, Any]]:
    path.write_bytes(b"".join(lines))
    stored = shown(duckdb, select_stored(lines_of(path), "node-0"))
    assert shown(duckdb, select_shown(lines_of(path), "node-0")) == stored
    return stored


def test_every_column_of_a_request(duckdb: Any, tmp_path: Path) -> None:
    (row,) = both(duckdb, tmp_path / "1.ndjson", encode({"header": {"first_seq": 7}}), encode(RECORD))
    assert tuple(row) == STORED
    said = {key: str(value) for key, value in row.items() if value is not None}
    assert said == {
        "writer": "node-0",
        "seq": "7",
        "time": "2026-01-02 03:04:05.123456",
        "id": "id-7",
        "type": "kube.request",
        "outcome": "done",
        "cluster": "prod",
        "username": "o'neil@example.com",
        "groups": str(["eng", 'a"b, c']),
        "connector": "corp",
        "subject": "s-1",
        "login": "l1",
        "certificate": "ab12",
        "source": "10.0.0.1",
        "audit_id": "a-7",
        "stage": "ResponseComplete",
        "verb": "create",
        "resource": "pods",
        "subresource": "exec",
        "namespace": "shop",
        "name": "web-0",
        "uri": "/api/v1/namespaces/shop/pods/web-0/exec?command=sh",
        "user_agent": "kubectl",
        "code": "101",
        "message": "closed",
        "authorization": "allow",
        "role": "dev",
        "rule": "allow[0]",
        "recording": "r1",
        "received": "2026-01-02 03:04:05.000001",
        "boot": "b00t",
        "mono": "12.5",
        "line": encode(RECORD)[:-1].decode(),
    } | ({"groups": said["groups"]} if row["groups"] == ["eng", 'a"b, c'] else {})


def test_records_of_our_own_have_a_body(duckdb: Any, tmp_path: Path) -> None:
    own = {"v": 1, "seq": 1, "time": RECORD["time"], "type": "cert.refuse", "outcome": "refused"}
    own["body"] = {"reason": "locked", "message": "you are locked out", "n": 1}
    (row,) = both(duckdb, tmp_path / "1.ndjson", encode(own))
    assert (row["reason"], row["message"], row["body"]) == (
        "locked",
        "you are locked out",
        '{"reason":"locked","message":"you are locked out","n":1}',
    )


def test_what_is_no_record_is_passed_over_and_what_cannot_be_read_is_null(duckdb: Any, tmp_path: Path) -> None:
    odd = {**RECORD, "seq": 8, "time": "yesterday", "event": ["not", "an", "event"], "actor": 5, "mono": {}}
    rows = both(
        duckdb,
        tmp_path / "1.ndjson",
        encode({"header": {}}),
        b'{"checkpoint":"note"}\n',
        encode(RECORD),
        b"[]\n",
        b'"text"\n',
        b'{"type":"kube.request","seq":\n',
        b"\x00\x01\x02\n",
        b"\xff\xfe{}\n",
        b"\n",
        b'{"v":1,"seq":5,"type":"x","na}\n',
        encode(odd),
        encode({**RECORD, "seq": 9})[:-20],
    )
    assert [row["seq"] for row in rows] == [7, None, 8]
    assert [rows[2][key] for key in ("time", "verb", "username", "mono", "groups")] == [None, None, None, None, []]
    damaged = {key: value for key, value in rows[1].items() if value is not None}
    assert damaged == {"writer": "node-0", "line": '{"v":1,"seq":5,"type":"x","na}'}


@given(
    allowed=st.sampled_from(["allow", "forbid", None]),
    outcome=st.sampled_from(["done", "refused", "failed", "intent"]),
    kind=st.sampled_from(["kube.request", "refusals.rollup", "user.login"]),
)
def test_a_decision_is_the_one_that_search_finds(duckdb: Any, allowed: str | None, outcome: str, kind: str) -> None:
    annotations = {} if allowed is None else {"authorization.k8s.io/decision": allowed}
    record = {"v": 1, "seq": 1, "type": kind, "outcome": outcome, "event": {"annotations": annotations}}
    lines = f"SELECT {quoted(encode(record)[:-1].decode())} AS line"
    (row,) = shown(duckdb, select_derived(select_shown(lines, "w")))
    assert row["decision"] == decision(record)
    assert list(row)[-2:] == ["decision", "line"]


def test_names_are_said_once_and_every_column_has_a_meaning() -> None:
    names = [*STORED, *(name for name, *_ in DERIVED)]
    assert len(set(names)) == len(names)
    assert all(column.meaning and column.paths for column in COLUMNS)

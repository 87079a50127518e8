"""Claims about one person's story."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from recordings.audit.encode import rfc3339
from recordings.audit.timeline import MERGE_SECONDS, timeline

NOW = 1_700_000_000.0


def request(at: float, verb: str, name: str, outcome: str = "done", audit_id: str = "", **more: Any) -> dict[str, Any]:
    return {
        "id": f"id-{at}",
        "time": rfc3339(NOW + at),
        "type": "kube.request",
        "outcome": outcome,
        "cluster": "prod",
        "source": "10.0.0.1",
        "event": {
            "auditID": audit_id or f"a-{at}",
            "verb": verb,
            "objectRef": {"resource": "pods", "namespace": "shop", "name": name} | more,
        },
    }


def brief(*records: dict[str, Any]) -> list[tuple[str, str, int, str]]:
    return [(one.action, one.object, one.count, one.result) for one in timeline(records)]


def test_a_request_is_one_entry_from_its_intent_to_its_outcome() -> None:
    (entry,) = timeline([request(0, "delete", "web-0", "intent", "a1"), request(9, "delete", "web-0", "done", "a1")])
    assert (entry.since, entry.until, entry.count, entry.result) == (rfc3339(NOW), rfc3339(NOW + 9), 1, "done")
    assert entry.id == "a1"


def test_an_intent_whose_outcome_is_not_known_is_told_as_such() -> None:
    assert brief(request(0, "delete", "web-0", "intent")) == [("delete", "pods/web-0", 1, "intent")]


def test_reads_that_come_again_are_one_and_whatever_changes_something_stands_by_itself() -> None:
    assert brief(
        request(0, "list", ""),
        request(1, "list", ""),
        request(2, "delete", "web-0"),
        request(3, "delete", "web-1"),
        request(4, "list", ""),
        request(5, "get", "web-1"),
        request(6, "get", "web-2"),
    ) == [
        ("list", "pods", 3, "done"),
        ("delete", "pods/web-0", 1, "done"),
        ("delete", "pods/web-1", 1, "done"),
        ("get", "pods/web-1", 2, "done"),
    ]


def test_reads_that_are_apart_refused_of_secrets_or_below_an_object_stand_by_themselves() -> None:
    assert len(brief(request(0, "list", ""), request(MERGE_SECONDS, "list", ""))) == 1
    assert len(brief(request(0, "list", ""), request(MERGE_SECONDS + 1, "list", ""))) == 2
    for odd in ({"resource": "secrets"}, {"subresource": "log"}):
        assert len(brief(request(0, "get", "x", **odd), request(1, "get", "x", **odd))) == 2
    assert len(brief(request(0, "get", "x", "refused"), request(1, "get", "x", "refused"))) == 2


def test_a_clock_that_stepped_back_or_cannot_be_read_merges_nothing() -> None:
    assert len(brief(request(5, "list", ""), request(0, "list", ""))) == 2
    assert len(brief(request(5, "list", ""), {**request(6, "list", ""), "time": "soon"})) == 2


@given(
    st.lists(st.tuples(st.sampled_from(["get", "delete"]), st.sampled_from(["done", "refused", "intent"])), max_size=20)
)
def test_no_request_is_left_out(draws: list[tuple[str, str]]) -> None:
    records = [request(float(at), verb, "x", outcome) for at, (verb, outcome) in enumerate(draws)]
    assert sum(one.count for one in timeline(records)) == len(records)

"""Claims about records that are put together from pieces: the same bytes as the whole encoding, or no pieces."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings.audit.event import RequestFacts, event
from recordings.audit.pieces import BYTES_IN, BYTES_OUT, MAX_BYTES, joined, pieces

ID, RECEIVED, STAGE = "018f22e2-79b0-7cc3-98c4-dc0c0c07398f", "2026-11-23T15:00:00.000001Z", "2026-11-23T15:00:01.5Z"
WORDS = st.text(max_size=40)


def members(uri: str = "/api/v1/pods", agent: str = "kubectl", username: str = "ada") -> dict[str, Any]:
    facts = RequestFacts(
        "an earlier one's", "get", uri, agent, "10.0.0.1", 7.0, True, "", "v1", "pods", "", "shop", "p"
    )
    user = {"username": username, "groups": ["eng"]}
    annotations = {"cluster_name": "c1", BYTES_IN: "1", BYTES_OUT: "2"}
    made = event(facts, "ResponseComplete", 8.0, user=user, annotations=annotations, code=200)
    return {"cluster": "c1", "actor": {"username": username}, "login": "l", "source": "10.0.0.1", "event": made}


def with_values(record: dict[str, Any], bytes_in: int, bytes_out: int) -> dict[str, Any]:
    changed = {"auditID": ID, "requestReceivedTimestamp": RECEIVED, "stageTimestamp": STAGE}
    annotations = {**record["event"]["annotations"], BYTES_IN: str(bytes_in), BYTES_OUT: str(bytes_out)}
    return {**record, "event": {**record["event"], **changed, "annotations": annotations}}


@given(WORDS, WORDS, WORDS, st.integers(0, 1 << 62), st.integers(0, 1 << 62))
def test_a_joined_record_is_byte_for_byte_the_encoded_one(
    uri: str, agent: str, username: str, bytes_in: int, bytes_out: int
) -> None:
    record = members(uri, agent, username)
    cut = pieces(record)
    if cut is not None:
        line = joined(cut, ID, RECEIVED, STAGE, bytes_in=bytes_in, bytes_out=bytes_out)
        assert b"{" + line == orjson.dumps(with_values(record, bytes_in, bytes_out)) + b"\n"
    else:
        assert "\x00" in uri + agent + username or "\\u0000" in uri + agent + username


@pytest.mark.parametrize("field", ["uri", "agent", "username"])
@pytest.mark.parametrize("text", ["a\x00b", "\\u0000"])
def test_text_that_looks_like_a_hole_is_left_to_the_careful_way(field: str, text: str) -> None:
    assert pieces(members(**{field: text})) is None


def test_text_that_is_no_unicode_is_left_to_the_careful_way() -> None:
    assert pieces(members(agent="\ud800")) is None


def test_an_over_long_record_is_left_to_the_careful_way() -> None:
    assert pieces(members(uri="/" + "a" * MAX_BYTES)) is None

"""What is owed, apart from the log that pays it (test_log.py has both together)."""

import pytest

from recordings.audit import intents
from recordings.audit.intents import Intents, ending
from recordings.audit.record import Outcome, RecordType

NOW = 1_700_000_000.0


def record(outcome, audit_id="a"):
    event = {"auditID": audit_id, "stage": "RequestReceived"}
    return {"id": "r", "type": "kube.request", "outcome": outcome, "login": "l", "event": event}


def test_an_outcome_is_owed_once_and_only_for_an_intent_that_is_in_the_log():
    kept, done = Intents(), record(Outcome.DONE)
    kept.owe(done)
    assert kept.owed == {}
    kept.written(1, record(Outcome.INTENT))
    kept.owe(done)
    kept.owe(record(Outcome.FAILED))
    assert list(kept.owed.values()) == [done]


@pytest.mark.parametrize("outcome", [Outcome.INTENT, Outcome.STARTED])
def test_what_is_no_end_is_never_owed_and_ends_nothing(outcome):
    kept = Intents()
    kept.written(1, record(Outcome.INTENT))
    kept.owe(record(outcome))
    assert kept.owed == {}
    kept.written(2, record(Outcome.STARTED))
    kept.owe(record(Outcome.DONE))
    assert len(kept.owed) == 1


def test_an_intent_whose_end_is_written_is_owed_nothing():
    kept = Intents()
    kept.written(1, record(Outcome.INTENT))
    kept.written(2, record(Outcome.DONE))
    kept.refuse(1, NOW)
    assert kept.owed == {}


def test_intents_that_were_lost_end_as_refused_and_earlier_ones_wait_on():
    kept = Intents()
    kept.written(1, record(Outcome.INTENT, "a"))
    kept.written(2, record(Outcome.INTENT, "b"))
    kept.refuse(2, NOW)
    (owed,) = kept.owed.values()
    assert owed == ending(record(Outcome.INTENT, "b"), Outcome.REFUSED, NOW)
    assert owed == {
        "record_type": RecordType.KUBE_REQUEST,
        "outcome": Outcome.REFUSED,
        "cluster": None,
        "actor": None,
        "login": "l",
        "source": None,
        "body": None,
        "event": {"auditID": "b", "stage": "ResponseComplete", "stageTimestamp": "2023-11-14T22:13:20.000000Z"},
    }


def test_what_is_owed_is_bounded(monkeypatch):
    monkeypatch.setattr(intents, "MAX_OWED", 1)
    kept = Intents()
    for seq, audit_id in enumerate("abc"):
        kept.written(seq, record(Outcome.INTENT, audit_id))
    kept.owe(record(Outcome.DONE, "a"))
    kept.owe(record(Outcome.DONE, "b"))
    kept.refuse(0, NOW)
    assert len(kept.owed) == 1


def test_an_intent_of_ours_keeps_its_own_id():
    intent = {"id": "r", "type": "cert.issue", "outcome": "intent", "body": {"x": 1}}
    found = ending(intent, Outcome.UNKNOWN_AFTER_CRASH, NOW)
    assert (found["record_id"], found["body"], "event" in found) == ("r", {"x": 1}, False)


def test_a_segment_begins_with_the_number_of_the_oldest_intent_that_waits():
    kept = Intents()
    assert kept.open_from() == 0
    kept.written(4, record(Outcome.INTENT, "a"))
    kept.written(7, record(Outcome.INTENT, "b"))
    assert kept.open_from() == 4
    kept.written(8, record(Outcome.DONE, "a"))
    assert kept.open_from() == 7
    kept.owe(record(Outcome.DONE, "b"))
    assert kept.open_from() is None

"""Claims about what a policy lets out of the log."""

from __future__ import annotations

from typing import Any

import pytest

from recordings.audit.policy.exported import exported
from recordings.audit.policy.level import Level, Stage
from recordings.audit.policy.policy import AuditPolicy
from recordings.audit.policy.rule import PolicyRule

EVENT: dict[str, Any] = {
    "level": "RequestResponse",
    "stage": "ResponseComplete",
    "verb": "create",
    "user": {"username": "ada"},
    "objectRef": {"resource": "pods"},
    "requestObject": {"a": 1},
    "responseObject": {"b": 2},
}


@pytest.mark.parametrize(
    ("level", "bodies"),
    [
        (Level.METADATA, set()),
        (Level.REQUEST, {"requestObject"}),
        (Level.REQUEST_RESPONSE, {"requestObject", "responseObject"}),
    ],
)
def test_no_more_than_the_level_goes_out(level: Level, bodies: set[str]) -> None:
    found = exported(AuditPolicy((PolicyRule(level),)), EVENT)
    assert found is not None
    assert (found["level"], set(found) & {"requestObject", "responseObject"}) == (str(level), bodies)
    assert {**EVENT, "level": str(level)}.items() >= found.items()


def test_what_was_not_recorded_is_not_claimed() -> None:
    found = exported(
        AuditPolicy((PolicyRule(Level.REQUEST_RESPONSE),)), {"level": "Metadata", "stage": "ResponseComplete"}
    )
    assert found == {"level": "Metadata", "stage": "ResponseComplete"}


def test_none_an_omitted_stage_and_no_rule_keep_it_in() -> None:
    assert exported(AuditPolicy((PolicyRule(Level.NONE),)), EVENT) is None
    assert exported(AuditPolicy(()), EVENT) is None
    omitting = AuditPolicy((PolicyRule(Level.REQUEST),), (Stage.RESPONSE_COMPLETE,))
    assert exported(omitting, EVENT) is None
    assert exported(omitting, {**EVENT, "stage": "RequestReceived"}) is not None


@pytest.mark.parametrize(
    ("level", "is_there"), [(Level.METADATA, False), (Level.REQUEST, False), (Level.REQUEST_RESPONSE, True)]
)
def test_what_a_write_changed_goes_out_with_its_answer_only(level: Level, is_there: bool) -> None:
    names = ("kubewitness.dev/change", "kubewitness.dev/change-from", "kubewitness.dev/role")
    event = {**EVENT, "annotations": dict.fromkeys(names, "x")}
    found = exported(AuditPolicy((PolicyRule(level),)), event)
    assert found is not None
    assert set(found["annotations"]) == (set(names) if is_there else {"kubewitness.dev/role"})
    assert set(event["annotations"]) == set(names)

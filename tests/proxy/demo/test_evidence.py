"""Each claim about log and cluster holds of a whole story, and falls when one thing is changed."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from deploy.sandbox.apiserver import SeenRequest
from proxy.demo.evidence import Finding, examine, id_of, line, secrets_in

ROLE = {"kubewitness.dev/role": "developer", "kubewitness.dev/rule": "allow[0]"}
GROUPS = ("kwit:developers", "system:authenticated")


def request(number: int, verb: str, outcome: str, code: int | None, **more: Any) -> dict[str, Any]:
    event = {"auditID": f"id-{number}", "verb": verb, "annotations": ROLE, "user": {"username": "alice"}}
    event["objectRef"] = {"resource": "pods", "namespace": "shop"}
    event |= {} if code is None else {"responseStatus": {"code": code}}
    actor = {"username": "alice"}
    record = {"id": f"r-{number}-{outcome}", "type": "kube.request", "outcome": outcome, "actor": actor, "login": "l1"}
    return record | {"event": event | more}


def story() -> list[dict[str, Any]]:
    actor = {"username": "alice"}
    return [
        {"id": "1", "type": "log.start", "outcome": "done", "body": {}},
        {"id": "2", "type": "user.login", "outcome": "done", "actor": actor, "login": "l1", "body": {}},
        {"id": "3", "type": "cert.issue", "outcome": "done", "actor": actor, "login": "l1", "body": {"serial": "5e"}},
        request(1, "list", "done", 200),
        request(2, "create", "intent", None),
        request(2, "create", "done", 201),
        request(3, "get", "done", 200),
        request(4, "list", "refused", 403),
    ]


def seen(number: int) -> SeenRequest:
    extra = (("kubewitness.dev/login", "l1"), ("kubewitness.dev/certificate", "5e"))
    return SeenRequest("GET", f"/{number}", (), "alice", GROUPS, "u", extra, f"id-{number}")


BY = ("developer", "allow[0]")
EXPECTED = (
    ("list", "pods", "shop", "done", "200", *BY),
    ("create", "pods", "shop", "intent", "", *BY),
    ("create", "pods", "shop", "done", "201", *BY),
    ("list", "pods", "shop", "refused", "403", *BY),
)
NAMED = "every request's record names alice, login and certificate"
RULES = "role and rule stand beside what they allowed or denied"
WHOLE = "each request has exactly one outcome; what changes something was recorded before"
SEEN = "the cluster saw each request as hers, with login and certificate"
KNOWN = "and none that the log does not know"
CLAIMS = ["the log names alice's login", "and the certificate that was made for it", NAMED, RULES, WHOLE, SEEN, KNOWN]


def findings(records: list[dict[str, Any]], cluster: list[SeenRequest] | None) -> list[Finding]:
    return examine(records, cluster, person="alice", groups=GROUPS, expected=EXPECTED)


def failed(records: list[dict[str, Any]], cluster: list[SeenRequest] | None) -> list[str]:
    return [finding.claim for finding in findings(records, cluster) if finding.problem]


def test_a_whole_story_holds() -> None:
    assert findings(story(), [seen(1), seen(2), seen(3)]) == [Finding(claim) for claim in CLAIMS]


def test_of_a_cluster_that_is_not_ours_only_the_log_speaks() -> None:
    assert [finding.claim for finding in findings(story(), None)] == CLAIMS[:5]


def without(index: int) -> Callable[[list[dict[str, Any]]], None]:
    return lambda records: records.__delitem__(index)


CHANGES: dict[str, tuple[Callable[[list[dict[str, Any]]], object], list[str]]] = {
    "no login": (without(1), [CLAIMS[0], CLAIMS[1], NAMED, SEEN]),
    "somebody else's login": (lambda r: r[1]["actor"].update(username="bob"), [*CLAIMS[:2], NAMED, SEEN]),
    "no certificate": (without(2), [CLAIMS[1], SEEN]),
    "a certificate of another login": (lambda r: r[2].update(login="l2"), [CLAIMS[1]]),
    "a request of somebody else": (lambda r: r[3].update(actor={"username": "bob"}), [NAMED]),
    "a request of another login": (lambda r: r[7].update(login="l2"), [NAMED]),
    "no rule": (lambda r: r[3]["event"].update(annotations={}), [RULES]),
    "another order": (lambda r: r.insert(3, r.pop()), [RULES]),
    "no intent": (without(4), [RULES, WHOLE]),
    "no outcome": (without(5), [RULES, WHOLE]),
    "two outcomes": (lambda r: r.append(r[6]), [WHOLE]),
    "a request that is not recorded": (without(6), [KNOWN]),
    "no request at all": (lambda r: r.__delitem__(slice(3, None)), [NAMED, RULES, KNOWN]),
}


@pytest.mark.parametrize("name", CHANGES)
def test_one_change_in_the_log_is_found(name: str) -> None:
    change, claims = CHANGES[name]
    records = copy.deepcopy(story())
    records[1]["actor"] = dict(records[1]["actor"])  # it is the same as the certificate's
    change(records)
    assert failed(records, [seen(1), seen(2), seen(3)]) == claims


@pytest.mark.parametrize(
    "change",
    [{"user": "kwit"}, {"groups": ("system:masters",)}, {"extra": ()}, {"extra": (("kubewitness.dev/login", "l2"),)}],
)
def test_one_request_that_came_as_somebody_else_is_found(change: dict[str, Any]) -> None:
    assert failed(story(), [seen(1), replace(seen(2), **change)]) == [SEEN]


def test_a_cluster_that_saw_nothing_proves_nothing() -> None:
    assert failed(story(), []) == [SEEN]


def test_what_kubectl_looks_up_for_itself_is_left_out_but_logs_are_not() -> None:
    records = story()
    crds = {"resource": "customresourcedefinitions", "apiGroup": "apiextensions.k8s.io"}
    records.append(request(5, "list", "refused", 403, objectRef=crds))
    assert failed(records, None) == []
    records.append(
        request(6, "get", "done", 200, objectRef={"resource": "pods", "name": "web-1", "subresource": "log"})
    )
    assert failed(records, None) == [RULES]


def test_a_line_and_an_id_are_those_of_the_listing() -> None:
    assert line(story()[7]) == EXPECTED[3]
    assert id_of(story()[7]) == "id-4"


def test_a_secret_in_the_log_is_counted_and_not_shown() -> None:
    lines = [b'{"a": "s3cret"}', b"{}", b"s3cret other"]
    claim = "no token and no secret is in the log"
    assert secrets_in(lines, ["s3cret", "other"]) == Finding(claim, "2 lines hold one")
    assert secrets_in(lines, ["absent"]) == Finding(claim)

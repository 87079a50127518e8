"""Claims about a request's records. Promise 7, secret-safe: what a request carries in its query is not in the log."""

import json
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from auth.identity import Credential, Identity, Login, LoginID
from auth.rbac import Role, RoleBinding, Rule, Subject, compile_policy
from proxy.context import RequestContext
from proxy.filters.audit import AuditFilter, _facts
from proxy.filters.remembered import RoleSteps
from proxy.filters.request_info import request_info
from proxy.http1 import parse_request_head
from proxy.relay import End, RelayResult
from recordings.audit.log import AuditLog
from recordings.audit.policy.level import Level
from recordings.audit.policy.policy import AuditPolicy
from recordings.audit.policy.rule import GroupResources, PolicyAttributes, PolicyRule
from recordings.audit.record import Outcome, RecordType
from recordings.errors import LogUnavailableError

KEY = b"k" * 32
LABELS: dict[str, str] = {}
CREDENTIAL = Credential("demo", "c1", LoginID("a" * 26), "1", 0.0, 1.0, "f")


def uri(target):
    head = parse_request_head(f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    return _facts(RequestContext(head, CREDENTIAL, "127.0.0.1", 0.0, 0.0, "id"), KEY).request_uri


@pytest.mark.parametrize("name", ["token", "TOKEN", "%74oken", "access_token", "password", "Client_Secret"])
def test_a_credential_in_the_query_is_recorded_as_its_keyed_hash(name):
    recorded = uri(f"/api/v1/pods?a=1&{name}=canary&b=2")
    assert "canary" not in recorded
    assert recorded.startswith(f"/api/v1/pods?a=1&{name}=hmac:")
    assert recorded.endswith("&b=2")


def test_an_execs_command_is_evidence_and_stays():
    target = "/api/v1/namespaces/a/pods/p/exec?command=ls&command=/tmp"
    assert uri(target) == target


@dataclass
class Log:
    """What a log was given: (outcome, members behind the envelope), and which way it came."""

    records: list[tuple[Outcome, dict[str, Any]]] = field(default_factory=list)
    encoded: int = 0
    broken: bool = False

    def append(self, _type: RecordType, outcome: Outcome, **members: Any) -> int:
        if self.broken:
            raise LogUnavailableError("broken")
        self.records.append((outcome, members))
        return len(self.records)

    def append_encoded(self, record_type: RecordType, outcome: Outcome, members: bytes, **_times: Any) -> int:
        self.encoded += 1
        return self.append(record_type, outcome, **json.loads(b"{" + members))


LOGIN = Login(LoginID("a" * 26), Identity("corp", "https://idp", "1", "ada", ("eng",)), "h", 0.0, 9e9, 0.0, "127.0.0.1")
ROLE = Role(
    "dev", as_groups=("kwit:eng",), allow=(Rule(("*",), ("",), ("*",)), Rule(("get",), non_resource_urls=("*",)))
)
POLICY = compile_policy([ROLE], [RoleBinding("devs", "dev", (Subject("Group", "eng", "corp"),))], ["corp"])


def passed(steps: RoleSteps, method: str = "GET", target: str = "/api/v1/namespaces/shop/pods/p") -> RequestContext:
    head = parse_request_head(f"{method} {target} HTTP/1.1\r\nHost: a\r\nUser-Agent: k\r\n\r\n".encode())
    context = RequestContext(head, CREDENTIAL, "127.0.0.1", 7.0, 7.0, "id", login=LOGIN)
    assert request_info(context) is None
    assert steps(context) is None
    return context


def outcomes(results: list[RelayResult], method: str = "GET", target: str = "/api/v1/namespaces/shop/pods/p") -> Log:
    """One request after the other through the same steps."""
    log, steps = Log(), RoleSteps(lambda: POLICY, lambda _: LABELS, lambda _: ())
    audit = AuditFilter(cast("AuditLog", log), lambda: 8.0, strict=False, redaction_key=KEY)
    for result in results:
        assert audit.outcome(passed(steps, method, target), result)
    return log


def test_the_record_of_a_request_that_passed_before_says_the_same() -> None:
    log = outcomes([RelayResult(End.DONE, 200, 0, 1024)] * 3)
    assert log.encoded == 2
    assert log.records[0] == log.records[1] == log.records[2]
    outcome, members = log.records[2]
    assert (outcome, members["cluster"], members["login"], members["source"]) == (
        Outcome.DONE,
        "c1",
        LOGIN.id,
        "127.0.0.1",
    )
    assert members["event"]["annotations"]["kubewitness.dev/bytes-out"] == "1024"


def test_status_and_bytes_are_each_requests_own() -> None:
    log = outcomes([RelayResult(End.DONE, status, 1, n) for n, status in enumerate((200, 200, 404, 404, 200))])
    assert [
        (members["event"]["responseStatus"]["code"], members["event"]["annotations"]["kubewitness.dev/bytes-out"])
        for _, members in log.records
    ] == [(200, "0"), (200, "1"), (404, "2"), (404, "3"), (200, "4")]
    assert log.records[3][1]["event"]["responseStatus"]["status"] == "Failure"


@pytest.mark.parametrize(
    ("method", "target"), [("DELETE", "/api/v1/namespaces/shop/pods/p"), ("GET", "/api/v1/namespaces/shop/secrets/s")]
)
def test_what_has_an_intent_is_always_recorded_the_whole_way(method: str, target: str) -> None:
    assert outcomes([RelayResult(End.DONE, 200)] * 3, method, target).encoded == 0


@pytest.mark.parametrize("end", [end for end in End if end is not End.DONE])
def test_what_ended_otherwise_is_recorded_the_whole_way_with_its_reason(end: End) -> None:
    log = outcomes([RelayResult(End.DONE, 200)] * 2 + [RelayResult(end, 200, started=True, detail="why")])
    outcome, members = log.records[2]
    assert (log.encoded, outcome is not Outcome.DONE) == (1, True)
    assert members["event"]["responseStatus"]["message"] == "why"


PATHS = ["/healthz", "/api/v1/namespaces/shop/pods/a", "/api/v1/namespaces/shop/pods/b", "/api/v1/nodes/a"]
NAMED = PolicyRule(Level.REQUEST, resources=(GroupResources("", ("pods",), ("a",)),))
UNNAMED = PolicyRule(Level.NONE, resources=(GroupResources("", ("nodes",)),))
URLS = PolicyRule(Level.REQUEST_RESPONSE, non_resource_urls=("/health*",))


@pytest.mark.parametrize(
    ("rules", "asked"),
    [((NAMED, UNNAMED, URLS), 4), ((UNNAMED, URLS), 3), ((URLS, NAMED), 4), ((UNNAMED,), 3), ((), 3)],
)
def test_the_policy_is_asked_once_for_all_that_it_cannot_tell_apart(rules: tuple[PolicyRule, ...], asked: int) -> None:
    policy = AuditPolicy(rules)
    audit = AuditFilter(cast("AuditLog", Log()), lambda: 8.0, strict=False, redaction_key=KEY, policy=policy)
    for path in PATHS * 3:
        context = passed(RoleSteps(lambda: POLICY, lambda _: LABELS, lambda _: ()), "GET", path)
        info = context.info
        assert info is not None
        whole = PolicyAttributes(
            "ada", frozenset(("eng",)), info.verb, info.is_resource_request, info.path, info.api_group,
            info.resource, info.subresource, info.namespace, info.name,
        )  # fmt: skip
        assert audit.detail(context) == policy.decide(whole)
    assert audit._decide.cache_info().misses == asked


def test_an_outcome_that_cannot_be_written_says_so_either_way() -> None:
    log, steps = Log(), RoleSteps(lambda: POLICY, lambda _: LABELS, lambda _: ())
    audit = AuditFilter(cast("AuditLog", log), lambda: 8.0, strict=False, redaction_key=KEY)
    assert audit.outcome(passed(steps), RelayResult(End.DONE, 200))
    log.broken = True
    assert not audit.outcome(passed(steps), RelayResult(End.DONE, 200))
    assert log.encoded == 1
    log.records.clear()
    assert not audit.outcome(passed(steps), RelayResult(End.CLIENT_GONE, 200))

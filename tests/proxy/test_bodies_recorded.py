"""Claims about bodies in records: which, when, and without what."""

import json
from pathlib import Path

import pytest

from proxy.filters.recorded_bodies import DEBUG_CONTAINER, DEBUG_REQUEST, TRUNCATED
from recordings.audit.bodies.body import MAX_BODY_BYTES
from recordings.audit.bodies.host_access import HOST_ACCESS
from recordings.audit.policy.level import Level
from recordings.audit.policy.policy import AuditPolicy
from recordings.audit.policy.rule import GroupResources, PolicyRule
from recordings.audit.record import Outcome
from tests.proxy.dataplane import PODS, plane, request
from tests.proxy.streams.conversations import roles

JSON = b"Content-Type: application/json"
SECRETS = b"/api/v1/namespaces/default/secrets"
SENT = {"kind": "Pod", "metadata": {"name": "web"}, "spec": {"containers": [{"args": ["--token=canary-1"]}]}}
ANSWERED = {"kind": "Pod", "metadata": {"name": "web", "managedFields": [{}]}, "status": {}}


def answer(body: bytes, status: bytes = b"200 OK", *, chunked: bool = False) -> bytes:
    if chunked:
        framing, body = b"Transfer-Encoding: chunked", b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    else:
        framing = b"Content-Length: %d" % len(body)
    return b"HTTP/1.1 %b\r\nContent-Type: application/json\r\n%b\r\n\r\n%b" % (status, framing, body)


def policy(level: Level, **rest) -> AuditPolicy:
    return AuditPolicy((PolicyRule(level, **rest),))


async def recorded(data: bytes, level: Level, reply: bytes, **rest):
    """The events of one request, in their order."""
    async with plane(policy=policy(level, **rest), roles=roles()) as it:
        it.server.answer = lambda _seen: reply
        await it.client().ask(data)
        return [record.event for record in it.log.records]


def held(event: dict) -> tuple:
    return event["level"], event.get("requestObject"), event.get("responseObject"), event["annotations"].get(TRUNCATED)


@pytest.mark.parametrize("chunked", [False, True])
async def test_both_bodies_are_in_the_outcome_and_none_in_the_intent(chunked):
    data = request(b"POST", PODS, JSON, body=json.dumps(SENT).encode())
    reply = answer(json.dumps(ANSWERED).encode(), chunked=chunked)
    intent, outcome = await recorded(data, Level.REQUEST_RESPONSE, reply, omit_managed_fields=True)
    assert held(intent) == ("RequestResponse", None, None, None)
    level, sent, answered, truncated = held(outcome)
    assert (level, truncated) == ("RequestResponse", None)
    assert answered == {"kind": "Pod", "metadata": {"name": "web"}, "status": {}}
    assert (sent["metadata"], "canary-1" in json.dumps(sent)) == ({"name": "web"}, False)


@pytest.mark.parametrize(
    ("level", "held_level", "has_request"),
    [
        (Level.NONE, "Metadata", False),
        (Level.METADATA, "Metadata", False),
        (Level.REQUEST, "Request", True),
    ],
)
async def test_lower_levels_hold_less_and_none_is_metadata_here(level, held_level, has_request):
    data = request(b"POST", PODS, JSON, body=json.dumps(SENT).encode())
    *_, outcome = await recorded(data, level, answer(json.dumps(ANSWERED).encode()))
    got = held(outcome)
    assert (got[0], got[1] is not None, got[2]) == (held_level, has_request, None)


async def test_a_secret_has_no_value_in_its_record_at_any_level():
    body = {"kind": "Secret", "metadata": {"name": "s"}, "stringData": {"a": "canary-2"}}
    data = request(b"POST", SECRETS, JSON, body=json.dumps(body).encode())
    events = await recorded(data, Level.REQUEST_RESPONSE, answer(json.dumps(body).encode()))
    assert "canary-2" not in json.dumps(events)
    _, sent, answered, _ = held(events[-1])
    assert sent == answered
    assert sent["stringData"]["a"].startswith("hmac:")


async def test_what_is_too_large_is_left_out_and_said():
    body = json.dumps({"kind": "Pod", "x": "y" * MAX_BODY_BYTES}).encode()
    *_, outcome = await recorded(request(b"POST", PODS, JSON, body=body), Level.REQUEST, answer(b"{}"))
    assert held(outcome) == ("Request", None, None, "true")


async def test_a_read_that_is_asked_for_again_has_its_own_answer_in_its_record():
    async with plane(policy=policy(Level.REQUEST_RESPONSE)) as it:
        client = it.client()
        for number in (1, 2):
            it.server.answer = lambda _seen, number=number: answer(b'{"n":%d}' % number)
            await client.ask(request())
        assert [held(record.event)[2] for record in it.log.records] == [{"n": 1}, {"n": 2}]
        assert [record.outcome for record in it.log.records] == [Outcome.DONE, Outcome.DONE]


async def test_a_watch_has_no_body_that_a_record_could_hold():
    (outcome,) = await recorded(request(target=PODS + b"?watch=1"), Level.REQUEST_RESPONSE, answer(b"{}"))
    assert held(outcome) == ("RequestResponse", None, None, None)


async def test_the_rule_is_asked_for_each_request():
    secrets = PolicyRule(Level.METADATA, resources=(GroupResources("", ("secrets",)),))
    async with plane(policy=AuditPolicy((secrets, PolicyRule(Level.REQUEST_RESPONSE)))) as it:
        it.server.answer = lambda _seen: answer(b"{}")
        client = it.client()
        for target in (PODS, SECRETS, PODS, SECRETS):
            await client.ask(request(target=target))
        levels = [record.event["level"] for record in it.log.records if record.outcome is Outcome.DONE]
        assert levels == ["RequestResponse", "Metadata", "RequestResponse", "Metadata"]


DEBUGGER = {"spec": {"hostPID": True, "volumes": [{"name": "r", "hostPath": {"path": "/"}}]}}


@pytest.mark.parametrize("level", [Level.METADATA, Level.REQUEST])
async def test_a_pod_that_takes_its_node_over_is_named_whatever_the_policy_keeps(level):
    data = request(b"POST", PODS, JSON, body=json.dumps(DEBUGGER).encode())
    *_, outcome = await recorded(data, level, answer(b"{}"))
    assert outcome["annotations"][HOST_ACCESS] == "hostPID,hostPath:/"
    assert ("requestObject" in outcome) is (level is Level.REQUEST)


async def test_a_debug_container_is_named_by_the_patch_that_makes_it():
    body = json.dumps({"spec": {"ephemeralContainers": [{"name": "debugger-1"}]}}).encode()
    kind = b"Content-Type: application/strategic-merge-patch+json"
    data = request(b"PATCH", PODS + b"/p/ephemeralcontainers", kind, body=body)
    *_, outcome = await recorded(data, Level.METADATA, answer(b"{}"))
    assert outcome["annotations"][DEBUG_CONTAINER] == "debugger-1"


@pytest.mark.parametrize(("status", "is_told"), [(b"201 Created", True), (b"403 Forbidden", False)])
async def test_an_attach_to_a_pod_made_to_reach_the_node_names_the_request_that_made_it(status, is_told):
    pod = DEBUGGER | {
        "metadata": {"name": "node-debugger-a"},
        "spec": DEBUGGER["spec"] | {"containers": [{"name": "d"}]},
    }
    async with plane(roles=roles()) as it:
        it.server.answer = lambda _seen: answer(b"{}", status)
        client = it.client()
        await client.ask(request(b"POST", PODS, JSON, body=json.dumps(pod).encode()))
        made = it.log.records[-1].audit_id
        await client.ask(request(target=PODS + b"/node-debugger-a/attach?container=d"))
        annotations = it.log.records[-1].annotations
        assert annotations.get(DEBUG_REQUEST) == (made if is_told else None)
        assert annotations.get(DEBUG_CONTAINER) == ("d" if is_told else None)


async def test_protobuf_which_newer_kubectls_write_hides_no_reach_for_the_node():
    file = Path(__file__).parents[1] / "vectors" / "bodies" / "protobuf_workloads.json"
    body = bytes.fromhex(json.loads(file.read_text())["hex"]["Pod"])
    kind = b"Content-Type: application/vnd.kubernetes.protobuf"
    *_, outcome = await recorded(request(b"POST", PODS, kind, body=body), Level.REQUEST, answer(b"{}"))
    assert outcome["annotations"][HOST_ACCESS].startswith("hostPID,hostNetwork,hostIPC,hostPath:/,privileged:debugger")
    assert outcome["requestObject"]["kubewitness.dev/body"]["bytes"] == len(body)

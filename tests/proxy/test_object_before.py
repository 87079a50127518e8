"""Claims about the object before a write: when it is read, as whom, and that the write goes on whatever comes of it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from auth.rbac import Policy, Role, RoleBinding, Rule, Subject, compile_policy
from proxy import object_before
from proxy.filters import recorded_change
from recordings.audit.bodies.body import MAX_BODY_BYTES
from recordings.audit.policy.level import Level
from recordings.audit.policy.policy import AuditPolicy
from recordings.audit.policy.rule import PolicyRule
from recordings.audit.record import Outcome
from tests.proxy.dataplane import Plane, Seen, plane, request, settle
from tests.proxy.streams.conversations import roles

POD = b"/api/v1/namespaces/shop/pods/web"
PATCH = (b"Content-Type: application/merge-patch+json",)
CHANGE = "kubewitness.dev/change"
OLD: dict[str, Any] = {
    "kind": "Pod",
    "metadata": {"name": "web", "namespace": "shop", "uid": "u", "resourceVersion": "7", "managedFields": [1]},
    "spec": {"env": [{"name": "PASSWORD", "value": "canary-old"}], "n": 1},
}
NEW: dict[str, Any] = {
    **OLD,
    "metadata": {**OLD["metadata"], "resourceVersion": "8", "managedFields": [2]},
    "spec": {"env": [{"name": "PASSWORD", "value": "canary-new"}], "n": 1},
}
GONE = {"kind": "Status", "status": "Success", "metadata": {}}
RECORDED = AuditPolicy((PolicyRule(Level.REQUEST_RESPONSE),))


def answer(body: Any, status: bytes = b"200 OK") -> bytes:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (status, len(data), data)


def write(method: bytes = b"PATCH", target: bytes = POD, *lines: bytes) -> bytes:
    return request(method, target, *PATCH, *lines, body=b"{}")


def answers(it: Plane, before: bytes | None, after: bytes) -> None:
    """`before` to a GET, `after` to the write; None: no answer yet."""

    def one(seen: Seen) -> bytes:
        found = before if seen.method == b"GET" else after
        return b"HTTP/1.1 100 Continue\r\n\r\n" if found is None else found

    it.server.answer = one


async def told(before: bytes, after: bytes, data: bytes = write(), **more: Any) -> tuple[dict[str, str], Plane]:
    async with plane(policy=RECORDED, **more) as it:
        answers(it, before, after)
        await it.client().ask(data)
        *_, outcome = it.log.records
        return {
            key.removeprefix(CHANGE): value for key, value in outcome.annotations.items() if key.startswith(CHANGE)
        }, it


async def test_a_write_names_what_it_changed_from_which_version_to_which() -> None:
    found, it = await told(answer(OLD), answer(NEW))
    patch = json.loads(found.pop(""))
    (old, new) = (one["value"] for one in patch if one["path"] == "/spec/env/0/value")
    assert old.startswith("hmac:")
    assert new.startswith("hmac:")
    assert old != new
    assert [(one["op"], one["path"]) for one in patch] == [
        ("test", "/metadata/resourceVersion"),
        ("replace", "/metadata/resourceVersion"),
        ("test", "/spec/env/0/value"),
        ("replace", "/spec/env/0/value"),
    ]
    read, sent = it.server.seen
    assert found == {"-from": "7", "-to": "8"}
    assert "canary" not in json.dumps([record.event for record in it.log.records])
    assert read.get(b"audit-id") == [sent.get(b"audit-id")[0] + b".before"]
    assert len(read.get(b"audit-id")[0]) <= 64


async def test_it_is_read_behind_the_intent_as_the_person_and_over_the_connection_of_the_write() -> None:
    _, it = await told(answer(OLD), answer(NEW), write(target=POD + b"?fieldManager=kubectl-edit"))
    read, sent = it.server.seen
    assert [record.outcome for record in read.records] == [Outcome.INTENT]
    assert (read.method, read.target, sent.target) == (b"GET", POD, POD + b"?fieldManager=kubectl-edit")
    assert read.get(b"accept") == [b"application/json"]
    assert identity(read) == identity(sent) != []
    assert read.wire is sent.wire


def identity(seen: Seen) -> list[tuple[bytes, bytes]]:
    return [pair for pair in seen.headers if pair[0].startswith((b"impersonate", b"authorization"))]


@pytest.mark.parametrize(
    "data",
    [
        request(target=POD),
        request(b"POST", POD.rpartition(b"/")[0], *PATCH, body=b"{}"),
        request(b"DELETE", POD.rpartition(b"/")[0]),
        write(target=POD + b"?dryRun=All"),
        write(target=POD + b"/ephemeralcontainers"),
    ],
)
async def test_what_writes_no_named_object_reads_none(data: bytes) -> None:
    found, it = await told(answer(OLD), answer(NEW), data, roles=roles())
    assert (found, len(it.server.seen)) == ({}, 1)


async def test_a_level_that_holds_no_answers_reads_none() -> None:
    async with plane(policy=AuditPolicy((PolicyRule(Level.REQUEST),))) as it:
        await it.client().ask(write())
        assert [seen.method for seen in it.server.seen] == [b"PATCH"]


async def test_what_is_deleted_is_named_whole_and_so_is_what_is_new() -> None:
    found, _ = await told(answer(OLD), answer(GONE), request(b"DELETE", POD))
    test, remove = json.loads(found[""])
    assert (test["value"]["metadata"]["uid"], remove) == ("u", {"op": "remove", "path": ""})
    assert (found["-from"], "-to" in found) == ("7", False)
    found, _ = await told(answer(GONE, b"404 Not Found"), answer(NEW, b"201 Created"), write(b"PUT"))
    (add,) = json.loads(found[""])
    assert (add["op"], add["path"], add["value"]["metadata"]["uid"]) == ("add", "", "u")
    assert ("-from" in found, found["-to"]) == (False, "8")


NO_PROTOBUF = b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.kubernetes.protobuf\r\nContent-Length: 2\r\n\r\n\0\0"


@pytest.mark.parametrize(
    ("before", "after", "unknown"),
    [
        (answer(GONE, b"403 Forbidden"), answer(NEW), "not-allowed"),
        (answer(GONE, b"500 Oh"), answer(NEW), "no-answer"),
        (answer(b"{" + b" " * MAX_BODY_BYTES), answer(NEW), "too-large"),
        (answer(b"{"), answer(NEW), "not-comparable"),
        (answer(OLD), answer(b"{"), "not-comparable"),
        (answer(OLD), NO_PROTOBUF, "not-comparable"),
        (answer(OLD), answer({**NEW, "kind": "PartialObjectMetadata"}), "not-comparable"),
        (answer(OLD), answer({**NEW, "metadata": {**NEW["metadata"], "uid": "v"}}), "not-comparable"),
        (answer(OLD), answer({**NEW, "x": "y" * 80_000}), "too-large"),
    ],
)
async def test_what_is_not_known_is_said_and_the_write_is_done(before: bytes, after: bytes, unknown: str) -> None:
    found, it = await told(before, after)
    assert (found.get(""), found["-unknown"]) == (None, unknown)
    assert it.log.records[-1].outcome is Outcome.DONE
    assert it.server.seen[-1].method == b"PATCH"


async def test_a_write_that_the_cluster_refused_changed_nothing() -> None:
    found, _ = await told(answer(OLD), answer(GONE, b"409 Conflict"))
    assert found == {}


def only_patch() -> Policy:
    role = Role("p", as_groups=("kwit:eng",), allow=(Rule(("patch",), ("",), ("pods",)),))
    return compile_policy([role], [RoleBinding("b", "p", (Subject("Group", "eng", "corp"),))], ["corp"])


async def test_who_may_write_but_not_read_an_object_does_not_read_it_this_way() -> None:
    found, it = await told(answer(OLD), answer(NEW), roles=only_patch())
    assert (found, [seen.method for seen in it.server.seen]) == ({"-unknown": "not-allowed"}, [b"PATCH"])


async def test_an_api_server_that_is_silent_holds_a_write_up_for_half_a_second_at_most(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(object_before, "SECONDS", 0.02)
    async with plane(policy=RECORDED) as it:
        answers(it, None, answer(NEW))
        client = it.client()
        client.send(write())
        while len(it.server.seen) < 2:
            await asyncio.sleep(0.001)
        await settle()
        assert it.log.records[-1].annotations[recorded_change.UNKNOWN] == "no-answer"
        assert it.log.records[-1].outcome is Outcome.DONE
        assert it.server.seen[0].wire.aborted


async def test_a_kept_connection_that_dies_is_asked_over_a_new_one() -> None:
    async with plane(policy=RECORDED) as it:
        answers(it, answer(OLD), answer(NEW))
        client = it.client()
        await client.ask(request())
        replies = it.server.answer
        assert replies is not None

        def dies(seen: Seen) -> bytes:
            it.server.answer = replies
            seen.wire.end()
            return b""

        it.server.answer = dies
        await client.ask(write())
        assert json.loads(it.log.records[-1].annotations[CHANGE])


async def test_a_client_that_leaves_meanwhile_writes_nothing() -> None:
    async with plane(policy=RECORDED) as it:
        it.server.answer = None
        client = it.client()
        await client.ask(write())
        client.wire.end()
        await settle()
        it.server.respond(answer(OLD))
        await settle()
        assert [seen.method for seen in it.server.seen] == [b"GET"]
        assert [record.outcome for record in it.log.records] == [Outcome.INTENT, Outcome.ABORTED]


async def test_with_as_it_is_read_as_whom_the_write_is_asked() -> None:
    lines = (b"Impersonate-User: eve", b"Impersonate-Group: ops")
    policy = compile_policy(
        [
            Role(
                "all",
                as_groups=("kwit:eng",),
                allow=(
                    Rule(("*",), ("",), ("pods",)),
                    Rule(("impersonate",), ("",), ("users", "groups")),
                ),
            )
        ],
        [RoleBinding("b", "all", (Subject("Group", "eng", "corp"),))],
        ["corp"],
    )
    _, it = await told(answer(OLD), answer(NEW), write(b"PATCH", POD, *lines), roles=policy)
    assert [seen.get(b"impersonate-user") for seen in it.server.seen] == [[b"eve"], [b"eve"]]

"""Whatever headers a client sends, the API server sees the person whom the certificate proves, and what we wrote.

The attacks are security H1, H2, H7 to H10, H13 and H15 (the others are in test_identities.py); the wire is read by h11,
which knows nothing of us.
"""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recordings.audit.record import Outcome
from tests.proxy.dataplane import PERSON, PODS, plane, request, run_plane
from tests.proxy.streams.conversations import Conversation, roles, until

WRITTEN = (
    b"host authorization impersonate-user impersonate-group impersonate-uid impersonate-extra-kubewitness.dev%2flogin "
    b"impersonate-extra-kubewitness.dev%2fcertificate audit-id x-forwarded-for content-length content-type accept "
    b"accept-encoding user-agent transfer-encoding connection upgrade kubectl-command kubectl-session te"
).split()
"""What we write or rely on."""
SPELLINGS = (
    b"Connection: %b",
    b"connection:   %b  ",
    b"CONNECTION: close, %b",
    b"Connection: %b,",
    b"Connection:\t%b",
    b"Connection: x\r\nConnection: %b",
)
FORGED = b"""\
Impersonate-User
Impersonate-Group
Impersonate-Uid
Impersonate-Extra-scopes
Impersonate-Extra-%2F
impersonate-user
IMPERSONATE-GROUP
Impersonate_User
impersonate_uid
Impersonate-Constraint
Impersonate
X-Remote-User
X-Remote-Group
X-Remote-Uid
X-Remote-Extra-scopes
x_remote_user
X_Remote-Group
""".splitlines()
ROUTING = b"""\
Forwarded: for=10.0.0.1
X-Forwarded-For: 10.0.0.1
X-Forwarded-For: 10.0.0.1, 10.0.0.2
X-Forwarded-Host: evil
X-Forwarded-Uri: /healthz
X-Forwarded-Proto: http
X-Forwarded-Port: 80
X-Real-Ip: 10.0.0.1
X-Client-Ip: 10.0.0.1
True-Client-Ip: 10.0.0.1
Via: 1.1 evil
X-Original-Url: /healthz
X-Rewrite-Url: /healthz
Proxy-Connection: keep-alive
X-HTTP-Method-Override: DELETE
X-Method-Override: DELETE
X-HTTP-Method: DELETE
X-Request-Id: 1
Cookie: a=b
Proxy-Authorization: Basic eDp5
Keep-Alive: timeout=5
Trailer: X
Front-End-Https: on
""".splitlines()
TOKEN = b"c2VjcmV0LXRva2Vu"


def identity(seen) -> list[tuple[bytes, bytes]]:
    return [
        (name, value) for name, value in seen.headers if name.startswith((b"impersonate", b"x-remote", b"authoriz"))
    ]


async def expected() -> list[tuple[bytes, bytes]]:
    async with plane() as it:
        await it.client().ask(request())
        (seen,) = it.server.seen
        return identity(seen)


async def test_the_identity_is_whole_and_ours():
    lines = await expected()
    assert lines[0] == (b"authorization", b"Bearer ours")
    assert dict(lines)[b"impersonate-user"] == PERSON.username.encode()
    assert [value for name, value in lines if name == b"impersonate-group"] == [b"kwit:eng"]
    assert {name for name, _ in lines} == {
        b"authorization", b"impersonate-user", b"impersonate-group", b"impersonate-uid",
        b"impersonate-extra-kubewitness.dev%2flogin", b"impersonate-extra-kubewitness.dev%2fcertificate",
    }  # fmt: skip


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("name", WRITTEN)
async def test_nothing_that_we_write_can_be_named_away(name, spelling):
    """H1: a hop-by-hop list takes nothing from a head that is built and not copied."""
    lines = await expected()
    async with plane() as it:
        answer = await it.client().ask(request(b"GET", PODS, spelling % name))
        for seen in it.server.seen:
            assert identity(seen) == lines
            assert seen.get(b"connection") == []
        assert answer.startswith(b"HTTP/1.1 200 ") if it.server.seen else answer.startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("value", [b"system:admin", b"", b" ", b"a,system:masters"])
@pytest.mark.parametrize("name", FORGED)
async def test_who_names_somebody_else_is_refused_or_asks_by_the_roles(name, value):
    """H2, H7, H8: by prefix, whatever its case and its dashes; `--as` is asked of the roles, which say no here."""
    async with plane() as it:
        answer = await it.client().ask(request(b"GET", PODS, name + b": " + value))
        assert answer[9:12] in (b"403", b"400")
        assert it.server.seen == []


@settings(deadline=None)
@given(
    st.text("abcdefghijklmnopqrstuvwxyzABCXYZ0123456789-_.", max_size=20),
    st.sampled_from(["Impersonate-", "impersonate_", "X-Remote-", "x_remote_"]),
)
def test_no_name_that_is_invented_tomorrow_passes(rest, prefix):
    async def ask(it):
        await it.client().ask(request(b"GET", PODS, f"{prefix}{rest}: system:masters".encode()))
        assert it.server.seen == []

    run_plane(ask)


@pytest.mark.parametrize("line", ROUTING)
async def test_nothing_that_names_a_route_or_a_source_passes(line):
    """H9, H15: the source in the record is the socket's, and so is what the API server is told."""
    async with plane() as it:
        await it.client().ask(request(b"GET", PODS, line))
        (seen,) = it.server.seen
        name = line.partition(b":")[0].lower()
        assert seen.get(name) == ([b"192.0.2.7"] if name == b"x-forwarded-for" else [])
        assert seen.get(b"x-forwarded-for") == [b"192.0.2.7"]
        (record,) = it.log.records
        assert record.event["sourceIPs"] == ["192.0.2.7"]
        assert (seen.method, seen.target) == (b"GET", PODS)


async def test_a_client_names_no_record():
    """H10: one audit id a hundred times is a hundred ids of ours; the client's is a field, cut and escaped."""
    async with plane() as it:
        client = it.client()
        for _ in range(100):
            await client.ask(request(b"GET", PODS, b"Audit-ID: " + b"x" * 500))
        ids = [record.audit_id for record in it.log.records]
        assert (len(ids), len(set(ids))) == (100, 100)
        assert [seen.get(b"audit-id") for seen in it.server.seen] == [[audit_id.encode()] for audit_id in ids]
        assert {record.annotations["kubewitness.dev/client-audit-id"] for record in it.log.records} == {"x" * 128}


@pytest.mark.parametrize("scheme", [b"Bearer", b"bearer", b"Basic", b"Negotiate", b""])
async def test_another_credential_is_left_out_and_said(scheme):
    """H13: the certificate is the only one."""
    lines = await expected()
    async with plane() as it:
        await it.client().ask(request(b"GET", PODS, b"Authorization: " + scheme + b" " + TOKEN))
        (seen,), (record,) = it.server.seen, it.log.records
        assert identity(seen) == lines
        assert record.annotations["kubewitness.dev/stripped"] == "authorization"
        assert TOKEN.decode() not in str(record.event)


async def test_two_of_them_are_no_request():
    async with plane() as it:
        line = b"Authorization: Bearer " + TOKEN
        answer = await it.client().ask(request(b"GET", PODS, line, line))
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert it.server.seen == []


async def test_a_token_among_the_subprotocols_goes_no_further(tmp_path):
    conversation = Conversation("exec-websocket-1.37")
    bearer = b"Sec-WebSocket-Protocol: base64url.bearer.authorization.k8s.io." + TOKEN + b", v5.channel.k8s.io"
    asked = conversation.request.replace(b"Sec-WebSocket-Protocol: v5.channel.k8s.io", bearer)
    assert asked != conversation.request
    async with plane(recordings=tmp_path, roles=roles()) as it:
        client = it.client()
        client.send(asked)
        await until(lambda: it.server.streams and it.server.streams[0].written)
        assert TOKEN not in it.server.streams[0].written
        assert b"Sec-WebSocket-Protocol: v5.channel.k8s.io\r\n" in it.server.streams[0].written
        client.wire.end()
        await until(lambda: not len(it.streaming.live))
        assert TOKEN.decode() not in str([record.event for record in it.log.records])
        assert "subprotocol" in it.log.records[0].annotations["kubewitness.dev/stripped"]


NAMES = [
    *FORGED,
    *WRITTEN,
    *(line.partition(b":")[0] for line in ROUTING),
    b"X-Anything",
    b"Accept",
    b"Range",
    b"If-Match",
]


@settings(deadline=None)
@given(st.integers(0, 2**32))
def test_any_mixture_of_headers_gives_our_identity_or_no_request(seed):
    chosen = random.Random(seed)
    values = (b"x", b"system:masters", b"1", b"", b"close", b"upgrade")
    lines = [chosen.choice(NAMES) + b": " + chosen.choice(values) for _ in range(chosen.randint(0, 6))]

    async def ask(it):
        await it.client().ask(request(b"GET", PODS, *lines))
        for seen in it.server.seen:
            assert [value for name, value in seen.headers if name == b"impersonate-user"] == [PERSON.username.encode()]
            assert seen.get(b"authorization") == [b"Bearer ours"]
            assert not [name for name, _ in seen.headers if name.startswith(b"x-remote")]
        assert all(record.outcome is not Outcome.INTENT for record in it.log.records)

    run_plane(ask)

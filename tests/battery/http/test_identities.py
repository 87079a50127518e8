"""An identity leaves line for line as it was meant, or no request leaves at all.

The attacks are security H3 to H6, H11, H12 and H14; the wire is read by h11, which knows nothing of us. What a real API
server reads of the same identities is tests/e2e/test_identities.py. KWIT_IDENTITIES draws more of them.
"""

from __future__ import annotations

import os
from dataclasses import replace
from urllib.parse import unquote

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.headers import upstream_head
from proxy.http1 import parse_request_head
from proxy.impersonation import Impersonation, ImpersonationError, lines
from recordings.audit.encode import decode, encode
from recordings.audit.record import Outcome
from tests.proxy.dataplane import PERSON, PODS, plane, request
from tests.proxy.drawn_identities import IDENTITIES

DRAWN = int(os.environ.get("KWIT_IDENTITIES", "300"))
BLANKS = [chr(point) for point in range(0x110000) if chr(point).isspace()]
"""Unicode has 25 blanks, and Python calls four separators of ASCII so as well."""
EMPTY = ["", " ", "\t", "\u00a0", "\u3000 ", "\ud800", "\udfff\ud800", "\u200b", "\x00", "\r\n"]
FORGED = {"bearer of another": b"Authorization: Bearer %b", "in lower case": b"authorization: bearer %b"}


def written(impersonation: Impersonation) -> list[tuple[bytes, bytes]]:
    """The header lines of a whole head for the API server, as another parser reads them; names as they are spelled."""
    head = upstream_head(
        parse_request_head(request()),
        PODS,
        host=b"api",
        authorization=b"Bearer ours",
        identity=lines(impersonation),
        audit_id=b"id",
        client=b"192.0.2.7",
    )
    theirs = h11.Connection(h11.SERVER)
    theirs.receive_data(head)
    event = theirs.next_event()
    assert isinstance(event, h11.Request)
    assert isinstance(theirs.next_event(), h11.EndOfMessage)
    assert theirs.trailing_data == (b"", False)
    return list(event.headers.raw_items())


def meant(impersonation: Impersonation) -> list[tuple[bytes, bytes]]:
    pairs = [("Impersonate-User", impersonation.user)]
    pairs += [("Impersonate-Group", group) for group in impersonation.groups]
    pairs += [("Impersonate-Uid", impersonation.uid)] if impersonation.uid else []
    pairs += [("Impersonate-Extra-" + key.replace("/", "%2F"), value) for key, value in impersonation.extra]
    return [(name.encode(), value.encode()) for name, value in pairs]


@settings(max_examples=DRAWN, deadline=None)
@given(IDENTITIES)
def test_the_lines_on_the_wire_are_the_intended_ones_in_number_order_and_spelling(impersonation):
    """H3, H11: no two collapse into one, none is split at a comma, no value begins another line."""
    ours = [line for line in written(impersonation) if line[0].lower().startswith((b"impersonate", b"x-remote"))]
    assert ours == meant(impersonation)
    assert [line for line in written(impersonation) if line[0].lower() == b"authorization"] == [
        (b"Authorization", b"Bearer ours")
    ]


@settings(max_examples=DRAWN, deadline=None)
@given(st.text(st.characters(), max_size=8) | st.sampled_from(EMPTY))
def test_a_name_leaves_as_it_is_or_not_at_all(name):
    """H4, H6: nothing vanishes, nothing is trimmed, and what is sent can be recorded."""
    try:
        sent = lines(Impersonation("ada", (name,), name, (("k", name),)))
    except ImpersonationError:
        return
    values = [line.partition(b": ")[2].strip(b" \t") for line in sent.split(b"\r\n")[1:-1]]
    assert values == [name.encode()] * 3
    assert decode(encode({"username": name})) == {"username": name}


@pytest.mark.parametrize("blank", BLANKS, ids=ascii)
def test_an_outer_blank_of_any_kind_is_not_sent(blank):
    """H6: Go trims some of them, and another person is left."""
    for name in (f"{blank}ada", f"ada{blank}", f"{blank}ada{blank}", f"ada\t{blank}"):
        for impersonation in (
            Impersonation(name, ("kwit:eng",), None, ()),
            Impersonation("ada", (name,), None, ()),
            Impersonation("ada", ("kwit:eng",), name, ()),
            Impersonation("ada", ("kwit:eng",), None, (("k", name),)),
        ):
            with pytest.raises(ImpersonationError):
                lines(impersonation)


@pytest.mark.parametrize("name", [*EMPTY, "\ud800admin", "adm\udfffin", "ada ", "\u2003ada", "a\r\nX: y", "system:x"])
@pytest.mark.parametrize("method", [b"GET", b"DELETE"])
async def test_whoever_got_past_sign_in_without_a_name_that_can_be_sent_is_refused_with_a_record(method, name):
    """H4, H5: without a user the API server would take the request for the proxy's own."""
    async with plane() as it:
        it.state.live = replace(it.state.live, identity=replace(PERSON, username=name))
        answer = await it.client().ask(request(method, PODS + b"/p"))
        assert answer.startswith(b"HTTP/1.1 403 ")
        assert it.server.seen == []
        (record,) = it.log.records
        assert (record.outcome, record.code) == (Outcome.REFUSED, 403)
        assert decode(encode(record.event))["responseStatus"]["code"] == 403


def test_nobody_is_sent_without_a_group_nor_with_a_thousand():
    for groups in ((), ("",), tuple(f"g{n}" for n in range(1000))):
        with pytest.raises(ImpersonationError):
            lines(Impersonation("ada", groups, None, ()))


@settings(max_examples=DRAWN, deadline=None)
@given(st.text("abc019-._/", max_size=12) | st.text("aABXY9-/:%, \té\ud800\r\n", max_size=4))
def test_an_extra_key_comes_back_as_it_was_or_is_refused(key):
    """H12: the API server lower-cases a key and decodes its percent signs."""
    impersonation = Impersonation("ada", ("kwit:eng",), None, ((key, "x: y"),))
    try:
        lines(impersonation)
    except ImpersonationError:
        return
    ((name, value),) = [line for line in written(impersonation) if line[0].startswith(b"Impersonate-Extra-")]
    assert unquote(name.decode().removeprefix("Impersonate-Extra-")).lower() == key
    assert value == b"x: y"


@pytest.mark.parametrize("line", FORGED.values(), ids=FORGED)
async def test_a_token_of_another_person_beside_a_certificate_changes_nothing(line):
    """H14: no token is a credential here, not even one of our own provider's, so two can never disagree."""
    token = b"eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJib2IifQ.c2ln"
    async with plane() as it:
        await it.client().ask(request(b"GET", PODS, line % token))
        (seen,), (record,) = it.server.seen, it.log.records
        assert seen.get(b"impersonate-user") == [PERSON.username.encode()]
        assert seen.get(b"authorization") == [b"Bearer ours"]
        assert record.event["user"]["username"] == PERSON.username
        assert record.annotations["kubewitness.dev/stripped"] == "authorization"
        assert token.decode() not in str(record.event)

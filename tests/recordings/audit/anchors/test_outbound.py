"""Claims about requests to places that keep checkpoints."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from recordings.audit.anchors import outbound
from recordings.audit.anchors.anchor import AnchorError
from recordings.audit.anchors.outbound import Answer, Message, Outbound, expect_success
from tests.recordings.audit.anchors.conftest import Place


async def test_what_is_sent_and_answered_passes_unchanged(place: Place) -> None:
    place.answers = [web.Response(status=201, body=b"x" * 300_000, content_type="text/x.tlog.size")]
    client = Outbound(None)
    with pytest.raises(AnchorError, match="more than 262144 bytes"):
        await client.send(Message("PUT", f"{place.url}/a%2Fb", {"X-One": "1"}, b"body"))
    place.answers = [web.Response(status=201, body=b"7", content_type="text/x.tlog.size")]
    assert await client.send(Message("GET", place.url, {})) == Answer(201, b"7", "text/x.tlog.size")
    await client.close()
    method, path, headers, body = place.seen[0]
    assert (method, path, headers["x-one"], headers["user-agent"], body) == (
        "PUT",
        "/a%2Fb",
        "1",
        "kubewitness",
        b"body",
    )


async def test_a_place_that_is_not_there_is_told() -> None:
    client = Outbound(None)
    with pytest.raises(AnchorError, match=r"127\.0\.0\.1:1"):
        await client.send(Message("GET", "http://127.0.0.1:1/", {}))
    await client.close()
    await client.close()


async def test_a_place_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbound, "TOTAL_SECONDS", 0.05)
    held: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _reader, writer: held.append(writer), "127.0.0.1", 0)
    client = Outbound(None)
    with pytest.raises(AnchorError, match=r"no answer within 0\.05 s"):
        await client.send(Message("GET", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", {}))
    await client.close()
    for writer in held:
        writer.close()
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_success_is_any_2xx(status: int) -> None:
    expect_success(Answer(status, b""))


def test_what_is_no_success_says_what_was_answered() -> None:
    with pytest.raises(AnchorError, match=r"^it answered 404$"):
        expect_success(Answer(404, b""))
    with pytest.raises(AnchorError, match=r"^it answered 199$"):
        expect_success(Answer(199, b"\n"))

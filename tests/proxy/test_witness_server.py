"""Claims about a witness that listens: what it is sent over real HTTP, and what its operator reads."""

import aiohttp
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from proxy.listeners import listen
from proxy.witness_server import PATH, WitnessServer
from recordings.audit.anchors.cosignature import witness_key, witnessed_at
from recordings.audit.anchors.witness import MAX_BODY_BYTES, Witness, request_body
from tests.recordings.audit.anchors.test_witness import NOW, PRIVATE, ROOT, note, proof


@pytest.fixture
async def place(tmp_path):
    """(URL, what was said)."""
    said: list[str] = []
    listening = listen("127.0.0.1", 0)
    server = WitnessServer(Witness(tmp_path / "kept", "w", PRIVATE, [ROOT.public]), clock=lambda: NOW, say=said.append)
    (tmp_path / "kept").mkdir()
    await server.start(listening, None)
    yield f"http://127.0.0.1:{listening.getsockname()[1]}{PATH}", said
    await server.stop()


async def post(url, body):
    async with aiohttp.ClientSession() as client, client.post(url, data=body) as answer:
        return answer.status, await answer.text(), answer.content_type


async def test_a_checkpoint_is_signed_over_http(place):
    url, said = place
    for old, size in ((0, 3), (3, 9)):
        status, text, _ = await post(url, request_body(old, proof(old, size), note(size)))
        assert (status, witnessed_at(note(size) + text, witness_key("w", PRIVATE))) == (200, int(NOW))
    assert said == []


async def test_a_refusal_has_the_status_and_type_of_the_specification_and_is_told(place):
    url, said = place
    await post(url, request_body(0, [], note(3)))
    assert await post(url, request_body(0, [], note(9))) == (409, "3\n", "text/x.tlog.size")
    assert said == ["refused 127.0.0.1: 409 3"]
    assert (await post(url, b"x" * (MAX_BODY_BYTES + 1)))[0] == 413


async def test_what_cannot_be_kept_is_not_signed(place, tmp_path):
    url, said = place
    (tmp_path / "kept").rmdir()
    assert (await post(url, request_body(0, [], note(3))))[0] == 503
    assert said[0].startswith("a checkpoint was not kept, so it was not signed: ")
    assert isinstance(PRIVATE, Ed25519PrivateKey)

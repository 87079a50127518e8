"""Claims about checkpoints to a witness: a real one, behind real HTTP, and a log that grows, is cut and is forked."""

from __future__ import annotations

import errno
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from recordings.audit.anchors.anchor import AnchorError, Published
from recordings.audit.anchors.cosignature import witness_key
from recordings.audit.anchors.kept import notes_of
from recordings.audit.anchors.newest_checkpoint import NewestCheckpoints
from recordings.audit.anchors.outbound import Outbound
from recordings.audit.anchors.witness import Witness
from recordings.audit.anchors.witness_anchor import WitnessAnchor
from recordings.audit.record import Outcome, RecordType
from recordings.audit.verify import verify
from tests.recordings.audit.anchors.conftest import Place
from tests.recordings.audit.conftest import ROOT, Bench

PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes([9]) * 32)
NOW = 1_700_000_000.0


@dataclass
class Setting:
    root: Path
    place: Place
    bench: Bench
    kept: Path

    def anchor(self, now: float = NOW) -> WitnessAnchor:
        key = witness_key("w", PRIVATE)
        return WitnessAnchor(self.place.url, key, ROOT, self.root, Outbound(None), clock=lambda: now)

    async def grow(self, lines: int) -> Published:
        log = self.bench.log()
        await log.open()
        for _ in range(lines):
            await log.durable(log.append(RecordType.CONFIG_CHANGE, Outcome.DONE))
        await log.close()
        (newest,) = NewestCheckpoints(self.root).read()
        return newest


@pytest.fixture
def setting(tmp_path: Path, place: Place, monkeypatch: pytest.MonkeyPatch) -> Setting:
    kept = tmp_path / "witness"
    kept.mkdir()
    witness = Witness(kept, "w", PRIVATE, [ROOT.public])

    async def handle(request: web.Request) -> web.Response:
        place.seen.append((request.method, request.raw_path, {}, await request.read()))
        if place.answers:
            return place.answers.pop(0)
        reply = witness.add_checkpoint(place.seen[-1][3], NOW)
        return web.Response(status=reply.status, text=reply.body, headers={"Content-Type": reply.content_type})

    monkeypatch.setattr(place, "handle", handle)
    root = tmp_path / "audit"
    bench = Bench(root / "node-0", is_signed=True, origin="acme/node-0", segment_bytes=6_000)
    return Setting(root, place, bench, kept)


@pytest.fixture
async def place() -> object:
    """With a handler that can be exchanged."""
    from aiohttp.test_utils import TestServer

    found = Place()

    async def handle(request: web.Request) -> web.Response:
        return await found.handle(request)

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", handle)
    server = TestServer(app)
    await server.start_server()
    found.url = f"http://127.0.0.1:{server.port}"
    yield found
    await server.close()


async def test_each_checkpoint_is_witnessed_with_one_request_and_is_an_anchor_to_verify_with(setting: Setting) -> None:
    anchor = setting.anchor()
    for lines in (1, 30, 2):
        checkpoint = await setting.grow(lines)
        await anchor.publish(checkpoint)
    await anchor.close()
    assert [one[:2] for one in setting.place.seen] == [("POST", "/add-checkpoint")] * 3
    for path in (setting.root / "acme__node-0.w.witnessed", setting.kept / "acme__node-0.checkpoint"):
        (verdict,) = verify(setting.root, ROOT.public, notes_of(path.read_bytes()))
        assert (verdict.is_whole, verdict.anchored, verdict.unanchored) == (True, checkpoint.size, 0)


async def test_after_a_start_it_asks_the_witness_how_far_he_is(setting: Setting) -> None:
    first = setting.anchor()
    await first.publish(await setting.grow(40))
    await first.close()
    again = setting.anchor()
    await again.publish(await setting.grow(3))
    await again.close()
    assert len(setting.place.seen) == 3


async def test_a_log_that_was_cut_is_told(setting: Setting) -> None:
    one = setting.anchor()
    await setting.grow(3)
    shutil.copytree(setting.bench.directory, setting.root.parent / "backup")
    await one.publish(await setting.grow(3))
    await one.close()
    shutil.rmtree(setting.bench.directory)
    shutil.copytree(setting.root.parent / "backup", setting.bench.directory)
    (restored,) = NewestCheckpoints(setting.root).read()
    again = setting.anchor()
    with pytest.raises(AnchorError, match="lines are missing"):
        await again.publish(restored)
    with pytest.raises(AnchorError, match=r"it answered 422: the tree of .* does not go on"):
        await again.publish(await setting.grow(9))
    await again.close()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (web.Response(status=500, text="no"), "it answered 500: no"),
        (web.Response(text="rubbish\n"), "is no cosignature of w"),
        (web.Response(body=b"\xff"), "is no cosignature of w"),
        (web.Response(status=409, body=b"x", content_type="text/x.tlog.size"), "not of which"),
        (web.Response(status=409, body=b"0\n", content_type="text/x.tlog.size"), "another log of 0 lines"),
        (web.Response(status=409, text="conflict"), "it answered 409: conflict"),
    ],
)
async def test_what_is_no_witnesss_answer_is_told(setting: Setting, answer: web.Response, said: str) -> None:
    checkpoint = await setting.grow(3)
    setting.place.answers = [answer]
    anchor = setting.anchor()
    with pytest.raises(AnchorError, match=said):
        await anchor.publish(checkpoint)
    await anchor.close()


async def test_a_witness_with_another_clock_is_told(setting: Setting) -> None:
    anchor = setting.anchor(NOW + 301)
    with pytest.raises(AnchorError, match="its clock differs from ours by 301 s"):
        await anchor.publish(await setting.grow(3))
    await anchor.close()


async def test_a_root_key_that_does_not_sign_is_told(setting: Setting) -> None:
    class Away:
        public = ROOT.public

        def sign(self, text: bytes) -> bytes:
            raise OSError(errno.EIO, "the module does not answer")

    anchor = WitnessAnchor(
        setting.place.url, witness_key("w", PRIVATE), Away(), setting.root, Outbound(None), clock=lambda: NOW
    )
    with pytest.raises(AnchorError, match=r"the log's root key does not sign: .*the module does not answer"):
        await anchor.publish(await setting.grow(3))
    await anchor.close()


async def test_a_cosignature_that_cannot_be_kept_is_told_and_leaves_nothing_behind(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = await setting.grow(3)
    before = sorted(setting.root.iterdir())

    def full(fd: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    anchor = setting.anchor()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        # the witness of this test is another machine: its disk has room
        patch.setattr(Witness, "_keep", lambda *_: None)
        with pytest.raises(AnchorError, match="cannot be kept beside the log: No space left on device"):
            await anchor.publish(checkpoint)
    assert sorted(setting.root.iterdir()) == before
    await anchor.publish(checkpoint)
    await anchor.close()
    assert (setting.root / "acme__node-0.w.witnessed").exists()

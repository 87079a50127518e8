"""Checkpoints in a real bucket: locked until their time, there when a log is compared, and clear words when they are
not taken."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from proxy.cli import main
from recordings.audit.anchors.anchor import AnchorError, Published, published
from recordings.audit.anchors.outbound import Outbound
from recordings.audit.anchors.s3_anchor import Bucket, S3Anchor
from recordings.audit.anchors.signature_v4 import AccessKey
from recordings.audit.checkpoint import Checkpoint, signed
from recordings.audit.note import Ed25519Signer
from recordings.audit.verify import verify
from tests.battery.log.tamper import ROOT, names, written
from tests.e2e.providers.object_store import KEY, ObjectStore
from tests.e2e.providers.running import Unavailable

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]
RETAIN_SECONDS = 3_600
LOCKED = "kept"
SIGNER = Ed25519Signer.of("acme/host-0", Ed25519PrivateKey.from_private_bytes(bytes([3]) * 32))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    try:
        with ObjectStore(tmp_path_factory.mktemp("store")) as store:
            store.make_bucket(LOCKED, locks=True)
            store.make_bucket("unlocked", locks=False)
            yield store
    except Unavailable as reason:
        pytest.skip(str(reason))


def a_checkpoint(size: int) -> Published:
    return published(signed(Checkpoint("acme/host-0", size, bytes(32)), SIGNER))


def publish(bucket: Bucket, checkpoint: Published, *, key: AccessKey = KEY) -> None:
    async def once() -> None:
        anchor = S3Anchor(bucket, Outbound(None), key=lambda: key, clock=time.time)
        try:
            await anchor.publish(checkpoint)
        finally:
            await anchor.close()

    asyncio.run(once())


def test_a_checkpoint_cannot_be_removed_nor_its_lock_be_shortened_before_its_time(store: ObjectStore) -> None:
    checkpoint, path = a_checkpoint(7), f"/{LOCKED}/kwit/acme__host-0/{7:020d}"
    publish(Bucket(store.endpoint, LOCKED, "kwit", RETAIN_SECONDS), checkpoint)
    status, body, headers = store.ask("GET", path)
    assert (status, body.decode(), headers["x-amz-object-lock-mode"]) == (200, checkpoint.note, "COMPLIANCE")
    version = headers["x-amz-version-id"]
    assert store.ask("DELETE", path, versionId=version)[0] == 403
    sooner = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 60))
    retention = f"<Retention><Mode>COMPLIANCE</Mode><RetainUntilDate>{sooner}</RetainUntilDate></Retention>".encode()
    assert store.ask("PUT", path, body=retention, retention="", versionId=version)[0] == 403
    store.ask("PUT", path, body=b"another checkpoint")
    assert store.ask("GET", path, versionId=version)[1].decode() == checkpoint.note


def test_a_log_that_was_rolled_back_is_found_by_the_checkpoint_in_the_bucket(
    store: ObjectStore, tmp_path: Path
) -> None:
    log = written(tmp_path / "true")
    anchored = published(log.anchor)
    publish(Bucket(store.endpoint, LOCKED, "found", RETAIN_SECONDS), anchored)
    note = store.ask("GET", f"/{LOCKED}/found/acme__node-0/{anchored.size:020d}")[1].decode()
    copy = tmp_path / "copy"
    copy.mkdir()
    first = names(log.files)[0]
    for name in ("keys", first):
        (copy / name).write_bytes(log.files[name])
    assert not all(one.is_whole for one in verify(copy, ROOT.public, [note]))
    for name, data in log.files.items():
        (copy / name).write_bytes(data)
    assert all(one.is_whole for one in verify(copy, ROOT.public, [note]))


@pytest.mark.parametrize(
    ("bucket", "key", "says"),
    [
        ("missing", KEY, "400 InvalidRequest: with `retain` the bucket must be there"),
        ("unlocked", KEY, "400 InvalidRequest: with `retain` the bucket must be there"),
        (LOCKED, replace(KEY, secret="another"), "403 SignatureDoesNotMatch: what `secret_key_file` holds"),
        (LOCKED, replace(KEY, id="nobody"), "403 InvalidAccessKeyId: `access_key_id` is not known"),
    ],
)
def test_what_is_not_taken_says_what_to_do(store: ObjectStore, bucket: str, key: AccessKey, says: str) -> None:
    with pytest.raises(AnchorError, match=says):
        publish(Bucket(store.endpoint, bucket, "kwit", RETAIN_SECONDS), a_checkpoint(8), key=key)


def test_a_store_that_is_away_says_so() -> None:
    with pytest.raises(AnchorError, match="Cannot connect"):
        publish(Bucket("http://127.0.0.1:1", LOCKED, "kwit", RETAIN_SECONDS), a_checkpoint(8))


def test_a_log_in_a_bucket_is_verified_from_there(
    store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    log = written(tmp_path / "true")
    for name, data in log.files.items():
        assert store.ask("PUT", f"/unlocked/copy/node-0/{name}", body=data)[0] == 200
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY.id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEY.secret)
    monkeypatch.setenv("AWS_REGION", KEY.region)
    monkeypatch.setenv("AWS_ENDPOINT_URL", store.endpoint)
    asked = ["audit", "verify", "s3://unlocked/copy", "--key", str(ROOT.public)]
    assert main(asked) == 0
    assert "acme/node-0: whole" in capsys.readouterr().out
    second = names(log.files)[1]
    store.ask("PUT", f"/unlocked/copy/node-0/{second}", body=log.files[second].replace(b"xx", b"yy", 1))
    assert main(asked) == 1
    assert f"ALTERED   {second}" in capsys.readouterr().out

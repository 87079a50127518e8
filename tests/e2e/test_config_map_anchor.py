"""Checkpoints in a ConfigMap of a real API server, by an account that may do no more than the two verbs they need."""

from __future__ import annotations

import asyncio
import json
import ssl
import uuid
from collections.abc import Callable

import pytest

from recordings.audit.anchors.anchor import AnchorError, Published
from recordings.audit.anchors.configmap_anchor import ConfigMapAnchor
from recordings.audit.anchors.kept import notes_of
from recordings.audit.anchors.outbound import Outbound
from recordings.audit.checkpoint import Checkpoint, signed
from tests.e2e.cluster import Cluster
from tests.recordings.audit.anchors.conftest import SIGNER, checkpoint

pytestmark = [pytest.mark.cluster]


def test_the_newest_checkpoint_is_there_and_nothing_that_shows_a_loss_is_written_over(
    cluster: Cluster, admin: Callable[..., str]
) -> None:
    namespace = f"kwit-e2e-{uuid.uuid4().hex[:8]}"
    admin("create", "namespace", namespace)
    here = f"--namespace={namespace}"
    for name in ("kept", "not-ours"):
        admin("create", "configmap", name, here)
    admin("create", "serviceaccount", "log", here)
    admin("create", "role", "log", "--verb=get,patch", "--resource=configmaps", "--resource-name=kept", here)
    admin("create", "rolebinding", "log", "--role=log", f"--serviceaccount={namespace}:log", here)
    token = admin("create", "token", "log", here).strip()
    server = json.loads(cluster.kubeconfig.read_text())["clusters"][0]["cluster"]
    context = ssl.create_default_context(cafile=server["certificate-authority"])

    def publish(one: Published, name: str = "kept", bearer: str = token) -> None:
        async def once() -> None:
            anchor = ConfigMapAnchor(server["server"], namespace, name, Outbound(context), token=lambda: bearer)
            try:
                await anchor.publish(one)
            finally:
                await anchor.close()

        asyncio.run(once())

    for size in (7, 9):
        publish(checkpoint(size))
    publish(checkpoint(2, "acme/host-1"))
    forked = Published("acme/host-0", 9, signed(Checkpoint("acme/host-0", 9, bytes(32)), SIGNER))
    for one, name, bearer, said in (
        (checkpoint(8), "kept", token, "lines are missing"),
        (forked, "kept", token, "another log of 9 lines"),
        (checkpoint(10), "not-ours", token, "it answered 403"),
        (checkpoint(10), "kept", "nobody", "it answered 401"),
    ):
        with pytest.raises(AnchorError, match=said):
            publish(one, name, bearer)
    kept = notes_of(admin("get", "configmap", "kept", here, "--output=json").encode())
    assert kept == [checkpoint(2, "acme/host-1").note, checkpoint(9).note]

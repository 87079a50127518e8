"""Claims about checkpoints in a ConfigMap of another cluster."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aiohttp import web

from recordings.audit.anchors.anchor import AnchorError
from recordings.audit.anchors.configmap_anchor import ConfigMapAnchor
from recordings.audit.anchors.outbound import Outbound
from recordings.audit.checkpoint import Checkpoint, signed
from tests.recordings.audit.anchors.conftest import SIGNER, Place, checkpoint


def anchor_at(place: Place) -> ConfigMapAnchor:
    return ConfigMapAnchor(place.url, "audit", "kwit", Outbound(None), token=lambda: "token")


def holding(**data: str) -> web.Response:
    return web.json_response({"kind": "ConfigMap", **({"data": data} if data else {})})


async def test_it_is_looked_at_once_and_then_each_checkpoint_takes_its_logs_place(place: Place) -> None:
    place.answers = [holding()]
    anchor = anchor_at(place)
    await anchor.publish(checkpoint(3))
    await anchor.publish(checkpoint(5))
    await anchor.close()
    path = "/api/v1/namespaces/audit/configmaps/kwit"
    assert [one[:2] for one in place.seen] == [("GET", path), ("PATCH", path), ("PATCH", path)]
    assert {one[2]["authorization"] for one in place.seen} == {"Bearer token"}
    assert place.seen[2][2]["content-type"] == "application/merge-patch+json"
    patches: list[Any] = [json.loads(one[3]) for one in place.seen[1:]]
    assert patches == [{"data": {"acme__host-0": checkpoint(size).note}} for size in (3, 5)]


async def test_one_of_more_lines_than_the_log_has_is_never_written_over(place: Place) -> None:
    place.answers = [holding(acme__host_x=checkpoint(1).note, **{"acme__host-0": checkpoint(9).note})]
    anchor = anchor_at(place)
    with pytest.raises(AnchorError, match="a checkpoint of 9 lines of acme/host-0, which has 8 now: lines are missing"):
        await anchor.publish(checkpoint(8))
    await anchor.publish(checkpoint(9))
    await anchor.publish(checkpoint(1, "acme/host-1"))
    await anchor.close()
    assert [one[0] for one in place.seen] == ["GET", "PATCH", "PATCH"]


async def test_another_log_of_as_many_lines_is_never_written_over(place: Place) -> None:
    other = signed(Checkpoint("acme/host-0", 9, bytes(32)), SIGNER)
    place.answers = [holding(**{"acme__host-0": other})]
    anchor = anchor_at(place)
    for _ in range(2):
        with pytest.raises(AnchorError, match="another log of 9 lines of acme/host-0"):
            await anchor.publish(checkpoint(9))
    await anchor.close()
    assert [one[0] for one in place.seen] == ["GET"]


@pytest.mark.parametrize("body", ["no JSON", '{"data":{"a":"rubbish"}}', "[]"])
async def test_a_config_map_of_something_else_is_left_alone(place: Place, body: str) -> None:
    place.answers = [web.Response(text=body)]
    anchor = anchor_at(place)
    with pytest.raises(AnchorError, match="something else than checkpoints"):
        await anchor.publish(checkpoint(8))
    await anchor.close()


async def test_a_refusal_is_told_and_the_next_try_looks_again(place: Place) -> None:
    place.answers = [web.Response(status=403, text="forbidden"), holding()]
    anchor = anchor_at(place)
    with pytest.raises(AnchorError, match="it answered 403: forbidden"):
        await anchor.publish(checkpoint(8))
    await anchor.publish(checkpoint(8))
    await anchor.close()
    assert [one[0] for one in place.seen] == ["GET", "GET", "PATCH"]

"""Claims about checkpoints sent to a URL."""

from __future__ import annotations

import pytest
from aiohttp import web

from recordings.audit.anchors.anchor import AnchorError
from recordings.audit.anchors.http_anchor import HttpAnchor
from recordings.audit.anchors.outbound import Outbound
from tests.recordings.audit.anchors.conftest import Place, checkpoint


async def test_the_note_is_posted_as_it_is_with_the_token_of_now(place: Place) -> None:
    tokens = iter(["one", ""])
    anchor = HttpAnchor(f"{place.url}/a?b", Outbound(None), token=lambda: next(tokens))
    await anchor.publish(checkpoint(3))
    await anchor.publish(checkpoint(4))
    await anchor.close()
    first, second = place.seen
    assert (first[0], first[1], first[3].decode()) == ("POST", "/a?b", checkpoint(3).note)
    assert (first[2]["authorization"], first[2]["content-type"]) == ("Bearer one", "text/plain; charset=utf-8")
    assert (second[3].decode(), "authorization" in second[2]) == (checkpoint(4).note, False)


@pytest.mark.parametrize("status", [302, 401, 500])
async def test_only_success_means_that_it_is_kept(place: Place, status: int) -> None:
    place.answers = [web.Response(status=status, text="no\x1b", headers={"Location": "/elsewhere"})]
    anchor = HttpAnchor(place.url, Outbound(None))
    with pytest.raises(AnchorError, match=f"^it answered {status}: no$"):
        await anchor.publish(checkpoint(3))
    await anchor.close()
    assert len(place.seen) == 1

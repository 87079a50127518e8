"""Checkpoints in a ConfigMap of another cluster, one member for each log, with credentials of its own.

Only the newest of each log is there. So one that is there already and speaks of more lines than the log has now, or of
as many others, stops us: it is the very thing that shows a loss, and must not be written over. A Role of two verbs is
enough: get and patch on the one ConfigMap, which somebody has made before.
"""

from __future__ import annotations

from collections.abc import Callable

import orjson

from recordings.audit.anchors.anchor import AnchorError, Published, file_stem
from recordings.audit.anchors.outbound import Message, Outbound, expect_success
from recordings.audit.checkpoint import Checkpoint, unverified
from recordings.audit.note import NoteError


class ConfigMapAnchor:
    """`Anchor` in `namespace`/`name` of the API server at `server`. `token` may raise AnchorError."""

    def __init__(
        self,
        server: str,
        namespace: str,
        name: str,
        outbound: Outbound,
        *,
        token: Callable[[], str],
        every: float = 1.0,
    ) -> None:
        self.name, self.every = f"configmap:{namespace}/{name}", every
        self._url = f"{server.rstrip('/')}/api/v1/namespaces/{namespace}/configmaps/{name}"
        self._outbound, self._token = outbound, token
        self._there: dict[str, Checkpoint] | None = None

    async def publish(self, checkpoint: Published) -> None:
        if self._there is None:
            self._there = await self._look()
        member = file_stem(checkpoint.origin)
        claimed = unverified(checkpoint.note)
        there = self._there.get(member)
        if there is not None and there.size > checkpoint.size:
            raise AnchorError(
                f"it has a checkpoint of {there.size} lines of {checkpoint.origin}, which has {checkpoint.size} now: "
                "lines are missing; run kwit audit verify with it as --anchor"
            )
        if there is not None and there.size == checkpoint.size and there.root != claimed.root:
            raise AnchorError(
                f"it has a checkpoint of another log of {there.size} lines of {checkpoint.origin}: lines were changed; "
                "run kwit audit verify with it as --anchor"
            )
        patch = orjson.dumps({"data": {member: checkpoint.note}})
        headers = {**self._headers(), "Content-Type": "application/merge-patch+json"}
        expect_success(await self._outbound.send(Message("PATCH", self._url, headers, patch)))
        self._there[member] = claimed

    async def close(self) -> None:
        await self._outbound.close()

    async def _look(self) -> dict[str, Checkpoint]:
        """What is there, by member. Raises AnchorError."""
        answer = await self._outbound.send(Message("GET", self._url, self._headers()))
        expect_success(answer)
        try:
            data = orjson.loads(answer.body).get("data") or {}
            return {str(member): unverified(str(note)) for member, note in data.items()}
        except (orjson.JSONDecodeError, AttributeError, NoteError) as error:
            raise AnchorError(
                "it holds something else than checkpoints; give the log a ConfigMap of its own"
            ) from error

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token()}", "Accept": "application/json"}

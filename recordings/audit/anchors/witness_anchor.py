"""Checkpoints to a witness, who keeps the newest one of each log and signs it if the log has only grown.

The segments' keys change, so the installation's root key signs each checkpoint besides: it is what the witness knows
us by. What he signed lies beside the log, `<origin>.<witness>.witnessed`, and can be an auditor's `--anchor`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from recordings.audit.anchors.anchor import AnchorError, Published, file_stem
from recordings.audit.anchors.cosignature import WitnessKey, witnessed_at
from recordings.audit.anchors.log_lines import LogLines
from recordings.audit.anchors.outbound import Answer, Message, Outbound, expect_success
from recordings.audit.anchors.witness import SIZE_TYPE, request_body
from recordings.audit.merkle import ProofError
from recordings.audit.new_file import replace
from recordings.audit.note import Note, NoteError, Signature, Signer, parse

CLOCK_SECONDS = 300
"""Between the witness's clock and ours."""


class WitnessAnchor:
    """`Anchor` at a witness's URL, to which `/add-checkpoint` is added."""

    def __init__(
        self,
        url: str,
        key: WitnessKey,
        root: Signer,
        directory: Path,
        outbound: Outbound,
        *,
        clock: Callable[[], float],
        every: float = 1.0,
    ) -> None:
        """`directory`: the log's, in which writers have theirs."""
        self.name, self.every = f"witness:{key.name}", every
        self._url, self._key, self._root, self._directory = f"{url.rstrip('/')}/add-checkpoint", key, root, directory
        self._outbound, self._clock = outbound, clock
        self._sizes: dict[str, int] = {}
        self._lines: dict[str, LogLines] = {}

    async def publish(self, checkpoint: Published) -> None:
        note = await asyncio.to_thread(self._signed, checkpoint.note)
        answer = await self._ask(checkpoint, note)
        if _is_size(answer):
            self._sizes[checkpoint.origin] = self._told(answer, checkpoint)
            answer = await self._ask(checkpoint, note)
            if _is_size(answer):  # at the very size that he named
                self._told(answer, checkpoint)
        expect_success(answer)
        try:
            witnessed = f"{note}{answer.body.decode()}"
            seen = witnessed_at(witnessed, self._key)
        except (UnicodeDecodeError, NoteError) as error:
            raise AnchorError(f"what it answered is no cosignature of {self._key.name}: {error}") from error
        if abs(seen - self._clock()) > CLOCK_SECONDS:
            raise AnchorError(f"its clock differs from ours by {abs(seen - self._clock()):.0f} s")
        self._sizes[checkpoint.origin] = checkpoint.size
        await asyncio.to_thread(self._keep, checkpoint.origin, witnessed)

    async def close(self) -> None:
        await self._outbound.close()

    def _signed(self, note: str) -> str:
        """With the root key's signature. It may be in another machine: not on the loop. Raises AnchorError."""
        read, public = parse(note), self._root.public
        try:
            value = self._root.sign(read.unverified_text.encode())
        except OSError as error:
            raise AnchorError(f"the log's root key does not sign: {error}") from error
        mine = Signature(public.name, public.id, value)
        return str(Note(read.unverified_text, (*read.signatures, mine)))

    async def _ask(self, checkpoint: Published, note: str) -> Answer:
        old = self._sizes.get(checkpoint.origin, 0)
        lines = self._lines.setdefault(checkpoint.origin, LogLines(self._writer(checkpoint.origin)))
        try:
            proof = await asyncio.to_thread(lines.consistency, old, checkpoint.size)
        except (ProofError, OSError) as error:
            self._lines.pop(checkpoint.origin)
            raise AnchorError(f"nothing proves that the log has only grown since line {old}: {error}") from error
        return await self._outbound.send(Message("POST", self._url, {}, request_body(old, proof, note)))

    def _told(self, answer: Answer, checkpoint: Published) -> int:
        """The size that the witness has. Raises AnchorError."""
        text = answer.body.decode("ascii", "replace").strip()
        if not text.isdigit() or len(text) > 19:
            raise AnchorError("it says of another size, and not of which")
        size = int(text)
        if size > checkpoint.size:
            raise AnchorError(
                f"it has seen {size} lines of {checkpoint.origin}, which has {checkpoint.size} now: lines are missing"
            )
        if size == self._sizes.get(checkpoint.origin, 0):
            raise AnchorError(f"it has seen another log of {size} lines of {checkpoint.origin}")
        return size

    def _writer(self, origin: str) -> Path:
        return self._directory / origin.rpartition("/")[2]

    def _keep(self, origin: str, witnessed: str) -> None:
        """The newest one; a crash leaves it or the one before. Raises AnchorError."""
        name = f"{file_stem(origin)}.{file_stem(self._key.name)}.witnessed"
        try:
            replace(self._directory / name, witnessed.encode())
        except OSError as error:
            raise AnchorError(f"its cosignature cannot be kept beside the log: {error.strerror}") from error


def _is_size(answer: Answer) -> bool:
    return answer.status == 409 and answer.content_type.startswith(SIZE_TYPE)

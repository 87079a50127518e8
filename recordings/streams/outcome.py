"""How a command ended, as the error stream tells it. k8s.io/apimachinery remotecommand: v4 and v5 send a Status, older
ones text.

Everything here comes from the server. What is not told is not invented: without a word there is no exit code.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum

MAX_STATUS_BYTES = 64 * 1024
"""Kubernetes' are under 1 KB; a message may quote what a runtime said."""

STATUS_PROTOCOLS = frozenset(
    {"v4.channel.k8s.io", "v5.channel.k8s.io", "v4.base64.channel.k8s.io"},
)
"""Those whose error stream is one Status. In the others any text is an error, and none is success."""


class Ended(StrEnum):
    """Written into the record, so a value is never renamed."""

    EXITED = "exited"
    """The command ran and ended; the exit code says how."""
    FAILED = "failed"
    """Something else went wrong; the message is all there is."""
    UNKNOWN = "unknown"
    """The connection ended without a word about it, or with words that cannot be read."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended. `exit_code` is 0 to 255, or nothing when it was not told."""

    ended: Ended
    exit_code: int | None = None
    message: str = ""


class OutcomeReader:
    """Gathers the error stream of one exec or attach."""

    def __init__(self, protocol: str) -> None:
        self._is_status = protocol in STATUS_PROTOCOLS
        self._text = bytearray()
        self._complete = True

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the error stream; what is beyond the limit makes the outcome unknown."""
        room = MAX_STATUS_BYTES - len(self._text)
        self._text += data[:room]
        self._complete = self._complete and len(data) <= room

    def outcome(self, *, ended: bool) -> Outcome:
        """Return what was told; `ended` says that the server ended the stream or the conversation in order."""
        if not self._is_status:
            return self._of_text(ended=ended)
        if not self._complete:
            return Outcome(Ended.UNKNOWN)
        try:
            status = json.loads(bytes(self._text))
        except (ValueError, RecursionError):
            return Outcome(Ended.UNKNOWN)
        return _of_status(status) if isinstance(status, dict) else Outcome(Ended.UNKNOWN)

    def _of_text(self, *, ended: bool) -> Outcome:
        if self._text:
            return Outcome(Ended.FAILED, None, self._text.decode(errors="replace"))
        return Outcome(Ended.EXITED, 0) if ended else Outcome(Ended.UNKNOWN)


def _of_status(status: dict[str, object]) -> Outcome:
    message = status.get("message")
    text = message if isinstance(message, str) else ""
    if status.get("status") == "Success":
        return Outcome(Ended.EXITED, 0, text)
    if status.get("status") != "Failure":
        return Outcome(Ended.UNKNOWN)
    if status.get("reason") != "NonZeroExitCode":
        return Outcome(Ended.FAILED, None, text)
    code = _exit_code(status.get("details"))
    return Outcome(Ended.UNKNOWN if code is None else Ended.EXITED, code, text)


def _exit_code(details: object) -> int | None:
    """Return the one cause of reason ExitCode, a decimal from 1 to 255."""
    causes = details.get("causes") if isinstance(details, dict) else None
    told = [
        cause.get("message")
        for cause in (causes if isinstance(causes, list) else [])
        if isinstance(cause, dict) and cause.get("reason") == "ExitCode"
    ]
    if len(told) == 1 and isinstance(told[0], str) and told[0].isascii() and told[0].isdigit():
        code = int(told[0]) if len(told[0]) <= 3 else 0
        return code if 0 < code <= 255 else None
    return None

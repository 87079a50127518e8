"""What the audit log says of a finished recording: its digest, and the files that a copy carried."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from recordings.recorder.recorder import Sealed

ROWS_IN_A_RECORD = 200
"""A path may have 4 KiB: so many stay below the cap of a record, which is 1 MiB."""


def seal_body(recording: Sealed, audit_id: str) -> dict[str, Any]:
    """The body of `recording.seal`."""
    return {
        "recording": recording.id,
        "sha256": recording.sha256,
        "size": recording.size,
        "chunks": recording.chunks,
        "received": recording.received,
        "sent": recording.sent,
        "duration": round(recording.duration, 6),
        "ended": recording.outcome.ended,
        "exit_code": recording.outcome.exit_code,
        "request": audit_id,
        **({"interrupted": True} if recording.interrupted else {}),
    }


def files_bodies(recording: Sealed, audit_id: str) -> Iterator[dict[str, Any]]:
    """The bodies of `stream.files`: none where no tar passed."""
    rows = [{**asdict(row), "mode": f"{row.mode:o}"} for row in recording.rows]
    doubt = {"doubt": recording.doubt} if recording.doubt else {}
    common = {"recording": recording.id, "request": audit_id, "files": recording.files}
    for start in range(0, max(len(rows), bool(doubt)), ROWS_IN_A_RECORD):
        yield {**common, "rows": rows[start : start + ROWS_IN_A_RECORD], **doubt}

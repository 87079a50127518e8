"""A log of a few records in one open segment, for commands that ask one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from recordings.audit.encode import encode, rfc3339
from recordings.audit.segments import segment_name

NOW = 1_700_000_000.0


def small_log(root: Path, records: Iterable[Mapping[str, Any]]) -> Path:
    """`root`, with `records` as a writer's: `at` is seconds behind NOW, left out: the record's number; from 1 on."""
    lines = []
    for seq, given in enumerate(records, 1):
        more = dict(given)
        time = rfc3339(NOW + more.pop("at", seq))
        lines.append(encode({"v": 1, "seq": seq, "id": f"id-{seq}", "time": time, "outcome": "done", **more}))
    (root / segment_name(1, 0)).write_bytes(encode({"header": {}}) + b"".join(lines))
    return root

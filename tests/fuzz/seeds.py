"""Inputs that are kept: named attacks, and whatever fuzzing found. `seeds/<target>.json` lists them.

Each is `{"name", "text", "hex" or "zlib", "outcome"}`: text where it reads well (bytes by their number, ISO 8859-1),
base64 of what zlib made of it where it is long.
"""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "seeds"
LONG = 1_200
"""Bytes of an input that nobody reads."""


@dataclass(frozen=True, slots=True)
class Seed:
    """`outcome`: what the target said of it when it was written down."""

    target: str
    name: str
    data: bytes
    outcome: str


def seeds(target: str) -> list[Seed]:
    """Those of one target."""
    path = FOLDER / f"{target}.json"
    if not path.exists():
        return []
    return [
        Seed(target, one["name"], _bytes(one), one["outcome"]) for one in json.loads(path.read_text(encoding="utf-8"))
    ]


def keep(found: list[Seed]) -> None:
    """Write down all seeds of one target."""
    path = FOLDER / f"{found[0].target}.json"
    path.parent.mkdir(exist_ok=True)
    entries = [{"name": one.name, **_shown(one.data), "outcome": one.outcome} for one in found]
    path.write_text(json.dumps(entries, indent=1, ensure_ascii=True) + "\n", encoding="utf-8")


def _bytes(entry: dict[str, str]) -> bytes:
    if "zlib" in entry:
        return zlib.decompress(base64.b64decode(entry["zlib"]))
    return entry["text"].encode("latin-1") if "text" in entry else bytes.fromhex(entry["hex"])


def _shown(data: bytes) -> dict[str, str]:
    if len(data) > LONG:
        return {"zlib": base64.b64encode(zlib.compress(data, 9)).decode()}
    readable = sum(0x20 <= byte < 0x7F or byte in b"\r\n\t\x1b" for byte in data)
    return {"text": data.decode("latin-1")} if readable * 10 >= len(data) * 8 else {"hex": data.hex()}

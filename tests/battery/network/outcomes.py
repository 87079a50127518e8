"""The table of what every network fault comes to, `outcomes.yaml`, and which faults are tried."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from tests.battery.network.fault import Fault

TABLE: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "outcomes.yaml").read_text())
FEW = (Fault.SLICER, Fault.RESET, Fault.HALF_CLOSE_TO_CLIENT, Fault.CORRUPT, Fault.EARLY_FIN, Fault.TRUNCATED)
FAULTS = tuple(Fault) if os.environ.get("KWIT_NETWORK") else FEW
"""`KWIT_NETWORK=1` for all of them."""


def judged(came: Iterable[str], defined: Iterable[str]) -> list[str]:
    """The defined word where what came is one that it allows (`a or b`), else what came."""
    return [allowed if word in allowed.split(" or ") else word for word, allowed in zip(came, defined, strict=True)]

"""A few cuts on each file system; `make powercuts` has a thousand on each."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.battery.powercuts.cuts import FILE_SYSTEMS, CannotMountError, cuts

COUNT = int(os.environ.get("KWIT_POWER_CUTS", "5"))


@pytest.mark.parametrize("kind", FILE_SYSTEMS)
def test_whenever_the_power_goes_what_was_promised_is_on_the_disk(kind: str, tmp_path: Path) -> None:
    try:
        found = [wrong for _, wrong in cuts(kind, tmp_path, COUNT, seed=1)]
    except CannotMountError as error:
        pytest.skip(f"no power cuts on {kind}: {error}")
    assert found == [[]] * COUNT

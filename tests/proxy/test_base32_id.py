"""Claims about ids of 128 random bits."""

from __future__ import annotations

import base64
import os
import re

from proxy.base32_id import base32_id


def test_it_is_base32_of_all_that_was_drawn() -> None:
    assert base32_id(bytes) == "a" * 26
    drawn = os.urandom(16)
    found = base32_id(lambda count: drawn[:count])
    assert re.fullmatch("[a-z2-7]{26}", found)
    assert base64.b32decode(found.upper() + "======") == drawn

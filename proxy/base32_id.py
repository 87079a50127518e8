"""Ids that nobody can guess and everybody can read aloud: of logins, of sign-ins under way, of recordings."""

from __future__ import annotations

import base64
from collections.abc import Callable

RANDOM_BYTES = 16


def base32_id(random: Callable[[int], bytes]) -> str:
    """128 random bits as 26 lower-case letters and digits (RFC 4648 section 6, without padding)."""
    return base64.b32encode(random(RANDOM_BYTES)).rstrip(b"=").decode().lower()

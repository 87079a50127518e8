"""JSON from a stranger with one meaning: RFC 8259 less what two parsers could read differently.

Refused: a name that stands twice in one object, NaN and Infinity, an unpaired surrogate anywhere, anything that is no
UTF-8, depth and size over a limit. The standard parser keeps the last of two equal names and accepts the rest.
"""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

MAX_DEPTH = 32
"""Levels of nesting; an ID token has four, a discovery document two."""


class StrictJSONError(ValueError):
    """The text is not JSON as accepted here; the message says why and holds nothing of it."""


def parse_object(data: bytes, max_bytes: int) -> dict[str, Any]:
    """The object in `data`. Raises StrictJSONError."""
    if len(data) > max_bytes:
        raise StrictJSONError(f"it is larger than {max_bytes} bytes")
    try:
        value = json.loads(
            data.decode("utf-8"), object_pairs_hook=_object, parse_constant=_constant, parse_float=_number
        )
    except StrictJSONError:
        raise
    except (ValueError, RecursionError) as error:
        raise StrictJSONError("it is not JSON") from error
    if not isinstance(value, dict):
        raise StrictJSONError("it is not a JSON object")
    _check(value, MAX_DEPTH)
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise StrictJSONError("a name stands twice in one object")
    return value


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise StrictJSONError("a number is too large")
    return number


def _constant(_: str) -> NoReturn:
    raise StrictJSONError("NaN and Infinity are no JSON")


def _check(value: object, depth: int) -> None:
    if depth < 0:
        raise StrictJSONError(f"it is nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, str):
        if any("\ud800" <= c <= "\udfff" for c in value):
            raise StrictJSONError("it holds an unpaired surrogate")
    elif isinstance(value, dict):
        for name, member in value.items():
            _check(name, depth)
            _check(member, depth - 1)
    elif isinstance(value, list):
        for member in value:
            _check(member, depth - 1)

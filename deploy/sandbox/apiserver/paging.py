"""Lists in chunks: the `continue` token names the version that the first chunk showed, and the last object shown.

All chunks show that one version (as the API server's do); one that is forgotten gets 410, and the client starts anew.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass

from deploy.sandbox.apiserver.kinds import Object
from deploy.sandbox.apiserver.problem import bad_request

Place = tuple[str, str]
"""Namespace and name: the order of lists."""


@dataclass(frozen=True, slots=True)
class Token:
    version: int
    after: Place

    def text(self) -> str:
        """What the client is to send back."""
        return base64.urlsafe_b64encode(json.dumps([self.version, *self.after]).encode()).decode().rstrip("=")


def read_token(text: str) -> Token:
    """Raises Problem 400."""
    try:
        version, namespace, name = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (binascii.Error, ValueError, TypeError) as error:
        raise bad_request(
            "invalid continue token: continue key is not valid: illegal base64 data at input byte 0"
        ) from error
    if not (type(version) is int and isinstance(namespace, str) and isinstance(name, str)):
        raise bad_request("invalid continue token: continue key is not valid: wrong types")
    return Token(version, (namespace, name))


def place(o: Object) -> Place:
    return o["metadata"].get("namespace", ""), o["metadata"]["name"]


def chunk(
    objects: list[Object], limit: int, token: Token | None, version: int
) -> tuple[list[Object], Token | None, int]:
    """(the chunk, the token for the next or None, how many remain) of objects in their order. `limit` 0: all."""
    left = [o for o in objects if token is None or place(o) > token.after]
    if not limit or len(left) <= limit:
        return left, None, 0
    return left[:limit], Token(version, place(left[limit - 1])), len(left) - limit

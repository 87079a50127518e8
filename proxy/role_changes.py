"""What became of the roles and bindings between two readings of their files, for the log.

Both are compared as they are understood, not as they are written: a comment changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any

import orjson

from auth.rbac import Role, RoleBinding
from recordings.audit.bodies.change import changed, removed

Documents = Mapping[tuple[str, str], dict[str, Any]]
"""(kind, name) → what it says."""


def documents(roles: Iterable[Role], bindings: Iterable[RoleBinding]) -> Documents:
    """What stands in the files, by name."""
    return {
        **{("Role", role.name): _plain(role) for role in roles},
        **{("RoleBinding", binding.name): _plain(binding) for binding in bindings},
    }


def digest(of: Documents) -> str:
    """SHA-256 in hexadecimal of all of them: the same exactly while nothing that they say is another."""
    listed = [[kind, name, of[kind, name]] for kind, name in sorted(of)]
    return sha256(orjson.dumps(listed, option=orjson.OPT_SORT_KEYS)).hexdigest()


def differences(before: Documents, after: Documents) -> list[dict[str, Any]]:
    """`{kind, name, change, patch}` of each that is added, removed or changed; `patch` as RFC 6902, with what was."""
    found: list[dict[str, Any]] = []
    for kind, name in sorted({*before, *after}):
        one = {"kind": kind, "name": name}
        old, new = before.get((kind, name)), after.get((kind, name))
        if old is None:
            found.append({**one, "change": "added", "patch": [{"op": "add", "path": "", "value": new}]})
        elif new is None:
            found.append({**one, "change": "removed", "patch": removed(old)})
        elif patch := changed(old, new):
            found.append({**one, "change": "changed", "patch": patch})
    return found


def _plain(document: Role | RoleBinding) -> dict[str, Any]:
    """Without where it stands: moving it to another file changes nothing."""
    found: dict[str, Any] = orjson.loads(orjson.dumps(document, default=str))
    del found["source"]
    return found

"""An object of Kubernetes without its secrets: each is replaced by a keyed hash, so that equal values can be matched.

What is one: every value of a Secret, tokens that are issued or reviewed, and whatever stands under a name that ends
like `password`, `token` or `secret`: fields, keys of ConfigMaps, environment variables, options on a command line;
private keys, JSON Web Tokens and passwords in URLs wherever they stand; fields that the configuration names. Names
decide, so a secret under an innocent name stays: that is what the level Metadata is for.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from recordings.audit.redact import keyed_hash

MAX_DEPTH = 64
"""Kubernetes' own objects have some twenty levels; what is deeper is hashed as a whole."""
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_SECRET_KINDS = frozenset(("Secret", "SecretList"))
_TOKEN_KINDS = frozenset(("TokenRequest", "TokenReview"))
_ENDS = ("password", "passwd", "passphrase", "pwd", "token", "secret", "apikey", "accesskey", "secretkey", "privatekey",
         "credential", "credentials", "signature")  # fmt: skip
_NO_SECRETS = frozenset(("automountserviceaccounttoken",))
"""Kubernetes' own fields that only end like one."""
_OPTION = re.compile(r"(--?[A-Za-z0-9][A-Za-z0-9_.-]*)(=|\s+)(\S+)")
_ASSIGNED = re.compile(r"\b([A-Za-z_][A-Za-z0-9_]*)=([^\s;&|'\"]+|'[^']*'|\"[^\"]*\")")
_ANYWHERE = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    r"|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"
    r"|(?<=://)[^/\s:@]*:[^/\s@]+(?=@)",
    re.DOTALL,
)
_WORD = re.compile(r"[^a-z0-9]")

Path = tuple[str, ...]


class Redaction:
    """Takes the secrets out of objects. `key` is the installation's; `paths` are fields from the top, `*` for any."""

    def __init__(self, key: bytes, paths: Sequence[Path] = (), *, omit_managed_fields: bool = False) -> None:
        self._key = key
        self._paths = tuple(paths)
        self._omit_managed_fields = omit_managed_fields

    def of(self, value: Any, resource: str) -> Any:
        """A copy of `value` without its secrets; `resource` is the plural that the request named, which decides for
        bodies that do not say what they are, such as patches.
        """
        if isinstance(value, list) and value and all(_is_operation(item) for item in value):
            return [self._operation(item, resource) for item in value]
        return self._object(value, (), is_secret=resource == "secrets", is_token=resource in ("tokenreviews", "token"))

    def _hash(self, value: Any) -> str:
        return f"hmac:{keyed_hash(value if isinstance(value, str) else _spelled(value), self._key)}"

    def _object(self, value: Any, path: Path, *, is_secret: bool = False, is_token: bool = False) -> Any:
        """What has a kind, or is at the top."""
        if isinstance(value, Mapping):
            kind = value.get("kind")
            is_secret = is_secret or kind in _SECRET_KINDS
            is_token = is_token or kind in _TOKEN_KINDS
        return self._walk(value, path, is_secret=is_secret, is_token=is_token)

    def _walk(self, value: Any, path: Path, *, is_secret: bool, is_token: bool) -> Any:
        if len(path) > MAX_DEPTH or any(_on(pattern, path) for pattern in self._paths):
            return self._hash(value)
        if isinstance(value, Mapping):
            return self._mapping(value, path, is_secret=is_secret, is_token=is_token)
        if isinstance(value, list):
            return self._list(value, path, is_secret=is_secret, is_token=is_token)
        return self._text(value) if isinstance(value, str) else value

    def _mapping(self, value: Mapping[str, Any], path: Path, *, is_secret: bool, is_token: bool) -> dict[str, Any]:
        out: dict[str, Any] = {}
        is_sensitive_pair = is_sensitive_name(str(value.get("name", ""))) and "value" in value
        for key, inner in value.items():
            at = (*path, str(key))
            if self._omit_managed_fields and key == "managedFields" and path[-1:] == ("metadata",):
                continue
            if is_secret and key in ("data", "stringData"):
                out[key] = self._values(inner, is_base64=key == "data")
            elif key == LAST_APPLIED and isinstance(inner, str):
                out[key] = self._applied(inner, is_secret=is_secret)
            elif (
                not isinstance(inner, Mapping | list) and inner is not None and self._is_secret(str(key), is_token)
            ) or (is_sensitive_pair and key == "value"):
                out[key] = self._hash(inner)
            elif isinstance(inner, Mapping) and "kind" in inner:
                out[key] = self._object(inner, at)
            else:
                out[key] = self._walk(inner, at, is_secret=is_secret, is_token=is_token)
        return out

    def _is_secret(self, name: str, is_token: bool) -> bool:
        return is_sensitive_name(name) or (is_token and name == "token")

    def _list(self, value: list[Any], path: Path, *, is_secret: bool, is_token: bool) -> list[Any]:
        out: list[Any] = []
        option = False
        for item in value:
            at = (*path, "*")
            if option and isinstance(item, str):
                out.append(self._hash(item))
                option = False
                continue
            option = isinstance(item, str) and item.startswith("-") and "=" not in item and is_sensitive_name(item)
            if isinstance(item, Mapping) and "kind" in item:
                out.append(self._object(item, at, is_secret=is_secret, is_token=is_token))
            else:
                out.append(self._walk(item, at, is_secret=is_secret, is_token=is_token))
        return out

    def _values(self, value: Any, *, is_base64: bool) -> Any:
        """A Secret's: the same value has the same hash in `data` and in `stringData`."""
        if not isinstance(value, Mapping):
            return None if value is None else self._hash(value)
        return {
            key: None if one is None else self._hash(_decoded(one) if is_base64 else one) for key, one in value.items()
        }

    def _applied(self, text: str, *, is_secret: bool) -> str:
        try:
            return orjson.dumps(self._object(orjson.loads(text), (), is_secret=is_secret)).decode()
        except (orjson.JSONDecodeError, orjson.JSONEncodeError):
            return self._hash(text)

    def _operation(self, item: Mapping[str, Any], resource: str) -> dict[str, Any]:
        """Of a JSON Patch (RFC 6902): what its path ends in decides."""
        parts = [part.replace("~1", "/").replace("~0", "~") for part in str(item.get("path", "")).split("/")[1:]]
        out = dict(item)
        if "value" not in item:
            return out
        value, in_secret = item["value"], resource == "secrets"
        if in_secret and parts[:1] in (["data"], ["stringData"]) and len(parts) > 1:
            out["value"] = self._hash(_decoded(value) if parts[0] == "data" else value)
        elif in_secret and parts[:1] in (["data"], ["stringData"]):
            out["value"] = self._values(value, is_base64=parts[0] == "data")
        elif parts and is_sensitive_name(parts[-1]) and not isinstance(value, Mapping | list):
            out["value"] = self._hash(value)
        elif parts[-1:] == [LAST_APPLIED] and isinstance(value, str):
            out["value"] = self._applied(value, is_secret=in_secret)
        else:
            whole = in_secret and not parts
            out["value"] = self._walk(value, tuple(parts), is_secret=whole, is_token=False)
        return out

    def _text(self, text: str) -> str:
        text = _ANYWHERE.sub(lambda found: self._hash(found[0]), text)
        if "=" not in text and "-" not in text:
            return text
        text = _ASSIGNED.sub(
            lambda found: (
                f"{found[1]}={self._hash(found[2].strip(chr(34) + chr(39)))}"
                if is_sensitive_name(found[1])
                else found[0]
            ),
            text,
        )
        return _OPTION.sub(
            lambda found: (
                f"{found[1]}{found[2]}{self._hash(found[3])}"
                if is_sensitive_name(found[1]) and not found[3].startswith("hmac:")
                else found[0]
            ),
            text,
        )


def is_sensitive_name(name: str) -> bool:
    """Whether something of this name is taken for a secret: by how it ends, whatever separates its words."""
    plain = _WORD.sub("", name.lower())
    return plain.endswith(_ENDS) and plain not in _NO_SECRETS


def _is_operation(item: Any) -> bool:
    return isinstance(item, Mapping) and isinstance(item.get("op"), str) and isinstance(item.get("path"), str)


def _spelled(value: Any) -> str:
    try:
        return json.dumps(value, sort_keys=True, default=str)
    except (RecursionError, TypeError):  # nested a thousand times, or with keys that cannot be sorted
        return "(not to be spelled)"


def _decoded(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return base64.b64decode(value, validate=True).decode("utf-8", "surrogateescape")
    except (binascii.Error, ValueError):
        return value


def _on(pattern: Path, path: Path) -> bool:
    return len(pattern) == len(path) and all(one in ("*", part) for one, part in zip(pattern, path, strict=True))

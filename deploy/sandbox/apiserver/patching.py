"""One PATCH: the patch type that its media type names, applied to an object's JSON."""

from __future__ import annotations

import json
from typing import Any

import yaml

from deploy.sandbox.apiserver.json_patch import Inapplicable, json_patch
from deploy.sandbox.apiserver.kinds import Object
from deploy.sandbox.apiserver.merge_patch import merge_patch
from deploy.sandbox.apiserver.problem import Problem, bad_request
from deploy.sandbox.apiserver.strategic_patch import NoMergeKey, WrongType, strategic_patch

JSON = "application/json-patch+json"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"
_ERRONEOUS = "the server rejected our request due to an error in our request"


def read_patch(media_type: str, body: bytes) -> Any:
    """A list for a JSON patch, an object for all others. Raises Problem 400, 415."""
    if media_type not in (JSON, MERGE, STRATEGIC, APPLY):
        raise Problem(415, "UnsupportedMediaType", "415: Unsupported Media Type", {})
    try:
        patch = yaml.safe_load(body) if media_type == APPLY else json.loads(body)
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        raise bad_request(f"error decoding patch: {decoding(error)}") from error
    wanted, into = (list, "[]handlers.jsonPatchOp") if media_type == JSON else (dict, "map[string]interface {}")
    if not isinstance(patch, wanted):
        what = "array" if isinstance(patch, list) else "object" if isinstance(patch, dict) else "value"
        raise bad_request(f"error decoding patch: json: cannot unmarshal {what} into Go value of type {into}")
    return patch


def decoding(error: Exception) -> str:
    """What is wrong with JSON, in Go's words where it merely ends too early."""
    if isinstance(error, json.JSONDecodeError) and error.pos >= len(error.doc.rstrip()):
        return "unexpected end of JSON input"
    return str(error)


def patched(kind: str, media_type: str, old: Object, patch: Any) -> Object:
    """The patched object, neither shaped nor checked. Raises Problem 422, 500. Not for server-side apply."""
    try:
        if media_type == JSON:
            result = json_patch(old, patch)
        elif media_type == MERGE:
            result = merge_patch(old, patch)
        else:
            result = strategic_patch(kind, old, patch)
    except Inapplicable as error:
        raise Problem(422, "Invalid", _ERRONEOUS, {}) from error
    except NoMergeKey as error:
        raise Problem(500, "", str(error)) from error
    except (WrongType, TypeError, AttributeError) as error:
        raise Problem(422, "Invalid", _ERRONEOUS, {}) from error
    if not isinstance(result, dict) or not isinstance(result.get("metadata"), dict):
        raise Problem(422, "Invalid", _ERRONEOUS, {})
    return result

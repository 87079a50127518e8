"""From what a client sent to what may be stored: read, shaped, filled in, checked. Every object passes here.

Bodies are JSON, YAML or Kubernetes' protobuf. `field_validation` is Strict, Warn or Ignore, as in the request's
parameter of that name: what is done about fields that no type has.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import yaml

from deploy.sandbox.apiserver import protobuf
from deploy.sandbox.apiserver.defaults import fill
from deploy.sandbox.apiserver.kinds import Kind, Object
from deploy.sandbox.apiserver.patching import decoding
from deploy.sandbox.apiserver.problem import Problem, bad_request, invalid
from deploy.sandbox.apiserver.shape import Mismatch, Shaped, shape
from deploy.sandbox.apiserver.validation import mistakes

MEDIA_TYPES = ("application/json", "application/yaml", "application/vnd.kubernetes.protobuf")


@dataclass(frozen=True, slots=True)
class Admitted:
    """The object, and sentences for the Warning header."""

    object: Object
    warnings: tuple[str, ...] = ()


def read(kind: str, media_type: str, body: bytes) -> Object:
    """The body as an object of this kind, not yet shaped. Raises Problem 400, 415."""
    if media_type not in MEDIA_TYPES and media_type:
        accepted = ", ".join(MEDIA_TYPES)
        message = f"the body of the request was in an unknown format - accepted media types include: {accepted}"
        raise Problem(415, "UnsupportedMediaType", message)
    try:
        value = _decoded(kind, media_type, body)
    except protobuf.Unreadable as error:
        raise bad_request(f"{kind} cannot be read: {error}") from error
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        shown = body[:200].decode(errors="replace") or "<empty>"
        message = f"the object provided is unrecognized (must be of type {kind}): couldn't get version/kind; "
        raise bad_request(f"{message}json parse error: {decoding(error)} ({shown})") from error
    if not isinstance(value, dict):
        raise bad_request(f"the object provided is unrecognized (must be of type {kind}): it is no object")
    return value


def _decoded(kind: str, media_type: str, body: bytes) -> Any:
    if media_type == "application/vnd.kubernetes.protobuf":
        return protobuf.read(body, kind)
    if media_type == "application/yaml":
        return yaml.safe_load(body)
    return json.loads(body)


def shaped(kind: Kind, value: Object, field_validation: str = "Ignore", *, is_patched: bool = False) -> Admitted:
    """Its fields as the type has them. Raises Problem 400; 422 for what a patch made of a sound object."""
    about = f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}'
    given = value.get("kind") or kind.kind, value.get("apiVersion") or kind.api_version
    if given != (kind.kind, kind.api_version):
        version = str(given[1]).rpartition("/")[2]
        raise bad_request(f'{given[0]} in version "{version}" cannot be handled as a {kind.kind}: unknown conversion')
    try:
        found: Shaped = shape(kind.kind, value)
    except Mismatch as error:
        if is_patched:
            raise _misshapen(value, str(error)) from error
        raise bad_request(f"{about}: {error}") from error
    unknown = [f'unknown field "{path}"' for path in found.unknown]
    if unknown and field_validation == "Strict":
        strict = f"strict decoding error: {', '.join(unknown)}"
        raise _misshapen(value, strict) if is_patched else bad_request(f"{about}: {strict}")
    return Admitted(found.object, tuple(unknown) if field_validation == "Warn" else ())


def _misshapen(value: Object, why: str) -> Problem:
    shown = json.dumps(json.dumps(value, separators=(",", ":")))
    said = f"Invalid value: {shown}: {why}"
    causes = [{"reason": "FieldValueInvalid", "message": said, "field": "patch"}]
    return Problem(422, "Invalid", f' "" is invalid: patch: {said}', {"causes": causes})


def admitted(kind: Kind, o: Object, old: Object | None = None) -> Object:
    """A shaped object with its defaults, checked. Raises Problem 422. The argument is filled in place."""
    if old is None:
        o.pop("status", None)
        o = shape(kind.kind, o).object
    fill(kind, o)
    found = mistakes(kind, o, old)
    if found:
        raise invalid(kind, o["metadata"].get("name", ""), found)
    return o

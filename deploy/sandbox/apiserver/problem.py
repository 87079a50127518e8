"""Answers that say no: `Problem` carries the Status, worded as the API server words it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from deploy.sandbox.apiserver.kinds import Kind

Object = dict[str, Any]


class Problem(Exception):  # noqa: N818 - a Kubernetes Status, not an error of ours
    """A Status to answer with, its HTTP status code in `code`."""

    def __init__(self, code: int, reason: str, message: str, details: Object | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.status: Object = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
        self.status |= {"message": message, **({"reason": reason} if reason else {})}
        if details is not None:
            self.status["details"] = details
        self.status["code"] = code


@dataclass(frozen=True, slots=True)
class Cause:
    """One thing that is wrong with an object: `reason` is a CauseType of metav1, `field` a path into the object."""

    reason: str
    message: str
    field: str

    @classmethod
    def required(cls, field: str, detail: str = "") -> Cause:
        return cls("FieldValueRequired", f"Required value: {detail}" if detail else "Required value", field)

    @classmethod
    def invalid(cls, field: str, value: str, detail: str) -> Cause:
        """`value` as JSON, which is how the API server shows it."""
        return cls("FieldValueInvalid", f"Invalid value: {value}: {detail}", field)


def details(kind: Kind, name: str) -> Object:
    """Who a Status is about."""
    group = {"group": kind.group} if kind.group else {}
    return {"name": name, **group, "kind": kind.resource}


def bad_request(message: str) -> Problem:
    return Problem(400, "BadRequest", message)


def not_found(kind: Kind, name: str) -> Problem:
    return Problem(404, "NotFound", f'{kind.qualified} "{name}" not found', details(kind, name))


def no_such_resource() -> Problem:
    return Problem(404, "NotFound", "the server could not find the requested resource", {})


def not_allowed() -> Problem:
    message = "the server does not allow this method on the requested resource"
    return Problem(405, "MethodNotAllowed", message, {})


def already_exists(kind: Kind, name: str) -> Problem:
    return Problem(409, "AlreadyExists", f'{kind.qualified} "{name}" already exists', details(kind, name))


def conflict(kind: Kind, name: str, why: str = "") -> Problem:
    why = why or "the object has been modified; please apply your changes to the latest version and try again"
    message = f'Operation cannot be fulfilled on {kind.qualified} "{name}": {why}'
    return Problem(409, "Conflict", message, details(kind, name))


def deleted_conflict(kind: Kind, name: str, why: str) -> Problem:
    """A deletion's precondition that does not hold: worded with the kind's name, unlike all others."""
    what = f"{kind.kind}.{kind.group}" if kind.group else kind.kind
    message = f'Operation cannot be fulfilled on {what} "{name}": {why}'
    return Problem(409, "Conflict", message, details(kind, name) | {"kind": kind.kind})


def invalid(kind: Kind, name: str, causes: list[Cause]) -> Problem:
    """422 with all causes."""
    said = [f"{cause.field}: {cause.message}" for cause in causes]
    listed = ", ".join(said)
    what = f"{kind.kind}.{kind.group}" if kind.group else kind.kind
    message = f'{what} "{name}" is invalid: {said[0] if len(said) == 1 else f"[{listed}]"}'
    about = details(kind, name) | {"kind": kind.kind}
    if not name:
        del about["name"]
    about["causes"] = [{"reason": c.reason, "message": c.message, "field": c.field} for c in causes]
    return Problem(422, "Invalid", message, about)


def expired(message: str) -> Problem:
    return Problem(410, "Expired", message)


def forbidden(kind: Kind, name: str, why: str) -> Problem:
    return Problem(403, "Forbidden", f'{kind.qualified} "{name}" is forbidden: {why}', details(kind, name))

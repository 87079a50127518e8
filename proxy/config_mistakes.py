"""Mistakes in a file that people write: where, what stands there, what was expected; all of them at once.

Turns what YAML and pydantic report into sentences. A value under a key that may hold a secret is never shown: somebody
who wrote the secret itself where its file was asked for finds it in no terminal and no log.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from auth.placed_yaml import Place, PlacedYaml

MAX_VALUE_CHARACTERS = 80
"""Of an offending value, this much is shown: it is recognised by its beginning."""

_SECRET_KEYS = re.compile(r"secret|password|token|key", re.IGNORECASE)
_EXPECTED = {
    "string_type": "text; put it in quotes if it looks like a number or a date",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "keys with values",
    "model_type": "a section: keys with values, indented below it",
    "model_attributes_type": "a section: keys with values, indented below it",
}


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake. `path` is dotted, `line` from 1 on or 0 for none, `value` as JSON and bounded, or empty."""

    file: str
    line: int
    path: str
    value: str
    expected: str

    def __str__(self) -> str:
        file = f"{self.file}:{self.line}" if self.line else self.file
        place = f"{file}: {self.path}" if self.path else file
        return (
            f"{place}: {self.value} is not accepted; expected {self.expected}"
            if self.value
            else (f"{place}: {self.expected}")
        )


class ConfigError(Exception):
    """A file that people write cannot be used. Nothing of it is in force."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(map(str, self.mistakes)))


def explain(
    error: ValidationError, document: PlacedYaml, data: object, model: type[BaseModel], file: Path
) -> tuple[Mistake, ...]:
    """All that pydantic found wrong with `data`, in the order of the file. `data` is the document without its nulls."""
    found = []
    for detail in error.errors(include_url=False):
        path = _path_in_file(detail["loc"], data, missing=detail["type"] == "missing")
        section = section_at(model, path[:-1], data)
        expected = _expected(dict(detail), path, section)
        bare = detail["type"] in {"missing", "extra_forbidden", "union_tag_not_found"} or detail["input"] in (None, ())
        shown = detail["ctx"]["tag"] if detail["type"] == "union_tag_invalid" else detail["input"]
        value = "" if bare else _shown(path, shown)
        found.append(Mistake(str(file), document.line_of(path), dotted(path), value, expected))
    return tuple(sorted(found, key=lambda mistake: mistake.line))


def dotted(path: Place) -> str:
    """connectors[0].issuer"""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")


def section_at(model: type[BaseModel], path: Place, data: object) -> type[BaseModel] | None:
    """The model that describes the section of `data` at `path`; None where there is none."""
    section: type[BaseModel] | None = model
    for part in path:
        data = _child(data, part)
        if isinstance(part, str):
            known = section.model_fields.get(part) if section else None
            candidates = list(_models_in(known.annotation)) if known else []
            section = candidates[0] if len(candidates) == 1 else None
            union = candidates
        if section is None and isinstance(part, (int, str)):
            section = next((one for one in union if _fits(one, data)), None)
    return section


def _models_in(annotation: Any) -> Iterable[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models_in(inner)


def _fits(model: type[BaseModel], data: object) -> bool:
    """Whether the tag (`type`, `kind`) in `data` is the one of this member of a union."""
    for tag in ("type", "kind"):
        known = model.model_fields.get(tag)
        if known is not None and isinstance(data, Mapping):
            return data.get(tag) in get_args(known.annotation)
    return False


def _child(data: object, part: str | int) -> object:
    if isinstance(data, Mapping) and isinstance(part, str):
        return data.get(part)
    if isinstance(data, list) and isinstance(part, int) and part < len(data):
        return data[part]
    return None


def _path_in_file(location: tuple[str | int, ...], data: object, *, missing: bool) -> Place:
    """The location that pydantic gives, without what is not in the file: the tags of unions, the names of branches."""
    path: list[str | int] = []
    for index, part in enumerate(location):
        here = (isinstance(data, Mapping) and part in data) or (isinstance(data, list) and isinstance(part, int))
        last = index == len(location) - 1
        if here or (last and isinstance(data, Mapping) and (missing or isinstance(part, str))):
            path.append(part)
            data = _child(data, part)
    return tuple(path)


def _expected(detail: dict[str, Any], path: Place, section: type[BaseModel] | None) -> str:
    kind, context = str(detail["type"]), detail.get("ctx", {})
    if kind == "missing":
        field = section.model_fields.get(str(path[-1])) if section else None
        about = f": {_lower(field.description)}" if field is not None and field.description else ""
        return f"is missing{about}"
    if kind == "extra_forbidden":
        return _unknown_key(str(path[-1]), section)
    if kind == "value_error":
        return str(context["error"])
    if kind == "union_tag_not_found":
        return f"{context['discriminator'].strip(chr(39))} is missing; write which kind it is"
    if kind == "union_tag_invalid":
        return f"{context['discriminator'].strip(chr(39))} to be one of {context['expected_tags']}"
    if kind in {"literal_error", "enum"}:
        return f"one of {context['expected']}"
    return _EXPECTED.get(kind) or _lower(str(detail["msg"]).removeprefix("Input should be "))


def _unknown_key(key: str, section: type[BaseModel] | None) -> str:
    known = sorted(section.model_fields) if section else []
    near = difflib.get_close_matches(key, known, n=1)
    if near:
        return f"is not a key; did you mean {near[0]}?"
    return f"is not a key here; known are {', '.join(known)}" if known else "is not a key here"


def _lower(sentence: str) -> str:
    first = sentence.partition("\n")[0].strip()
    keep = len(first) > 1 and first[1].isupper()
    return first if keep else first[:1].lower() + first[1:]


def _shown(path: Place, value: object) -> str:
    if path and any(isinstance(part, str) and _SECRET_KEYS.search(part) for part in path[-1:]):
        return "the value (not shown)"
    text = json.dumps(value, ensure_ascii=True, default=str)
    return text if len(text) <= MAX_VALUE_CHARACTERS else f"{text[: MAX_VALUE_CHARACTERS - 1]}…"

"""The commented configuration that `kwit init` writes: every key, what it means, its default.

It is made from the model itself, so that no key can be missing. A line that begins with `#` and no blank is a
setting at its default; take the `#` away to change it.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from proxy.config import config_schema

_WIDTH = 110
_PLAIN = re.compile(r"[A-Za-z0-9._/][A-Za-z0-9._/:-]*")
_HEAD = """\
# The configuration of kwit. `kwit doctor -c THIS_FILE` says what is wrong with it, and with what it points to.
# A line that begins with "#" and no blank is a setting at its default; take the "#" away to change it.
# Durations: 90s, 5m, 10h. Sizes: 64KiB. Relative paths start at this file's directory. Secrets are never in this file.
"""

Values = Mapping[str, Any]


def render(values: Values) -> str:
    """The whole file: what `values` says is set, all else stands as a comment with its default."""
    schema = config_schema()
    return _HEAD + "\n".join(_Template(schema["$defs"]).section(schema, values, "")) + "\n"


class _Template:
    def __init__(self, definitions: Mapping[str, Any]) -> None:
        self._definitions = definitions

    def section(self, schema: Mapping[str, Any], values: Values, indent: str) -> Iterator[str]:
        for key, about in schema["properties"].items():
            if not indent:
                yield ""
            yield from _comment(about.get("description", ""), indent)
            yield from self._setting(key, about, values, indent)

    def _setting(self, key: str, about: Mapping[str, Any], values: Values, indent: str) -> Iterator[str]:
        inner = self._section_of(about)
        if inner is not None:
            yield f"{indent}{key}:"
            yield from self.section(inner, values.get(key) or {}, indent + "  ")
        elif isinstance(values.get(key), list) and "discriminator" in about.get("items", {}):
            yield f"{indent}{key}:"
            yield from self._tagged(about["items"], values[key], indent)
        elif key in values:
            yield f"{indent}{key}: {_flow(values[key])}"
        else:
            yield f"{indent}#{key}: {_flow(about.get('default'))}".rstrip()
            items = about.get("items", {})
            if "discriminator" in items:
                yield from self._kinds(items["discriminator"], indent)
            elif "properties" in (one := self._definition(items["$ref"]) if "$ref" in items else {}):
                yield from _comment(f"Each of them: {one.get('description', '')}", indent)
                yield from self._keys(one, "", indent)

    def _tagged(self, items: Mapping[str, Any], entries: Sequence[Values], indent: str) -> Iterator[str]:
        """A list of sections of several kinds, the tag first: it says which keys follow."""
        tag = items["discriminator"]["propertyName"]
        for entry in entries:
            schema = self._definition(items["discriminator"]["mapping"][entry[tag]])
            rest = {key: about for key, about in schema["properties"].items() if key != tag}
            yield f"{indent}  - {tag}: {_flow(entry[tag])}"
            yield from self.section({"properties": rest}, entry, indent + "    ")

    def _kinds(self, discriminator: Mapping[str, Any], indent: str) -> Iterator[str]:
        """What may stand in a list that is empty: each kind of section, as a comment."""
        for kind, reference in discriminator["mapping"].items():
            schema = self._definition(reference)
            yield from _comment(f"{discriminator['propertyName']}: {kind}. {schema.get('description', '')}", indent)
            yield from self._keys(schema, discriminator["propertyName"], indent)

    def _keys(self, schema: Mapping[str, Any], tag: str, indent: str) -> Iterator[str]:
        for key, about in schema["properties"].items():
            if key != tag:
                default = f" [{_flow(about['default'])}]" if about.get("default") is not None else ""
                yield from _comment(f"{key}: {about.get('description', '')}{default}", indent, "    ")

    def _section_of(self, about: Mapping[str, Any]) -> Mapping[str, Any] | None:
        candidates = [about, *about.get("anyOf", ()), *about.get("allOf", ())]
        for candidate in candidates:
            if "$ref" in candidate and "properties" in self._definition(candidate["$ref"]):
                return self._definition(candidate["$ref"])
        return None

    def _definition(self, reference: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self._definitions[reference.rpartition("/")[2]]
        return found


def _comment(description: str, indent: str, deeper: str = "") -> Iterator[str]:
    width = _WIDTH - len(indent) - len(deeper)
    for line in textwrap.wrap(description, width, break_on_hyphens=False, break_long_words=False):
        yield f"{indent}# {deeper}{line}"


def _flow(value: Any) -> str:
    """A value as YAML in one line: plain where it can be read as nothing else, as JSON otherwise."""
    if value is None:
        return ""
    if isinstance(value, str) and _PLAIN.fullmatch(value) and yaml.safe_load(value) == value:
        return value
    return json.dumps(value, ensure_ascii=False)

"""YAML of which every value knows its line, so that a mistake can be shown where it was written.

The subset is what people write by hand: mappings with text keys, lists, scalars of YAML 1.1's core. Refused, because a
reader could be misled by them: a key given twice, anchors and aliases, tags.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import yaml

MAX_CHARACTERS = 1 << 20
"""A thousand clusters are a tenth of this, a thousand roles a quarter; PyYAML needs about a second for it."""

Place = tuple[str | int, ...]
_T = TypeVar("_T")
_MAP, _SEQ = "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"


class YamlError(Exception):
    """The text is not YAML of the accepted subset. `line` and `column` count from 1."""

    def __init__(self, message: str, line: int, column: int = 1) -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.column = column


@dataclass(frozen=True, slots=True)
class PlacedYaml:
    """A document's value, and the line (from 1) of each key and list item by its path."""

    value: object
    lines: Mapping[Place, int]

    def line_of(self, path: Place) -> int:
        """The line of `path`, or of the nearest thing that contains it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


@dataclass(slots=True)
class _Placing:
    loader: yaml.SafeLoader
    lines: dict[Place, int] = field(default_factory=dict)
    seen: set[int] = field(default_factory=set)


def read_yaml(text: str) -> PlacedYaml:
    """The one document in `text`; an empty text is an empty mapping. Raises YamlError."""
    return _guarded(text, _single)


def read_documents(text: str) -> list[PlacedYaml]:
    """Every document in `text` that says something: a `---` with nothing behind it is none. Raises YamlError."""
    return _guarded(text, lambda loader: [document for document in _all(loader) if document.value is not None])


def _guarded(text: str, read: Callable[[yaml.SafeLoader], _T]) -> _T:
    """What `read` makes of the text. Raises YamlError for whatever goes wrong in the library."""
    if len(text) > MAX_CHARACTERS:
        raise YamlError(f"the file is longer than {MAX_CHARACTERS} characters", 1)
    try:
        loader = yaml.SafeLoader(text)  # it reads ahead: a control character fails here
        try:
            return read(loader)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        raise _from_library(error) from error
    except yaml.reader.ReaderError as error:
        before, what = text[: error.position], str(error).splitlines()[0]
        column = error.position - before.rfind("\n")
        raise YamlError(f"not YAML: {what}", before.count("\n") + 1, column) from error
    except (yaml.YAMLError, ValueError) as error:
        raise YamlError(f"not YAML: {error}", 1) from error
    except (AttributeError, LookupError, TypeError) as error:  # as PyYAML fails for `!!timestamp x` or `!!bool x`
        raise YamlError("not YAML: a value that its tag does not have", 1) from error
    except RecursionError as error:
        raise YamlError("nested too deeply", 1) from error


def _single(loader: yaml.SafeLoader) -> PlacedYaml:
    node = loader.get_single_node()
    return PlacedYaml({}, {(): 1}) if node is None else _document(loader, node)


def _all(loader: yaml.SafeLoader) -> Iterator[PlacedYaml]:
    while loader.check_node():
        node = loader.get_node()
        assert node is not None
        yield _document(loader, node)


def _document(loader: yaml.SafeLoader, node: yaml.Node) -> PlacedYaml:
    placing = _Placing(loader)
    return PlacedYaml(_value(placing, node, ()), placing.lines)


def _from_library(error: yaml.MarkedYAMLError) -> YamlError:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    return YamlError(f"not YAML: {error.problem or error.context or error}", line, column)


def _value(placing: _Placing, node: yaml.Node, path: Place) -> object:
    placing.lines.setdefault(path, node.start_mark.line + 1)
    if id(node) in placing.seen:
        raise _at(node, "anchors and aliases are not accepted; write the value out")
    placing.seen.add(id(node))
    if isinstance(node, yaml.MappingNode) and node.tag == _MAP:
        return {key: _value(placing, child, (*path, key)) for key, child in _pairs(placing, node, path)}
    if isinstance(node, yaml.SequenceNode) and node.tag == _SEQ:
        return [_value(placing, child, (*path, index)) for index, child in enumerate(node.value)]
    if isinstance(node, yaml.ScalarNode):
        return _scalar(placing.loader, node)
    raise _at(node, f"the tag {node.tag} is not accepted")


def _scalar(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> object:
    try:
        return loader.construct_object(node)
    except ValueError as error:  # a 13th month, a number of five thousand digits
        raise _at(node, f"not YAML: {error}") from error


def _pairs(placing: _Placing, node: yaml.MappingNode, path: Place) -> Iterator[tuple[str, yaml.Node]]:
    first: dict[str, int] = {}
    for key_node, child in node.value:
        if not isinstance(key_node, yaml.ScalarNode):
            raise _at(key_node, "a key must be plain text")
        key, line = str(key_node.value), key_node.start_mark.line + 1
        if key in first:
            raise _at(key_node, f"the key {key!r} stands twice, first in line {first[key]}; keep one")
        first[key] = line
        placing.lines[(*path, key)] = line
        yield key, child


def _at(node: yaml.Node, message: str) -> YamlError:
    return YamlError(message, node.start_mark.line + 1, node.start_mark.column + 1)

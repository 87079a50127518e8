from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from auth.placed_yaml import read_yaml
from proxy.config_mistakes import MAX_VALUE_CHARACTERS, ConfigError, Mistake, dotted, explain, section_at


class Cat(BaseModel):
    model_config = ConfigDict(extra="forbid")
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    model_config = ConfigDict(extra="forbid")
    kind: Literal["dog"]
    name: str


class House(BaseModel):
    model_config = ConfigDict(extra="forbid")
    first: Cat | None = None
    pets: list[Annotated[Cat | Dog, Field(discriminator="kind")]] = []
    door_key: int = 0


def explained(text: str) -> list[Mistake]:
    document = read_yaml(text)
    with pytest.raises(ValidationError) as refused:
        House.model_validate(document.value)
    return list(explain(refused.value, document, document.value, House, Path("house.yaml")))


def test_a_mistake_is_one_line_that_names_the_place():
    assert str(Mistake("f.yaml", 3, "a.b", '"x"', "text")) == 'f.yaml:3: a.b: "x" is not accepted; expected text'
    assert str(Mistake("f.yaml", 3, "a.b", "", "is missing")) == "f.yaml:3: a.b: is missing"
    assert str(Mistake("f.yaml", 3, "", "", "is not YAML")) == "f.yaml:3: is not YAML"


def test_an_error_has_one_line_for_each_mistake():
    mistakes = [Mistake("f", 1, "a", "", "x"), Mistake("f", 2, "b", "", "y")]
    error = ConfigError(iter(mistakes))
    assert (str(error), error.mistakes) == ("f:1: a: x\nf:2: b: y", tuple(mistakes))


def test_paths_are_as_in_the_file_without_the_tags_of_unions():
    assert explained("pets:\n  - kind: cat\n    lives: nine\n  - kind: dog\n    nam: Rex\n") == [
        Mistake("house.yaml", 3, "pets[0].lives", '"nine"', "a whole number"),
        Mistake("house.yaml", 4, "pets[1].name", "", "is missing"),
        Mistake("house.yaml", 5, "pets[1].nam", "", "is not a key; did you mean name?"),
    ]


def test_mistakes_come_in_the_order_of_the_file():
    found = explained("zzz: 1\nfirst: {kind: cat, lives: x}\n")
    assert [(mistake.line, mistake.path) for mistake in found] == [(1, "zzz"), (2, "first.lives")]


def test_an_unknown_key_with_no_near_one_lists_what_is_known():
    (mistake,) = explained("qqqqqq: 1\n")
    assert mistake.expected == "is not a key here; known are door_key, first, pets"


def test_long_values_are_cut_and_values_of_keys_are_hidden():
    (mistake,) = explained(f"pets: [{{kind: cat, lives: {'x' * 500}}}]\n")
    assert len(mistake.value) == MAX_VALUE_CHARACTERS
    (mistake,) = explained("door_key: hunter2\n")
    assert mistake.value == "the value (not shown)"


def test_values_cannot_carry_escapes_into_a_terminal():
    (mistake,) = explained('pets: [{kind: cat, lives: "\\e[2J\\u202e"}]\n')
    assert mistake.value == '"\\u001b[2J\\u202e"'


def test_the_model_of_a_section_is_found_through_lists_and_unions():
    data = {"pets": [{"kind": "dog"}, {"kind": "bird"}], "first": {}}
    found = [section_at(House, path, data) for path in [(), ("pets", 0), ("pets", 1), ("first",), ("nothing",)]]
    assert found == [House, Dog, None, Cat, None]


def test_a_path_is_dotted_with_brackets_for_items():
    assert dotted(("a", 0, "b", 1)) == "a[0].b[1]"

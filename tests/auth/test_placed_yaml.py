import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from auth.placed_yaml import MAX_CHARACTERS, PlacedYaml, YamlError, read_documents, read_yaml

texts = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-1000, 1000) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(texts, values, max_size=5), st.booleans())
def test_reads_what_a_yaml_writer_writes(value, flow):
    assert read_yaml(yaml.safe_dump(value, default_flow_style=flow)).value == value


def test_every_key_and_item_has_the_line_it_was_written_in():
    text = "a: 1\nb:\n  c: 2\n  d:\n    - x\n    - e: 3\n"
    assert read_yaml(text) == PlacedYaml(
        {"a": 1, "b": {"c": 2, "d": ["x", {"e": 3}]}},
        {
            (): 1,
            ("a",): 1,
            ("b",): 2,
            ("b", "c"): 3,
            ("b", "d"): 4,
            ("b", "d", 0): 5,
            ("b", "d", 1): 6,
            ("b", "d", 1, "e"): 6,
        },
    )


def test_what_is_not_there_has_the_line_of_what_would_contain_it():
    document = read_yaml("a:\n  b:\n    c: 1\n")
    assert [document.line_of(path) for path in [("a", "b", "x", 3), ("a", "x"), ("x",)]] == [2, 1, 1]


def test_an_empty_file_is_an_empty_mapping():
    assert read_yaml("# nothing\n") == PlacedYaml({}, {(): 1})


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "the key 'a' stands twice, first in line 1; keep one"),
        ("a: &x 1\nb: *x\n", 1, "anchors and aliases are not accepted; write the value out"),
        ("a: [1\n", 2, "not YAML: expected ',' or ']', but got '<stream end>'"),
        ("a: !!set {x}\n", 1, "the tag tag:yaml.org,2002:set is not accepted"),
        ("? [a]\n: 1\n", 1, "a key must be plain text"),
        ("a: 1\n---\nb: 1\n", 2, "not YAML: but found another document"),
        ("a: " + "[" * 5000, 1, "nested too deeply"),
        ("#" * (MAX_CHARACTERS + 1), 1, f"the file is longer than {MAX_CHARACTERS} characters"),
    ],
)
def test_what_could_mislead_a_reader_is_refused_with_its_line(text, line, message):
    with pytest.raises(YamlError) as refused:
        read_yaml(text)
    assert (refused.value.line, refused.value.message) == (line, message)


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("a: 1\nb: [x, \x07]\n", (2, 8), "not YAML: unacceptable character #x0007: special characters are not allowed"),
        ("\x00", (1, 1), "not YAML: unacceptable character #x0000: special characters are not allowed"),
        ("a: 1\nb: 2026-13-01\n", (2, 4), "not YAML: month must be in 1..12"),
        ("a: 1\nb: {c: " + "9" * 5000 + "}\n", (2, 8), "not YAML: Exceeds the limit (4300 digits) for integer string"),
        ("a: 1\n  b: 2\n", (2, 4), "not YAML: mapping values are not allowed here"),
        ("a: 1\nb: &x 1\nc: *x\n", (2, 4), "anchors and aliases are not accepted; write the value out"),
    ],
)
def test_a_mistake_has_line_and_column(text, place, message):
    with pytest.raises(YamlError) as refused:
        read_yaml(text)
    assert ((refused.value.line, refused.value.column), refused.value.message[: len(message)]) == (place, message)


def test_every_document_that_says_something_is_read_with_its_own_lines():
    text = "---\n# nothing\n---\na: 1\n---\n- b\n- c: 2\n---\n"
    assert read_documents(text) == [
        PlacedYaml({"a": 1}, {(): 4, ("a",): 4}),
        PlacedYaml(["b", {"c": 2}], {(): 6, (0,): 6, (1,): 7, (1, "c"): 7}),
    ]
    assert read_documents("# nothing\n") == read_documents("") == []


def test_one_broken_document_spoils_the_file():
    with pytest.raises(YamlError) as refused:
        read_documents("a: 1\n---\nb: [\n")
    assert refused.value.line == 4


@given(st.lists(values.filter(lambda value: value is not None), max_size=3))
def test_reads_documents_that_a_yaml_writer_writes(several):
    text = yaml.safe_dump_all(several, explicit_start=True)
    assert [document.value for document in read_documents(text)] == several


@pytest.mark.parametrize("text", ["a: !!python/object:os.system x\n", "a: 2026-99-99\n", "a: \x00\n"])
def test_nothing_but_a_yaml_error_comes_out_of_a_bad_file(text):
    with pytest.raises(YamlError):
        read_yaml(text)


@pytest.mark.parametrize("text", ["a: !!timestamp x", "a: !!bool x"])
def test_a_value_that_its_tag_does_not_have_is_refused_and_not_a_crash_of_the_library(text):
    with pytest.raises(YamlError, match="a value that its tag does not have"):
        read_yaml(text)

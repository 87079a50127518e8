"""Claims about every page of help, at every depth of commands."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from proxy.cli.commands import group


def pages(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from pages(found, (*path, name))


PAGES = list(pages(group))


def page(path: tuple[str, ...], width: int) -> str:
    done = CliRunner().invoke(group, [*path, "--help"], prog_name="kwit", terminal_width=width)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.parametrize("path", PAGES, ids=" ".join)
def test_each_has_an_example_of_itself(path: tuple[str, ...]) -> None:
    text = page(path, 100)
    _, found, examples = text.partition("Example")
    assert found, text
    assert " ".join(("kwit", *path)) in examples


def typed(path: tuple[str, ...]) -> list[list[str]]:
    """The words of each example, without what a shell would do with them and what is said of them."""
    text = page(path, 100).partition("Example")[2].replace("\\\n", " ")
    lines = [line.strip() for line in text.splitlines() if line.strip().startswith("kwit ")]
    spoken = [re.split(r"(?<=\S)   +", line)[0] for line in lines]
    return [shlex.split(re.split(r" \| | > \S+$", line)[0])[1:] for line in spoken]


def parsed(words: list[str]) -> None:
    """Raises click.UsageError where an option or an argument is wrong."""
    command, rest = group, words
    while isinstance(command, click.Group):
        _, found, rest = command.resolve_command(click.Context(command), rest)
        assert found is not None
        command = found
    command.make_context("kwit", rest)


@pytest.mark.parametrize("path", PAGES, ids=" ".join)
def test_each_example_can_be_typed_as_it_is(
    path: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("recordings", "audit"):  # what examples name as there must be there
        (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path)
    for words in typed(path):
        parsed(words)


README = Path(__file__).parents[3] / "README.md"
SAID = [line.strip() for line in README.read_text().splitlines() if re.match(r" {4}kwit |\$ kwit ", line)]


@pytest.mark.parametrize("line", SAID)
def test_what_the_readme_says_can_be_typed_as_it_is(line: str) -> None:
    words = shlex.split(re.split(r" \| ", line.removeprefix("$ "))[0], comments=True)
    parsed(words[1:])


@pytest.mark.parametrize("path", PAGES, ids=" ".join)
def test_each_option_says_what_it_is_for(path: tuple[str, ...]) -> None:
    command: click.Command = group
    for name in path:
        assert isinstance(command, click.Group)
        found = command.get_command(click.Context(command), name)
        assert found is not None
        command = found
    assert command.help
    for parameter in command.params:
        if isinstance(parameter, click.Option) and not parameter.hidden:
            assert parameter.help, f"{' '.join(path)}: {parameter.opts[0]}"

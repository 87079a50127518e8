import click
from click.testing import CliRunner

from proxy.cli.help_pages import Family, examples


def test_lines_stay_as_they_are_however_narrow_the_terminal() -> None:
    one, two = "kwit this " + "x" * 60, "kwit that   # why"
    command = click.Command("c", help="Does it.", epilog=examples(one, two))
    shown = CliRunner().invoke(command, ["--help"], terminal_width=40).output
    assert f"\n  Examples:\n    {one}\n    {two}\n" in shown


def test_one_is_no_plural() -> None:
    assert examples("kwit x") == "\b\nExample:\n  kwit x\n"


def test_no_sentence_about_a_command_is_cut() -> None:
    long = "What one recording is of, how it ended, who made it, and the commands that were typed into it."
    family = Family("f", commands=[click.Command("one", help=f"{long}\n\nMore."), click.Command("two", help="Two.")])
    shown = CliRunner().invoke(family, ["--help"], terminal_width=40).output
    listed = " ".join(shown.partition("Commands:")[2].split())
    assert listed == f"one {long} two Two."

"""How the demo looks: headings, commands with what they said, claims with their verdict; as wide as the terminal is.

Colour and weight are click's, which leaves them out where the output is no terminal.
"""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Mapping

import click

from proxy.demo.engineer import Said
from recordings.audit.row import harmless

MAX_WIDTH = 100
"""Columns: longer lines of prose are not read."""
MAX_LINES = 24
"""Lines that are shown of one command."""

_GAP = "   "


def width() -> int:
    return min(MAX_WIDTH, shutil.get_terminal_size().columns)


def is_terminal() -> bool:
    return sys.stdout.isatty()


def heading(text: str) -> None:
    """The beginning of a part."""
    click.echo()
    click.secho(text, bold=True)


def prose(text: str) -> None:
    """A paragraph, with room above it."""
    click.echo()
    for line in textwrap.wrap(text, width() - 2, break_long_words=False, break_on_hyphens=False):
        click.secho(f"  {line}", dim=True)


def command(text: str, prompt: str = "$") -> None:
    """What is typed. It is never broken, so that it can be copied."""
    click.echo(f"  {click.style(prompt, fg='cyan')} {click.style(text, fg='cyan', bold=True)}")


def output(said: Said) -> None:
    """What came of it, each line harmless; on a terminal long sentences are broken, so that the margin stays."""
    lines = [harmless(line.expandtabs()) for line in (said.out + said.err).rstrip("\n").split("\n")]
    for line in lines[:MAX_LINES]:
        for part in _broken(line) if is_terminal() else [line]:
            click.secho(f"  {part}".rstrip(), fg="red" if said.code else None)
    if len(lines) > MAX_LINES:
        click.secho(f"  … and {len(lines) - MAX_LINES} lines more", dim=True)


def _broken(line: str) -> list[str]:
    if _GAP in line.strip():  # a table's: between the columns is no place to break it
        return [line]
    room = shutil.get_terminal_size().columns - 2
    return textwrap.wrap(line, room, subsequent_indent="  ", break_on_hyphens=False) or [""]


def pairs(rows: Mapping[str, str]) -> None:
    """What is where."""
    room = max(map(len, rows))
    for name, text in rows.items():
        click.echo(f"  {click.style(f'{name:<{room}}', dim=True)}  {text}")


def verdict(claim: str, problem: str = "") -> None:
    """One line for a claim; the problem below it."""
    mark = click.style("✗", fg="red", bold=True) if problem else click.style("✓", fg="green")
    click.echo(f"{mark} {claim}")
    if problem:
        click.secho(textwrap.indent(problem, "    "), fg="red")


def note(text: str) -> None:
    """A line beside the story, to standard error."""
    click.secho(text, dim=True, err=True)

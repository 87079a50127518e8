"""What pages of help have in common: lines to type at their end, and whole sentences about their commands."""

from __future__ import annotations

import click

WHOLE = 1000
"""Characters of a command's first sentence in a list: more than any has, so that none is cut."""


def examples(*lines: str) -> str:
    """An `epilog` for click, whose mark (a backspace) keeps it from filling lines."""
    title = "Example" if len(lines) == 1 else "Examples"
    return "\b\n" + "".join(f"{line}\n" for line in (f"{title}:", *(f"  {line}" for line in lines)))


class Family(click.Group):
    """A group of commands whose list is filled and not cut."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        found = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl([(name, one.get_short_help_str(WHOLE)) for name, one in found if one is not None])

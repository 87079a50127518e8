"""`kwit doctor`: what is wrong with config, clock, disk, providers, clusters, permissions; each with the fix."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from proxy.cli.help_pages import examples
from proxy.cli.output import structured
from proxy.finding import Finding, Level, fail, ok

_COLOURS = {Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "red"}


@click.command("doctor", epilog=examples("kwit doctor -c /etc/kwit/kwit.yaml"))
@click.option(
    "-c",
    "--config",
    "path",
    type=click.Path(path_type=Path),
    default=Path("kwit.yaml"),
    show_default=True,
    help="The configuration of the installation.",
)
@click.option(
    "-o", "--output", "form", type=click.Choice(["table", "json", "yaml"]), default="table", help="How to show it."
)
def command(path: Path, form: str) -> int:
    """Look at an installation and say what is wrong, each with its fix.

    Exit code 1 when something fails.
    """
    findings = look(path)
    if form == "table":
        click.echo(table(findings), nl=False)
    else:
        click.echo(structured([asdict(finding) for finding in findings], form))
    return int(any(finding.level is Level.FAIL for finding in findings))


def look(path: Path) -> list[Finding]:
    """Everything that can be found out about the configuration at `path` and what it points to."""
    from proxy.checkup import examine
    from proxy.config import Config, ConfigError

    try:
        config = Config.load(path)
    except ConfigError as error:
        fix = "mend it and run kwit doctor again; nothing else was looked at"
        return [fail("config", str(mistake), fix) for mistake in error.mistakes]
    now = time.time()  # noqa: TID251 - a command is where the clock comes from
    environ = os.environ  # noqa: TID251 - and the environment
    return [ok("config", f"{path} is in order"), *asyncio.run(examine(config, now, environ))]


def table(findings: Sequence[Finding]) -> str:
    """A line for each finding, and below it the fix, where there is one."""
    width = max(len(finding.subject) for finding in findings)
    lines = []
    for finding in findings:
        level = click.style(f"{finding.level.value:<4}", fg=_COLOURS[finding.level])
        lines.append(f"{level}  {finding.subject:<{width}}  {_printable(finding.message)}\n")
        if finding.fix:
            lines.append(f"{'':<{width + 8}}→ {_printable(finding.fix)}\n")
    return "".join([*lines, _summary(findings)])


def _summary(findings: Sequence[Finding]) -> str:
    fails = sum(finding.level is Level.FAIL for finding in findings)
    warns = sum(finding.level is Level.WARN for finding in findings)
    if not fails and not warns:
        return "Everything that was looked at is in order.\n"
    return f"{fails} to mend, {warns} to think about.\n"


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)

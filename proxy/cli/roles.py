"""`kwit roles lint`: every mistake in a folder of role files, and what is hardly meant, each with file and line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from proxy.cli.client.problem import Problem
from proxy.cli.help_pages import Family, examples
from proxy.cli.output import structured
from proxy.finding import Finding, Level, fail, ok, warn

if TYPE_CHECKING:
    from auth.rbac import RoleBinding

CONFIG = Path("kwit.yaml")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What roles are read against. No connectors: whichever the bindings name, for a folder without a configuration."""

    directory: Path
    connectors: tuple[str, ...] = ()
    system_names: frozenset[str] = frozenset()


LINT = "kwit roles lint roles/ --connector corp"


@click.group("roles", cls=Family, epilog=examples(LINT))
def command() -> None:
    """Check roles."""


@command.command("lint", epilog=examples(LINT, "kwit roles lint -c /etc/kwit/kwit.yaml --strict"))
@click.argument("directory", required=False, type=click.Path(path_type=Path, file_okay=False))
@click.option("-c", "--config", type=click.Path(path_type=Path), help=f"The configuration  [default: {CONFIG}]")
@click.option("--connector", "connectors", multiple=True, help="A connector's name, instead of a configuration.")
@click.option("--system-name", "system_names", multiple=True, help="A `system:` name that some cluster accepts.")
@click.option("--strict", is_flag=True, help="Doubts fail, too.")
@click.option(
    "-o", "--output", "form", type=click.Choice(["table", "json", "yaml"]), default="table", help="How to show it."
)
def lint(
    *,
    directory: Path | None,
    config: Path | None,
    connectors: tuple[str, ...],
    system_names: tuple[str, ...],
    strict: bool,
    form: str,
) -> int:
    """Read the roles as the server would: those of the configuration, or of DIRECTORY without one.

    Exit code 1 when something is wrong.
    """
    if directory is not None and config is None:
        around = Surroundings(directory, connectors, frozenset(system_names))
    elif connectors or system_names:
        raise click.UsageError("--connector and --system-name go with DIRECTORY, and with no --config")
    else:
        around = _configured(config or CONFIG, directory)
    findings = look(around)
    if form == "table":
        from proxy.cli.doctor import table

        click.echo(table(findings), nl=False)
    else:
        click.echo(structured([asdict(finding) for finding in findings], form))
    worst = (Level.FAIL, Level.WARN) if strict else (Level.FAIL,)
    return int(any(finding.level in worst for finding in findings))


def look(around: Surroundings) -> list[Finding]:
    """Everything that can be said of the roles."""
    from auth.rbac import PolicyError, compile_policy
    from auth.rbac.doubts import doubts
    from auth.role_files import compile_condition, load

    try:
        roles, bindings = load(around.directory)
        connectors = around.connectors or _named(bindings)
        compile_policy(
            roles, bindings, connectors, allowed_system_names=around.system_names, condition=compile_condition
        )
    except PolicyError as error:
        return [fail("roles", mistake, "") for mistake in error.mistakes]
    found = [warn("roles", doubt, "") for doubt in doubts(roles, bindings)]
    if not roles or not bindings:
        what = "no role" if not roles else "no binding"
        found.append(warn("roles", f"there is {what} in {around.directory}, so every request is refused", ""))
    return found or [ok("roles", f"{_count(roles, 'role')}, {_count(bindings, 'binding')}")]


def _configured(path: Path, directory: Path | None) -> Surroundings:
    from proxy.clusters import ClusterRegistry
    from proxy.config import Config, ConfigError

    try:
        config = Config.load(path)
        clusters = ClusterRegistry.load(config.clusters_dir)
    except ConfigError as error:
        raise Problem(f"the configuration cannot be used; `kwit roles lint DIRECTORY` needs none:\n{error}") from error
    names = frozenset(name for cluster in clusters for name in cluster.allowed_system_names)
    return Surroundings(directory or config.roles_dir, tuple(one.name for one in config.connectors), names)


def _named(bindings: Iterable[RoleBinding]) -> tuple[str, ...]:
    """The connectors that subjects name; one without a name, where none is named."""
    named = {subject.connector for binding in bindings for subject in binding.subjects if subject.connector}
    return tuple(sorted(named)) or ("(the only one)",)


def _count(things: Sequence[object], what: str) -> str:
    return f"{len(things)} {what}" + ("" if len(things) == 1 else "s")

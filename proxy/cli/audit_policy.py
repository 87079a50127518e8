"""`kwit audit policy`: what the audit policy makes of a command, of itself, of the past, and of a cluster behind us."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from proxy.cli.audit_place import DEFAULT_CONFIG, place, place_options, reading
from proxy.cli.client.problem import Problem
from proxy.cli.help_pages import Family, examples
from proxy.cli.output import Column, show, structured

if TYPE_CHECKING:
    from proxy.kubectl_command import Asked
    from recordings.audit.policy.level import Level
    from recordings.audit.policy.policy import AuditPolicy, Decided

_FORMS = click.Choice(["table", "json", "yaml"])

_POLICY = click.option(
    "--policy", "policy_name", metavar="FILE|PROFILE", help="A policy instead of the configuration's  [default: proxy]"
)


EXPLAIN = 'kwit audit policy explain "kubectl delete secret x -n y"'
SHOW = "kwit audit policy show gce > mine.yaml   one to begin with"
LINT = "kwit audit policy lint mine.yaml"


@click.group("policy", cls=Family, epilog=examples(EXPLAIN, SHOW, LINT))
def command() -> None:
    """What is recorded in which detail, exported and shown.

    The log itself holds every request at Metadata or more. Profiles: proxy, gce, cis, falco, metadata.
    """


@command.command("show", epilog=examples("kwit audit policy show   the one that is in force", SHOW))
@click.argument("policy_name", metavar="[FILE|PROFILE]", required=False)
def show_(*, policy_name: str | None) -> int:
    """Print a policy as it is written."""
    from proxy.audit_policy_file import PROFILES, policy_text

    name = policy_name or configured()
    click.echo(policy_text(name) if name in PROFILES else Path(name).read_text(encoding="utf-8"), nl=False)
    return 0


@command.command(
    "explain", epilog=examples(EXPLAIN, 'kwit audit policy explain "kubectl exec -it web -- sh" --policy cis')
)
@click.argument("kubectl", metavar='"KUBECTL COMMAND"')
@_POLICY
@click.option("--user", default="", help="Who asks, by username.")
@click.option("--group", "groups", multiple=True, help="A group of theirs; may be given several times.")
@click.option("-o", "--output", "form", type=_FORMS, default="table", help="How to show it.")
def explain(*, kubectl: str, policy_name: str | None, user: str, groups: tuple[str, ...], form: str) -> int:
    """Say what would be recorded of a kubectl command, request by request."""
    from proxy.kubectl_command import KubectlCommandError, requests_of
    from recordings.audit.policy.rule import PolicyAttributes

    policy = load(policy_name)
    try:
        asked = requests_of(kubectl)
    except KubectlCommandError as error:
        raise Problem(str(error), exit_code=2) from error
    rows = []
    for one in asked:
        attributes = PolicyAttributes(
            user,
            frozenset(groups),
            one.verb,
            is_resource_request=True,
            api_group=one.resource.api_group,
            resource=one.resource.plural,
            subresource=one.subresource,
            namespace=one.namespace,
            name=one.name,
        )
        rows.append(_explained(one, policy, policy.decide(attributes)))
    columns = [
        Column("REQUEST", "request"),
        Column("RULE", "rule"),
        Column("LEVEL", "level"),
        Column("IN THE LOG", "log"),
        Column("EXPORTED", "exported"),
    ]
    click.echo(show(rows, columns, form, 0.0), nl=False)
    return 0


def _explained(asked: Asked, policy: AuditPolicy, decided: Decided) -> dict[str, str]:
    from recordings.audit.policy.level import Level

    exported = "no" if decided.level is Level.NONE else "yes"
    if decided.omit_stages and decided.level is not Level.NONE:
        exported = f"yes, but {', '.join(sorted(decided.omit_stages))}"
    return {
        "request": str(asked),
        "rule": policy.label(decided.rule),
        "level": str(decided.level),
        "log": _held(decided.level),
        "exported": exported,
    }


def _held(level: Level) -> str:
    from recordings.audit.policy.level import Level

    bodies = {Level.REQUEST: ", with what was sent", Level.REQUEST_RESPONSE: ", with what was sent and answered"}
    return "who, what, when" + bodies.get(level, "")


@command.command("lint", epilog=examples(LINT))
@click.argument("policy_name", metavar="[FILE|PROFILE]", required=False)
@click.option("--strict", is_flag=True, help="Doubts fail, too.")
@click.option("-o", "--output", "form", type=_FORMS, default="table", help="How to show it.")
def lint(*, policy_name: str | None, strict: bool, form: str) -> int:
    """Find rules that can never match, are wider than they look, or have no telling comment.

    Exit code 1 when the policy cannot be used; with --strict also when there are doubts.
    """
    from recordings.audit.policy.doubts import doubts

    policy = load(policy_name)
    rows = [
        {
            "line": policy.rules[doubt.rule].line if doubt.rule >= 0 else 0,
            "rule": policy.label(doubt.rule) if doubt.rule >= 0 else "(the policy)",
            "doubt": doubt.message,
        }
        for doubt in doubts(policy)
    ]
    if form != "table":
        click.echo(structured(rows, form))
    elif rows:
        columns = [
            Column("LINE", "line", lambda value, _now: str(value or "-")),
            Column("RULE", "rule"),
            Column("DOUBT", "doubt"),
        ]
        click.echo(show(rows, columns, form, 0.0), nl=False)
    else:
        click.echo(f"{len(policy.rules)} rules, no doubts")
    return int(strict and bool(rows))


@command.command("simulate", epilog=examples("kwit audit policy simulate --policy mine.yaml --since 7d"))
@_POLICY
@place_options
@click.option("--since", default="7d", show_default=True, help="How far back: 2h, 7d, or a time.")
@click.option("-o", "--output", "form", type=_FORMS, default="table", help="How to show it.")
def simulate(*, policy_name: str | None, directory: Path | None, config: Path | None, since: str, form: str) -> int:
    """Count what each rule would have exported of the requests in the log: its noise, before it is paid for."""
    from recordings.audit.policy.simulation import simulated

    policy = load(policy_name, config)
    root = place(directory, config)
    totals = reading(lambda: simulated(policy, _recorded(root, since)), root)
    rows = [
        {
            "rule": policy.label(total.rule),
            "level": str(policy.rules[total.rule].level) if total.rule is not None else "None",
            "requests": total.requests,
            "exported": total.exported,
            "bytes": total.exported_bytes,
            "kept": total.kept,
        }
        for total in totals
        if total.rule is not None or total.requests or total.kept
    ]
    columns = [
        Column("RULE", "rule"),
        Column("LEVEL", "level"),
        Column("REQUESTS", "requests"),
        Column("EXPORTED RECORDS", "exported"),
        Column("EXPORTED", "bytes", lambda value, _now: _bytes(value)),
        Column("KEPT HERE ONLY", "kept"),
    ]
    click.echo(show(rows, columns, form, 0.0), nl=False)
    return 0


def _recorded(root: Path, since: str) -> Iterator[tuple[dict[str, Any], int]]:
    import time

    from recordings.audit.encode import encode
    from recordings.audit.query import oldest_first
    from recordings.audit.question import Question, moment

    begin = moment(since, time.time())  # noqa: TID251 - a command is where the clock comes in
    for record in oldest_first(root, Question(since=begin)):
        yield record, len(encode(record))


@command.command("for-cluster", epilog=examples("kwit audit policy for-cluster mine.yaml > policy.yaml"))
@click.argument("policy_name", metavar="[FILE|PROFILE]", required=False)
def for_cluster(*, policy_name: str | None) -> int:
    """Print the policy that a cluster's own API server needs to match ours, with the flags to start it with."""
    from proxy.native_policy import native_policy

    click.echo(native_policy(load(policy_name)), nl=False)
    return 0


def load(name: str | None, config: Path | None = None) -> AuditPolicy:
    """The policy of that name, else the configuration's, else `proxy`. Raises Problem."""
    from proxy.audit_policy_file import ConfigError, load_policy

    try:
        return load_policy(name or configured(config))
    except ConfigError as error:
        raise Problem(str(error)) from error


def configured(config: Path | None = None) -> str:
    """What the configuration names; the default where there is none to read."""
    from proxy.config import Config, ConfigError

    if config is None and not DEFAULT_CONFIG.exists():
        return "proxy"
    try:
        audit = Config.load(config or DEFAULT_CONFIG).audit
    except ConfigError as error:
        raise Problem(f"{error}\nOr name a policy with --policy") from error
    return str(audit.policy_file or audit.policy_profile)


def _bytes(number: int) -> str:
    for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if number >= size:
            return f"{number / size:.1f} {unit}"
    return f"{number} B"

"""What somebody asks the log, as options of a command."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from proxy.cli.client.problem import Problem
from recordings.audit.question import Decision, Question, moment
from recordings.audit.record import RecordType
from recordings.errors import QuestionError

_F = TypeVar("_F", bound=Callable[..., Any])


def filter_options(function: _F) -> _F:
    """The options of a question; each narrows."""
    options = (
        click.option("--user", default="", help="Username of the person."),
        click.option("--group", default="", help="One of the person's groups."),
        click.option("--verb", default="", help="get, list, create, delete, exec …"),
        click.option("--resource", default="", help="pods, pods/exec, deployments.apps …"),
        click.option("-n", "--namespace", default="", help="Namespace of the object."),
        click.option("--name", default="", help="Name of the object."),
        click.option("--cluster", default="", help="Cluster."),
        click.option("--decision", type=click.Choice([str(one) for one in Decision]), help="What was decided."),
        click.option("--source", default="", help="Address, or network as 10.1.0.0/16."),
        click.option("--type", "kind", type=click.Choice([str(one) for one in RecordType]), help="Type of record."),
        click.option("--id", "wanted", default="", help="Id of a record or request, or its beginning."),
        click.option("--login", default="", help="Id of a login."),
        click.option("--recording", default="", help="Id of a recording."),
        click.option("--text", default="", help="Anywhere in the record."),
        click.option("--since", default="", help="2h, 7d, 2026-01-31, 2026-01-31T08:00:00Z."),
        click.option("--until", default="", help="The same; not included."),
    )
    for option in reversed(options):
        function = option(function)
    return function


def question_of(asked: Mapping[str, Any], now: float) -> Question:
    """Raises Problem."""
    words = {key: value for key, value in asked.items() if key not in ("kind", "wanted", "decision", "since", "until")}
    try:
        question = Question(
            **words,
            type=asked["kind"] or "",
            id=asked["wanted"],
            decision=Decision(asked["decision"]) if asked["decision"] else None,
            since=moment(asked["since"], now) if asked["since"] else None,
            until=moment(asked["until"], now) if asked["until"] else None,
        )
    except QuestionError as error:
        raise Problem(f"expected {error}", exit_code=2) from error
    if question.since is not None and question.until is not None and question.until <= question.since:
        raise Problem("--until is not later than --since: nothing can be between", exit_code=2)
    return question

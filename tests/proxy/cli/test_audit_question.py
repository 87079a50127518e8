"""Claims about what somebody asks, as options."""

from __future__ import annotations

from typing import Any

import click
import pytest
from click.testing import CliRunner

from proxy.cli.audit_question import filter_options, question_of
from proxy.cli.client.problem import Problem
from recordings.audit.question import Decision, Question

NOW = 1_700_000_000.0


def asked(*options: str) -> Question:
    found: list[dict[str, Any]] = []

    @click.command()
    @filter_options
    def command(**given: Any) -> None:
        found.append(given)

    assert CliRunner().invoke(command, options).exit_code == 0
    return question_of(found[0], NOW)


def test_nothing_asked_is_everything() -> None:
    assert asked() == Question()


def test_every_option_is_in_the_question() -> None:
    options = {
        "--user": "ada",
        "--group": "eng",
        "--verb": "get",
        "--resource": "pods",
        "--namespace": "shop",
        "--name": "web-0",
        "--cluster": "prod",
        "--decision": "deny",
        "--source": "10.0.0.0/8",
        "--type": "user.login",
        "--id": "0199aef2-51c4",
        "--login": "l1",
        "--recording": "r1",
        "--text": "x",
        "--since": "1h",
        "--until": "30m",
    }
    assert asked(*(part for option in options.items() for part in option)) == Question(
        user="ada",
        group="eng",
        verb="get",
        resource="pods",
        namespace="shop",
        name="web-0",
        cluster="prod",
        decision=Decision.DENY,
        source="10.0.0.0/8",
        type="user.login",
        id="0199aef2-51c4",
        login="l1",
        recording="r1",
        text="x",
        since=NOW - 3600,
        until=NOW - 1800,
    )


@pytest.mark.parametrize("options", [("--since", "soon"), ("--source", "here"), ("--id", "01")])
def test_what_cannot_be_understood_says_what_was_expected(options: tuple[str, str]) -> None:
    with pytest.raises(Problem, match="expected"):
        asked(*options)


def test_an_end_before_the_beginning_is_a_mistake_and_not_an_answer() -> None:
    asked = dict.fromkeys(("kind", "wanted", "decision"), "") | {"since": "2h", "until": "3h"}
    with pytest.raises(Problem, match="--until is not later than --since"):
        question_of(asked, 1_700_000_000.0)

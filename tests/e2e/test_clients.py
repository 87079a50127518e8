"""The libraries that people script with: through kwit as without it, with the kubeconfig that `kwit login` wrote, and
in the log under the person's name."""

from __future__ import annotations

import json
import subprocess
import uuid
from typing import Any

import pytest

from recordings.recorder.moment import Kind
from tests.e2e.clients.programs import CLIENTS, Program
from tests.e2e.cluster import Unavailable
from tests.e2e.installation import Installation
from tests.e2e.story import Person
from tests.e2e.way import carried, newest_recording

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1200)]  # the first run builds a program with client-go
TIMEOUT_SECONDS = 90.0


def told(program: Program, person: Person, mark: str) -> dict[str, Any]:
    """What it saw."""
    done = subprocess.run(
        [*program.command, str(person.kubeconfig), person.namespace, "p", mark, *program.more],
        check=False,
        capture_output=True,
        text=True,
        env=person.environment(),
        timeout=TIMEOUT_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("name", CLIENTS)
def test_it_lists_watches_and_runs_a_command_as_without_us_and_the_log_names_the_person(
    people: dict[str, Person], installation: Installation, name: str
) -> None:
    try:
        program = CLIENTS[name]()
    except Unavailable as reason:
        pytest.skip(f"{name}: {reason}")
    mark = f"mark-{uuid.uuid4().hex[:8]}"
    through, without = told(program, people["kwit"], mark), told(program, people["direct"], mark)
    assert through == without
    assert (through["listed"], through["watched"]) == (["p"], ["ADDED", "DELETED"])
    assert (through["out"], through["err"], through["code"]) == ("out hello\n", "err hello\n", 3)
    with newest_recording(installation) as reader:
        assert (carried(reader, Kind.STDIN), carried(reader, Kind.STDOUT)) == (b"hello\n", b"out hello\n")
        assert reader.head.username == "streamer"
    records = [one for one in installation.records() if one.get("event", {}).get("objectRef", {}).get("name") == mark]
    done = [(one["event"]["verb"], one["event"]["user"]["username"]) for one in records if one["outcome"] == "done"]
    done = [one for one in done if one[0] != "watch"]  # its end may be the client's or the server's
    assert done == [("delete", "streamer")]  # a creation's name is in its body

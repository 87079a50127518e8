"""The story's order, and that nothing which did not come out as claimed goes by unnoticed."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from proxy.cli.client.problem import Problem
from proxy.demo.engineer import BrowserError, Engineer, Said
from proxy.demo.folder import Folder
from proxy.demo.kubectl import Kubectl
from proxy.demo.performance import Performance, log_lines
from proxy.demo.world import World

SIGNED_IN = Said(0, "Signed in to demo as alice (eng) until 10:00\n  kwit-sandbox\n")
SILENT = Said(0, "")


@dataclass(frozen=True, slots=True)
class Puppet(Engineer):
    """Says what it is told to, and runs nothing."""

    signed_in: Said | Exception = SIGNED_IN
    anything: Said = SILENT

    async def sign_in(self, web_url: str) -> Said:
        assert web_url.startswith("http://127.0.0.1:")
        if isinstance(self.signed_in, Exception):
            raise self.signed_in
        return self.signed_in

    async def run(self, argv: Sequence[str], *, on_terminal: bool = False) -> Said:
        assert argv[0] in ("kwit", "/bin/kubectl")
        assert not on_terminal
        return self.anything


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(Folder(tmp_path / "demo"), None, clock=time.time, environ=os.environ)
    world.prepare()
    await world.start()
    yield world
    await world.stop()


def performance(world: World, checking: bool = True, **alice: object) -> Performance:
    path = world.folder.path
    puppet = Puppet("alice", path / "alice", path, "sandbox", ("kwit",), {}, **alice)  # type: ignore[arg-type]
    return Performance(world, puppet, puppet, puppet, Kubectl("/bin/kubectl", 30), checking, time.time)


@pytest.mark.parametrize(
    ("signed_in", "sentence"),
    [
        (Said(1, "", "no"), "^without a login the story ends here$"),
        (BrowserError("the page is gone"), "^the sign-in did not come to its end: the page is gone$"),
        (TimeoutError(), "^the sign-in did not come to its end: nothing happened for too long$"),
    ],
)
async def test_without_a_login_it_ends(world: World, signed_in: Said | Exception, sentence: str) -> None:
    with pytest.raises(Problem, match=sentence):
        await performance(world, signed_in=signed_in).run()


async def test_every_claim_that_does_not_hold_is_noted(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Commands that succeed and say nothing: nothing was logged, and nothing reached the cluster."""
    play = performance(world)
    with pytest.raises(Problem, match=r"^the certificate could not be had"):
        await play.run()
    shown = capsys.readouterr().out
    assert "✓ alice signs in, and her kubeconfig has a context" in shown
    assert play.problems == [
        "kwit status says who she is",
        "kubectl lists pods with a certificate of alice's own",
        "the cluster sees alice herself",
        "a deployment is created",
        "it is scaled",
        "deployments are listed",
        "logs are read",
        "secrets are refused, with the role and the rule that did it",
        "--as is refused",
        "kwit can-i knows it before",
        "alice works in a shell in a pod",
        "kwit audit search finds it",
        "the shell's recording can be read",
        "the log names alice's login",
        "and the certificate that was made for it",
        "every request's record names alice, login and certificate",
        "role and rule stand beside what they allowed or denied",
        "the cluster saw each request as hers, with login and certificate",
        "one changed name is found",
        "mallory, whom no role names, has no cluster",
    ]
    assert shown.count("✗") == len(play.problems)


async def test_a_show_has_its_commands_and_ends_with_the_claims(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    await performance(world, checking=False, anything=Said(0, "said\n")).run()
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    commands = [line for line in lines if line.startswith("$")]
    assert commands[:3] == [f"$ kwit login {world.config.web.url}", "$ kwit status", "$ kubectl get pods -n shop"]
    assert "$ kubectl exec -it web-1 -n shop -- sh" in commands
    assert "$ kwit audit search --since 10m --user alice -n shop" in commands
    assert "✓ no token and no secret is in the log" in lines
    assert "said" in lines


async def test_an_older_kubectl_is_not_asked_for_what_it_has_not(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    play = performance(world, checking=False)
    play.kubectl = Kubectl("/bin/kubectl", 27)
    await play.run()
    assert "whoami" not in capsys.readouterr().out


def test_the_logs_lines_are_those_of_every_writer(tmp_path: Path) -> None:
    for writer, text in (("b", "3\n"), ("a", "1\n2\n")):
        (tmp_path / writer).mkdir()
        (tmp_path / writer / "1.ndjson").write_text(text)
        (tmp_path / writer / "lock").write_text("x")
    assert log_lines(tmp_path) == [b"1", b"2", b"3"]

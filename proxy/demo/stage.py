"""From the first file to the last: the world comes up, the story is played, Ctrl-C is awaited, all ends in order."""

from __future__ import annotations

import asyncio
import logging
import shlex
import shutil
import signal
import sys
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path

from proxy.cli.client.contexts import our_command
from proxy.cli.client.problem import Problem
from proxy.demo import kubectl, screen
from proxy.demo.engineer import Engineer
from proxy.demo.folder import SANDBOX, Folder, cluster_name
from proxy.demo.own_cluster import Own
from proxy.demo.performance import Performance
from proxy.demo.world import World

LOG = "demo.log"
"""What libraries complain of: a file, since it would stand in the middle of the story."""
MAX_LOG_LINES = 20


@dataclass(frozen=True, slots=True)
class Play:
    """What was asked for. `kept`: the directory stays when the demo ends."""

    directory: Path
    own: Own | None
    check: bool
    kept: bool
    environ: Mapping[str, str]


async def perform(play: Play, clock: Callable[[], float]) -> int:
    """The exit code. Raises Problem."""
    stop = Stop()
    folder = Folder(play.directory, SANDBOX if play.own is None else cluster_name(play.own.context))
    world = World(folder, play.own, clock=clock, environ=play.environ)
    again = world.prepare()
    quieten(play.directory / LOG)
    program, why = await kubectl.find(play.environ)
    await world.start()
    try:
        if not play.check:
            _opening(world, again=again)
        if why:
            screen.note(f"{why} The same story follows, told by requests of our own.")
        alice, bob, mallory = (
            Engineer(name, play.directory / name, play.directory, folder.cluster, our_path(), play.environ)
            for name in ("alice", "bob", "mallory")
        )
        bob.settle()
        performance = Performance(world, alice, bob, mallory, program, play.check, clock)
        if not await stop.unless(performance.run()):
            screen.note("stopped")
            return 1
        if play.check:
            return result(performance.problems, world)
        _invitation(world, alice, bob, kept=play.kept)
        await stop.unless(fault(world))
        screen.note("\nstopping")
        return int(bool(performance.problems))
    finally:
        await world.stop()


class Stop:
    """Ctrl-C and SIGTERM: the first ends in order, the second at once."""

    def __init__(self) -> None:
        loop, self._event = asyncio.get_running_loop(), asyncio.Event()
        self._main = asyncio.current_task()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._signalled)

    def _signalled(self) -> None:
        if self._event.is_set() and self._main is not None:
            self._main.cancel()
        self._event.set()

    async def unless(self, work: Coroutine[object, object, None]) -> bool:
        """Whether `work` came to its end before the signal; otherwise it is cancelled. Raises what it raises."""
        loop = asyncio.get_running_loop()
        working, waiting = loop.create_task(work), loop.create_task(self._event.wait())
        try:
            await asyncio.wait((working, waiting), return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                working.result()
                return True
            return False
        finally:
            for task in (working, waiting):
                task.cancel()
            await asyncio.gather(working, waiting, return_exceptions=True)


async def fault(world: World) -> None:
    """Never returns. Raises Problem when kwit ends by itself."""
    error = await world.failed()
    raise Problem(f"kwit ended because of a fault of its own: {error!r}; please report it") from error


def quieten(path: Path) -> None:
    """Warnings of libraries go to a file. Raises Problem."""
    try:
        logging.basicConfig(filename=path, level=logging.WARNING, force=True)
    except OSError as error:
        raise Problem(f"{path} cannot be written ({error.strerror}); choose another directory with --data") from error


def our_path() -> tuple[str, ...]:
    """How kwit is called from any directory."""
    program, *rest = our_command()
    return (shutil.which(program) or program, *rest)


def _opening(world: World, *, again: bool) -> None:
    config = world.config
    screen.heading("kubewitness, on this machine")
    cluster = world.sandbox.url if world.sandbox is not None else f"{world.folder.cluster}, yours"
    screen.pairs(
        {
            "cluster": f"{cluster}{' (a sandbox: made up, but kubectl cannot tell)' if world.sandbox else ''}",
            "sign-on": f"http://127.0.0.1:{world.folder.provider_port()} (alice, bob and mallory; no passwords)",
            "kwit": f"{config.kube.url} for kubectl, {config.web.url} for people",
            "files": f"{world.folder.path}{' (from the last time)' if again else ''}",
        }
    )


def _invitation(world: World, alice: Engineer, bob: Engineer, *, kept: bool) -> None:
    kwit = "kwit" if shutil.which("kwit", path=alice.environ.get("PATH", "")) else shlex.join(alice.kwit)
    here, sandbox = shlex.quote(str(world.folder.path)), world.sandbox is not None
    screen.heading("It is up. In a second terminal, try:")
    as_alice = [f"cd {here}", _variables(alice), f"kubectl get pods {'-n shop --watch' if sandbox else '-A'}"]
    as_alice += ["kubectl exec -it web-1 -n shop -- sh"] if sandbox else []
    _suggest("As Alice, who is signed in:", as_alice)
    if sandbox:
        as_bob = [_variables(bob), f"{kwit} login {world.config.web.url}", "kubectl delete pod web-1 -n shop"]
        _suggest("As Bob, who may only look; pick him in your browser:", as_bob)
    role = "roles/developer.yaml" if sandbox else "roles/viewer.yaml"
    _suggest("Watch the log, and change a role while you do:", [f"{kwit} audit tail -f", f"$EDITOR {role}"])
    if kept:
        _suggest("Ctrl-C ends it. Everything stays, and this goes on from there:", [f"{kwit} demo --data {here}"])
    else:
        screen.prose("Ctrl-C ends it, and nothing stays.")


def _suggest(text: str, commands: list[str]) -> None:
    screen.prose(text)
    for command in commands:
        screen.command(command)


def _variables(engineer: Engineer) -> str:
    """Relative to the directory that the person changed to, so that the line fits."""
    where = engineer.home.name
    return f'export KUBECONFIG="$PWD/{where}/kubeconfig" KWIT_HOME="$PWD/{where}/kwit"'


def result(problems: list[str], world: World) -> int:
    """The exit code of a check; where a claim did not hold, what the server and the libraries said of it."""
    if not problems:
        return 0
    log = (world.folder.path / LOG).read_text(encoding="utf-8", errors="replace").splitlines()
    for line in [*world.said, *log[-MAX_LOG_LINES:]]:
        sys.stderr.write(f"  {line}\n")
    screen.note(f"{len(problems)} of the claims did not hold")
    return 1

"""What ends under a stream: the API server restarts, a pod is deleted. kubectl hears of it through kwit as without it,
the log says how each stream ended, and nobody has to restart anything."""

from __future__ import annotations

import re
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from recordings.recorder.directory import RecordingDirectory
from recordings.recorder.reader import open_recording
from tests.e2e.busybox_image import IMAGE
from tests.e2e.cluster import Cluster, ControlPlane
from tests.e2e.conftest import POD
from tests.e2e.installation import Installation
from tests.e2e.node import NAME
from tests.e2e.story import Person
from tests.e2e.way import WAYS, Way

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]
ENDS_WITHIN_SECONDS = 60.0
READY = {
    "exec": (("exec", "-i", "p", "-c", "main", "--", "sh", "-c", "echo ready; cat"), b"ready\n"),
    "logs": (("logs", "-f", "p", "-c", "main"), b"ready\n"),
    "port-forward": (("port-forward", "p", ":8080"), b"Forwarding from 127.0.0.1:"),
    "watch": (("get", "configmaps", "--watch", "-o", "name"), b"configmap/"),
}


@dataclass
class Running:
    """One kubectl that has begun; `port` is what it forwards."""

    process: subprocess.Popen[bytes]
    port: int = 0

    def end(self) -> tuple[int, list[str]]:
        """(exit code, what it said), made comparable: kubectl's readers of streams end in any order."""
        _, said = self.process.communicate(timeout=ENDS_WITHIN_SECONDS)
        text = re.sub(r"\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d\S*|[EIW]\d{4} [\d:.]+ +\d+", "TIME", said.decode())
        text = re.sub(rf"\b{self.port or 'none'}\b", "PORT", text)
        text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{64}", "ID", text)
        return self.process.returncode, sorted(text.splitlines())

    def answers(self) -> bool:
        """Whether an HTTP request through the forwarded port is answered."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=10) as answer:
                return bool(answer.read() == b"hello\n")
        except (OSError, urllib.error.URLError):
            return False


@contextmanager
def running(way: Way, what: str) -> Iterator[Running]:
    """It has said its first line."""
    arguments, first = READY[what]
    process = subprocess.Popen(
        way.command(*arguments),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=way.env(),
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith(first), (way.kubectl, what, line, process.stderr and process.stderr.read())
        found = re.search(rb":(\d+)", line)
        yield Running(process, int(found[1]) if found and what == "port-forward" else 0)
    finally:
        process.kill()
        process.communicate()


def both(people: dict[str, Person], kubectls: dict[int, Path], name: str) -> dict[str, Way]:
    minor, environment = WAYS[name]
    return {how: Way(person, kubectls[minor], environment) for how, person in people.items()}


def open_recordings(installation: Installation) -> list[Path]:
    """Those that nobody sealed."""
    found = []
    for path in RecordingDirectory(installation.folder / "data" / "recordings").paths():
        with open_recording(path) as reader:
            if reader.footer is None:
                found.append(path)
    return found


def test_the_api_server_restarts_and_every_stream_ends_as_without_us_and_the_next_ones_work(
    people: dict[str, Person],
    kubectls: dict[int, Path],
    installation: Installation,
    cluster: Cluster,
    admin: Callable[..., str],
) -> None:
    assert isinstance(cluster, ControlPlane)
    for person in people.values():
        admin("create", "configmap", "there", f"--namespace={person.namespace}")
    ended: dict[tuple[str, str, str], tuple[int, list[str]]] = {}
    with ExitStack() as stack:
        begun = {
            (name, what, how): stack.enter_context(running(way, what))
            for name in WAYS
            for how, way in both(people, kubectls, name).items()
            for what in READY
        }
        for person in people.values():
            admin("create", "configmap", "later", f"--namespace={person.namespace}")
        for (_, what, _), one in begun.items():
            if what == "watch":  # before this it may be between its list and its watch
                assert one.process.stdout is not None
                assert one.process.stdout.readline() == b"configmap/later\n"
        cluster.restart_api_server()
        for (name, what, how), one in begun.items():
            if what == "port-forward":  # kubectl looks at its connection when something wants to pass
                one.answers()
            ended[name, what, how] = one.end()
    for name in WAYS:
        for what in READY:
            assert ended[name, what, "kwit"] == ended[name, what, "direct"], (name, what)
    through = both(people, kubectls, "newest")["kwit"]
    installation.wait_until(lambda: through.run("exec", "p", "--", "echo", "again")[1] == b"again\n", "no shell again")
    installation.wait_until(lambda: not open_recordings(installation), "a recording that nobody sealed")


@pytest.mark.parametrize("name", WAYS)
def test_a_pod_deleted_under_its_forwarded_port_ends_it_as_without_us_and_the_log_says_what_passed(
    people: dict[str, Person],
    kubectls: dict[int, Path],
    installation: Installation,
    admin: Callable[..., str],
    name: str,
) -> None:
    said: dict[str, tuple[bool, tuple[int, list[str]]]] = {}
    for how, way in both(people, kubectls, name).items():
        with running(way, "port-forward") as forward:
            assert forward.answers()
            assert forward.answers()
            admin("delete", "pod", "p", f"--namespace={way.person.namespace}", "--wait=true")
            answered = forward.answers()
            said[how] = answered, forward.end()
        admin("apply", f"--namespace={way.person.namespace}", "-f", "-", stdin=POD % (NAME, IMAGE))
        admin("wait", f"--namespace={way.person.namespace}", "pod/p", "--for=condition=Ready", "--timeout=60s")
    assert said["kwit"] == said["direct"]
    assert said["kwit"][0] is False

    def told() -> bool:
        namespace = people["kwit"].namespace
        records = [
            one["event"]
            for one in installation.records("--namespace", namespace)
            if one["event"].get("objectRef", {}).get("subresource") == "portforward"
        ]
        newest = records[-1]["annotations"]
        return newest.get("kubewitness.dev/ports") == "8080" and int(newest["kubewitness.dev/connections"]) >= 2

    installation.wait_until(told, "the forward's end is not in the log")

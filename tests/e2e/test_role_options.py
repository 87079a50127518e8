"""What a role may say of streams, on a real node: input that is not echoed is kept as its length, ports that may be
forwarded, and which image on which node a recording is of."""

from __future__ import annotations

import re
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from recordings.recorder.moment import Kind
from tests.e2e.busybox_image import IMAGE
from tests.e2e.cluster import Cluster
from tests.e2e.conftest import POD
from tests.e2e.installation import ROLES, Installation
from tests.e2e.node import NAME, Node
from tests.e2e.story import Person
from tests.e2e.way import WAYS, Way, carried, newest_recording

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]
NAMESPACE = "kwit-options"
OPTIONS = "\n  options: {hideUnechoedInput: true, forwardPorts: [8080]}\n---"
PASSWORD = b"correct horse"


class Optioned(Installation):
    namespace = NAMESPACE
    roles = ROLES.replace("\n---", OPTIONS, 1)


@pytest.fixture(scope="module")
def optioned(
    cluster: Cluster, admin: Callable[..., str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    with Optioned(tmp_path_factory.mktemp("options"), cluster, admin) as running:
        yield running


@pytest.fixture(scope="module")
def person(
    node: Node, optioned: Installation, admin: Callable[..., str], tmp_path_factory: pytest.TempPathFactory
) -> Person:
    del node
    namespace = "kwit-e2e-options"
    admin("create", "namespace", namespace)
    admin("apply", f"--namespace={namespace}", "-f", "-", stdin=POD % (NAME, IMAGE))
    admin("wait", f"--namespace={namespace}", "pod/p", "--for=condition=Ready", "--timeout=60s")
    return optioned.sign_in("typist", namespace, tmp_path_factory.mktemp("typist"))


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, person: Person, kubectls: dict[int, Path]) -> Way:
    minor, environment = WAYS[request.param]
    return Way(person, kubectls[minor], environment)


def test_a_password_is_its_length_and_what_the_terminal_shows_is_kept(way: Way, optioned: Installation) -> None:
    script = "echo ask; read name; stty -echo; echo now; read secret; stty echo; echo $name has ${#secret}"
    code, shown = way.on_a_terminal(
        "exec", "-it", "p", "-c", "main", "--", "sh", "-c", script,
        steps=[(b"ask", b"ada\r"), (b"now", PASSWORD + b"\r")],
    )  # fmt: skip
    assert code == 0, shown
    assert b"ada has %d" % len(PASSWORD) in shown
    with newest_recording(optioned) as reader:
        moments = list(reader.moments())
        assert carried(reader, Kind.STDIN).replace(b"\r", b"") == b"ada"  # the end of the next line passes for Enter
        assert sum(int(moment.data) for moment in moments if moment.kind is Kind.HIDDEN) >= len(PASSWORD)
        assert PASSWORD not in b"".join(moment.data for moment in moments)
        assert reader.footer is not None
        assert (reader.footer.image.partition("@")[0], reader.footer.node) == (IMAGE, NAME)


def test_a_port_that_the_role_names_is_forwarded_and_another_is_refused_in_kubectl_s_words(
    way: Way, optioned: Installation
) -> None:
    process = subprocess.Popen(
        way.command("port-forward", "p", ":8080", ":8081"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=way.env(),
    )
    assert process.stdout is not None
    ports = [int(re.findall(rb"127.0.0.1:(\d+)", process.stdout.readline())[0])]
    while len(ports) < 2:
        ports += [int(port) for port in re.findall(rb"127.0.0.1:(\d+)", process.stdout.readline())]
    with urllib.request.urlopen(f"http://127.0.0.1:{ports[0]}/", timeout=10) as answer:
        assert answer.read() == b"hello\n"
    with pytest.raises(OSError, match=r"."), urllib.request.urlopen(f"http://127.0.0.1:{ports[1]}/", timeout=10):
        pass
    process.terminate()
    _, said = process.communicate(timeout=30)
    assert b"lost connection" in said or b"port" in said, said

    def told() -> bool:
        records = optioned.records("--text", "port 8081 may not be forwarded")
        return any(one["event"]["objectRef"].get("subresource") == "portforward" for one in records)

    optioned.wait_until(told, "the refusal is not in the log")

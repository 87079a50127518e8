"""Real kubectls exec, attach, copy, forward and debug on a real node: through kwit as without it, and recorded.

Three ways: SPDY (kubectl 1.24, and the newest when it is told so), WebSocket (1.30 and the newest).
"""

import fcntl
import hashlib
import json
import os
import pty
import random
import re
import select
import struct
import subprocess
import termios
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from recordings.recorder.directory import RecordingDirectory
from recordings.recorder.moment import Kind
from recordings.recorder.reader import RecordingReader, open_recording
from tests.e2e.busybox_image import IMAGE
from tests.e2e.installation import Installation, kwit
from tests.e2e.node import NAME
from tests.e2e.story import Person

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

SPDY = {"KUBECTL_REMOTE_COMMAND_WEBSOCKETS": "false", "KUBECTL_PORT_FORWARD_WEBSOCKETS": "false"}
WAYS = {"1.24": (24, {}), "1.30": (30, {}), "newest": (37, {}), "newest by SPDY": (37, SPDY)}
DATA = random.Random(1).randbytes(3 << 20)
FILES = 200


@dataclass
class Way:
    """One person, on one way to the cluster, with one kubectl."""

    person: Person
    kubectl: Path
    environment: dict[str, str]

    def command(self, *arguments: str) -> list[str]:
        return self.person.command(self.kubectl, arguments)

    def env(self) -> dict[str, str]:
        return {**self.person.environment(), **self.environment}

    def run(self, *arguments: str, stdin: bytes = b"") -> tuple[int, bytes, bytes]:
        done = subprocess.run(
            self.command(*arguments), check=False, capture_output=True, input=stdin, env=self.env(), timeout=120
        )
        return done.returncode, done.stdout, done.stderr

    def on_a_terminal(self, *arguments: str, keys: bytes = b"", wait_for: bytes = b"") -> tuple[int, bytes]:
        """Run with a terminal of 99 columns and 33 rows; `keys` are typed once `wait_for` was shown."""
        ours, theirs = pty.openpty()
        os.set_blocking(ours, True)
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 99, 0, 0))
        process = subprocess.Popen(
            self.command(*arguments), stdin=theirs, stdout=theirs, stderr=theirs, env=self.env(), start_new_session=True
        )
        os.close(theirs)
        shown, typed, end = b"", not keys, time.monotonic() + 60
        while time.monotonic() < end:
            readable, _, _ = select.select([ours], [], [], 0.2)
            if readable:
                try:
                    piece = os.read(ours, 65536)
                except OSError:
                    break
                if not piece:
                    break
                shown += piece
            elif process.poll() is not None:
                break
            if not typed and wait_for in shown:
                os.write(ours, keys)
                typed = True
        code = process.wait(10)
        os.close(ours)
        return code, shown


Ways = tuple[Way, Way]
"""Without kwit, and through it."""


@pytest.fixture(params=WAYS)
def ways(request: pytest.FixtureRequest, people: dict[str, Person], kubectls: dict[int, Path]) -> Ways:
    """(without kwit, through it), with one kubectl."""
    minor, environment = WAYS[request.param]
    direct, proxied = (Way(people[name], kubectls[minor], environment) for name in ("direct", "kwit"))
    return direct, proxied


def newest_recording(installation: Installation) -> RecordingReader:
    """The recording that was made last, once it is sealed."""
    directory = RecordingDirectory(installation.folder / "data" / "recordings")
    end = time.monotonic() + 10
    while time.monotonic() < end:
        paths = list(directory.paths())
        newest = max(paths, key=lambda path: path.stat().st_mtime_ns, default=None)
        if newest is not None:
            reader = open_recording(newest)
            if reader.footer is not None:
                return reader
            reader.close()
        time.sleep(0.1)
    raise AssertionError("no recording was sealed")


def carried(reader: RecordingReader, kind: Kind) -> bytes:
    return b"".join(moment.data for moment in reader.moments() if moment.kind is kind)


@pytest.mark.parametrize("code", [0, 1, 7, 137])
def test_exec_gives_the_same_output_and_exit_code_and_is_recorded(
    ways: Ways, installation: Installation, code: int
) -> None:
    direct, proxied = ways
    command = ("exec", "p", "-c", "main", "--", "sh", "-c", f"echo out; echo err >&2; exit {code}")
    without, through = direct.run(*command), proxied.run(*command)
    assert through == without
    assert (through[0], through[1]) == (code, b"out\n")
    with newest_recording(installation) as reader:
        assert (carried(reader, Kind.STDOUT), carried(reader, Kind.STDERR)) == (b"out\n", b"err\n")
        assert reader.footer is not None
        assert reader.footer.exit_code == code
        assert reader.head.command[-1].endswith(f"exit {code}")
        assert reader.verify() == []


def test_three_megabytes_go_in_and_come_back_unchanged_and_are_all_recorded(
    ways: Ways, installation: Installation
) -> None:
    direct, proxied = ways
    command = ("exec", "-i", "p", "-c", "main", "--", "sh", "-c", f"head -c {len(DATA)}")
    for way in (direct, proxied):
        code, out, _ = way.run(*command, stdin=DATA)
        assert (code, hashlib.sha256(out).hexdigest()) == (0, hashlib.sha256(DATA).hexdigest())
    with newest_recording(installation) as reader:
        assert carried(reader, Kind.STDIN) == DATA
        assert carried(reader, Kind.STDOUT) == DATA


def test_a_shell_on_a_terminal_has_its_size_and_obeys_control_c(ways: Ways, installation: Installation) -> None:
    direct, proxied = ways
    seen = []
    for way in (direct, proxied):
        code, shown = way.on_a_terminal(
            "exec",
            "-it",
            "p",
            "-c",
            "main",
            "--",
            "sh",
            "-c",
            "until stty size 2>/dev/null | grep .; do sleep 0.1; done; echo ask; read x; exit 5",
            keys=b"y\r",
            wait_for=b"ask",
        )
        seen.append((code, shown.replace(b"\r\n", b"\n")))
        assert b"33 99" in shown
    assert seen[0] == seen[1]
    assert seen[1][0] == 5
    with newest_recording(installation) as reader:
        assert b"33 99" in carried(reader, Kind.STDOUT)
        assert carried(reader, Kind.STDIN) == b"y\r"
        assert carried(reader, Kind.RESIZE).startswith(b"99x33")
    code, shown = proxied.on_a_terminal(
        "exec", "-it", "p", "-c", "main", "--", "sh", "-c", "echo ask; sleep 60", keys=b"\x03", wait_for=b"ask"
    )
    assert code == 130, shown


def test_attach_speaks_with_what_runs(ways: Ways, installation: Installation) -> None:
    for way in ways:
        process = subprocess.Popen(
            way.command("attach", "-i", "p", "-c", "main"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=way.env(),
        )
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"ping\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"got ping\n"
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()
    with newest_recording(installation) as reader:
        assert reader.head.subresource == "attach"
        assert b"ping\n" in carried(reader, Kind.STDIN)
        assert b"got ping\n" in carried(reader, Kind.STDOUT)


def test_ports_are_forwarded_and_their_record_says_so(ways: Ways, installation: Installation) -> None:
    for way in ways:
        process = subprocess.Popen(
            way.command("port-forward", "p", ":8080"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=way.env()
        )
        assert process.stdout is not None
        assert process.stderr is not None
        found = re.search(rb"127.0.0.1:(\d+)", process.stdout.readline())
        assert found is not None, process.stderr.read()
        for _ in range(3):
            with urllib.request.urlopen(f"http://127.0.0.1:{int(found[1])}/", timeout=10) as answer:
                assert answer.read() == b"hello\n"
        process.terminate()
        process.wait()
        process.stdout.close()
        process.stderr.close()

    def told() -> bool:
        found = [
            record
            for record in installation.records("--verb", "get") + installation.records("--verb", "create")
            if record["event"].get("objectRef", {}).get("subresource") == "portforward"
            and record["event"]["annotations"].get("kubewitness.dev/ports") == "8080"
        ]
        return any(int(record["event"]["annotations"]["kubewitness.dev/connections"]) >= 3 for record in found)

    installation.wait_until(told, "no record of the connections")


def test_files_are_copied_both_ways(ways: Ways, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "large").write_bytes(DATA)
    for number in range(FILES):
        (source / f"{number}").write_text(f"file {number}\n")
    expected = {path.name: path.read_bytes() for path in source.iterdir()}
    for number, way in enumerate(ways):
        there, back = f"/tmp/copied-{random.randrange(1 << 40)}", tmp_path / f"back-{number}"
        assert way.run("cp", str(source), f"p:{there}", "-c", "main")[0] == 0
        code, _, problem = way.run("cp", f"p:{there}", str(back), "-c", "main")
        assert code == 0, (number, problem)
        assert {path.name: path.read_bytes() for path in back.iterdir()} == expected


def test_a_debug_container_and_its_shell_are_one_story(ways: Ways, installation: Installation) -> None:
    for way in ways:
        if "1.24" in str(way.kubectl):
            pytest.skip("kubectl 1.24 sends ephemeral containers in a form of its own to new servers")
        name = f"debug-{random.randrange(1 << 40)}"
        code, _, problem = way.run(
            "debug",
            "p",
            f"--image={IMAGE}",
            "--image-pull-policy=IfNotPresent",
            f"--container={name}",
            "--",
            "sleep",
            "600",
        )
        assert code == 0, problem
        end = time.monotonic() + 30
        while way.run("exec", "p", "-c", name, "--", "echo", "inside")[1] != b"inside\n":
            assert time.monotonic() < end
            time.sleep(0.5)
    records = [record["event"]["annotations"] for record in installation.records() if "event" in record]
    made = [one for one in records if one.get("kubewitness.dev/debug-container") == name]
    assert any("kubewitness.dev/debug-request" in one for one in made)


def test_logs_are_followed(ways: Ways) -> None:
    for way in ways:
        process = subprocess.Popen(
            way.command("logs", "-f", "p", "-c", "main"),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=way.env(),
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_lock_ends_the_shell_the_log_and_the_watch(ways: Ways, installation: Installation) -> None:
    _, way = ways
    commands = (
        ("exec", "p", "-c", "main", "--", "sh", "-c", "echo ready; sleep 30"),
        ("logs", "-f", "p", "-c", "main"),
        ("get", "pods", "-w"),
    )
    running = [
        subprocess.Popen(way.command(*command), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=way.env())
        for command in commands
    ]
    for process in running:
        assert process.stdout is not None
        assert process.stdout.readline()
    config = installation.folder / "kwit.yaml"
    lock = kwit("lock", "add", "-c", config, "--user", way.person.username).split()[-1]
    try:
        for process in running:
            process.communicate(timeout=20)
        code, _, said = way.run("get", "pods")
    finally:
        kwit("lock", "rm", "-c", config, lock)
    assert (code, f"you are locked out by lock {lock}".encode() in said) == (1, True)
    verbs = {one["event"]["requestURI"].partition("?")[0].rpartition("/")[2] for one in cut_by(installation, lock)}
    assert verbs == {"exec", "log", "pods"}
    while way.run("get", "pods")[0]:  # the server reads its state each second
        time.sleep(0.1)


def cut_by(installation: Installation, lock: str) -> list[dict[str, Any]]:
    """Records of what was going on when it was locked."""
    found = installation.records("--text", lock, "--type", "kube.request")
    return [record for record in found if record["outcome"] == "aborted"]


def test_run_makes_a_pod_speaks_with_it_and_takes_it_away(ways: Ways) -> None:
    for way in ways:
        name = f"run-{random.randrange(1 << 40)}"
        overrides = json.dumps({"spec": {"nodeName": NAME, "tolerations": [{"operator": "Exists"}]}})
        code, out, problem = way.run(
            "run", name, "-i", "--rm", "--restart=Never", f"--image={IMAGE}", "--image-pull-policy=Never",
            f"--overrides={overrides}", "--", "cat", stdin=b"through\n",
        )  # fmt: skip
        assert code == 0, problem
        assert b"through\n" in out

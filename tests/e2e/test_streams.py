"""Real kubectls exec, attach, copy, forward and debug on a real node: through kwit as without it, and recorded.

Three ways: SPDY (kubectl 1.24, and the newest when it is told so), WebSocket (1.30 and the newest).
"""

import hashlib
import json
import random
import re
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from recordings.recorder.moment import Kind
from tests.e2e.busybox_image import IMAGE
from tests.e2e.installation import Installation, kwit
from tests.e2e.node import NAME
from tests.e2e.way import Ways, carried, newest_recording

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

DATA = random.Random(1).randbytes(3 << 20)
FILES = 200


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
            steps=[(b"ask", b"y\r")],
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
        "exec", "-it", "p", "-c", "main", "--", "sh", "-c", "echo ask; sleep 60", steps=[(b"ask", b"\x03")]
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


def test_a_shell_on_the_node_is_named_as_such_and_its_pod_and_attach_are_one_story(
    ways: Ways, installation: Installation
) -> None:
    seen = []
    for way in ways:
        code, shown = way.on_a_terminal(
            "debug", f"node/{NAME}", "-it", f"--image={IMAGE}", "--image-pull-policy=Never",
            "--", "sh", "-c", "until read -t 1 x; do echo ask; done; ls -d /host/proc",
            steps=[(b"ask", b"y\r")],
        )  # fmt: skip
        seen.append((code, b"\n/host/proc\n" in shown.replace(b"\r\n", b"\n")))
    assert seen == [(0, True)] * 2
    with newest_recording(installation) as reader:
        assert reader.head.subresource == "attach"
        pod = reader.head.pod
    done = [one["event"] for one in installation.records("--type", "kube.request") if one["outcome"] == "done"]
    attach = next(event for event in reversed(done) if event["objectRef"].get("subresource") == "attach")
    assert attach["objectRef"]["name"] == pod
    made = next(one for one in done if one["auditID"] == attach["annotations"]["kubewitness.dev/debug-request"])
    assert (made["verb"], made["objectRef"]["resource"]) == ("create", "pods")
    reaches = made["annotations"]["kubewitness.dev/host-access"]
    assert set(reaches.split(",")) >= {"hostPID", "hostNetwork", "hostPath:/"}
    assert attach["annotations"]["kubewitness.dev/host-access"] == reaches
    assert attach["annotations"]["kubewitness.dev/node"] == NAME

"""`kwit demo` as a person runs it."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from deploy.sandbox.apiserver import SandboxAPIServer
from recordings.audit.query import oldest_first
from recordings.audit.question import Question

KWIT = Path(sys.executable).with_name("kwit")
TIMEOUT = 100.0
"""Seconds: it takes three where nothing else runs."""


def demo(*arguments: object, path: str, home: Path) -> subprocess.CompletedProcess[str]:
    environ = {"PATH": path, "HOME": str(home), "TMPDIR": str(home), "NO_COLOR": "1"}
    command = [str(KWIT), "demo", *map(str, arguments)]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=TIMEOUT, env=environ)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@pytest.mark.kubectl
def test_it_checks_itself_with_kubectl_and_leaves_nothing(home: Path) -> None:
    if shutil.which("kubectl") is None:
        pytest.skip("there is no kubectl on PATH")
    done = demo("--check", path=os.environ["PATH"], home=home)
    assert (done.returncode, "✗" in done.stdout) == (0, False), done.stdout + done.stderr
    assert list(home.glob("kwit-demo-*")) == []


def shown(data: Path, path: Path, home: Path) -> tuple[int, str, str]:
    """A show in `data`, ended by Ctrl-C when it says that it can be."""
    environ = {"PATH": str(path), "HOME": str(home), "TMPDIR": str(home)}
    command = [str(KWIT), "demo", "--data", str(data)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ)
    out = ""
    try:
        assert process.stdout is not None
        while "Ctrl-C ends it." not in out:
            line = process.stdout.readline()
            assert line, out
            out += line
        process.send_signal(signal.SIGINT)
        rest, err = process.communicate(timeout=TIMEOUT)
    finally:
        process.kill()
        process.wait()
    return process.returncode, out + rest, err


def test_it_checks_itself_and_shows_itself_in_the_same_directory_without_kubectl(home: Path, tmp_path: Path) -> None:
    empty, data = tmp_path / "empty", tmp_path / "demo"
    empty.mkdir()
    done = demo("--check", "--data", data, path=str(empty), home=home)
    assert (done.returncode, "✗" in done.stdout) == (0, False), done.stdout + done.stderr
    assert done.stderr.startswith("There is no kubectl on PATH; ")
    assert "✓ and may not delete them\n" in done.stdout
    assert done.stdout.endswith("✓ and alice's certificate with it, at the next request\n")
    authority = (data / "data" / "ca" / "people.crt").read_bytes()

    code, out, err = shown(data, empty, home)
    assert (code, err.splitlines()[-1]) == (0, "stopping")
    assert ("✗" in out, "\x1b" in out) == (False, False)
    parts = ["1. Sign in", "2. Work", "3. A shell", "4. The record", "5. Played again", "6. Checked", "7. Changed"]
    parts.append("It is up. In a second terminal, try:")
    assert [line for line in out.splitlines() if line in parts] == parts
    assert "denied by role developer, deny[0]" in out

    logins = oldest_first(data / "data" / "audit", Question(type="user.login", user="alice"))
    assert [login["outcome"] for login in logins] == ["done", "done"]
    assert (data / "data" / "ca" / "people.crt").read_bytes() == authority
    assert list(home.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("--context", "absent"), 2, "has no context 'absent'; it has: none"),
        (("--data", "/"), 2, "kwit: / is neither empty nor a demo's; choose another directory with --data"),
        (("--unknown",), 2, "kwit: no such option '--unknown'; `kwit demo --help` shows how it is used"),
        (("more",), 2, "unexpected extra argument"),
    ],
)
def test_wrong_options_are_answered_in_a_sentence(
    home: Path, arguments: tuple[str, ...], code: int, sentence: str
) -> None:
    done = demo(*arguments, path="", home=home)
    assert (done.returncode, done.stdout) == (code, "")
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_help_has_examples(home: Path) -> None:
    done = demo("-h", path="", home=home)
    assert done.returncode == 0
    assert "  kwit demo --check                no show: check each step, exit with 0 or 1\n" in done.stdout


def own_cluster(sandbox: SandboxAPIServer, token: str, path: Path) -> None:
    cluster = {"server": sandbox.url, "certificate-authority-data": base64.b64encode(sandbox.ca_pem.encode()).decode()}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": {"token": token}}],
        "contexts": [{"name": "My_Cluster", "context": {"cluster": "c", "user": "u"}}],
    }
    path.write_text(json.dumps(document))


async def ended(*arguments: object, environ: dict[str, str]) -> tuple[int | None, str, str]:
    process = await asyncio.create_subprocess_exec(
        *(str(KWIT), "demo", *map(str, arguments)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environ,
    )
    async with asyncio.timeout(TIMEOUT):
        out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def test_it_stands_in_front_of_the_cluster_of_a_context_and_only_reads(home: Path, tmp_path: Path) -> None:
    sandbox = SandboxAPIServer(tmp_path / "cluster", clock=time.time)
    await sandbox.start()
    own_cluster(sandbox, sandbox.token, tmp_path / "config")
    environ = {"PATH": "", "HOME": str(home), "TMPDIR": str(home), "KUBECONFIG": str(tmp_path / "config")}
    code, out, err = await ended("--check", "--context", "My_Cluster", environ=environ)
    seen = {(one.user, one.method, one.target.partition("?")[0]) for one in sandbox.seen if one.user == "alice"}
    own_cluster(sandbox, "wrong", tmp_path / "config")
    refused = await ended("--check", "--context", "My_Cluster", environ=environ)
    await sandbox.stop()
    assert (code, "✗" in out) == (0, False), out + err
    assert list(home.iterdir()) == []
    assert seen == {
        ("alice", "GET", "/api/v1/namespaces/default/pods"),
        ("alice", "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews"),
    }
    assert refused[:2] == (1, "")
    assert "kwit cannot stand in front of my-cluster with the account of that context:\n" in refused[2]
    assert "the cluster does not accept kwit's credential (401)" in refused[2]

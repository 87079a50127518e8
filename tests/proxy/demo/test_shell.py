"""The demo's shell, in the sandbox itself: kubectl's way and our own show the same and end alike."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deploy.sandbox.apiserver import SandboxAPIServer
from proxy.demo import shell
from proxy.demo.direct import Direct
from proxy.demo.furniture import furnish
from proxy.demo.terminal import Keys

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX's")


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[SandboxAPIServer]:
    sandbox = SandboxAPIServer(tmp_path / "sandbox", clock=time.time)
    await sandbox.start()
    await furnish(sandbox.url, sandbox.ca_pem, sandbox.token)
    yield sandbox
    await sandbox.stop()


async def test_our_own_client_sees_what_a_person_would(sandbox: SandboxAPIServer) -> None:
    certificate, key = sandbox.client_certificate("alice")
    sat = await shell.by_socket(Direct(sandbox.url, sandbox.ca_pem, certificate, key))
    assert sat.code == 0
    assert all(word in sat.shown for word in shell.SAYS), sat.shown
    assert sat.typed == b"".join(keys.typed for keys in shell.SCRIPT)
    assert sat.shown.count(b"web-1$ ") == len(shell.LINES)


async def test_a_shell_that_is_refused_is_an_error_of_the_connection(sandbox: SandboxAPIServer) -> None:
    certificate, key = sandbox.client_certificate("rita", ("kwit:readonly",))
    with pytest.raises(ConnectionError, match="403"):
        await shell.by_socket(Direct(sandbox.url, sandbox.ca_pem, certificate, key))


def test_the_script_types_each_line_at_a_prompt_and_ends() -> None:
    assert shell.SCRIPT[0] == Keys(b"web-1$ ", b"echo I am in $HOSTNAME\r")
    assert shell.LINES[-1] == "exit"


def test_the_log_has_three_records_of_each_by_the_method_that_the_cluster_saw() -> None:
    what, by = ("pods/web-1/exec", "shop"), ("developer", "allow[3]")
    assert shell.lines(["GET", "POST"]) == [
        (action, *what, *told, *by)
        for action in ("get", "create")
        for told in (("intent", ""), ("started", "101"), ("done", "101"))
    ]


def test_this_machine_has_the_programs_that_the_script_calls() -> None:
    assert all(any(Path(part, name).exists() for part in os.defpath.split(os.pathsep)) for name in ("sh", "ls", "cat"))

"""The shop is furnished by the cluster's own API, once."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from deploy.sandbox.apiserver import SandboxAPIServer
from proxy.cli.client.problem import Problem
from proxy.demo.furniture import OPERATOR, furnish, objects


async def test_what_is_there_already_is_left(tmp_path: Path) -> None:
    sandbox = SandboxAPIServer(tmp_path, clock=time.time)
    await sandbox.start()
    for _ in range(2):
        await furnish(sandbox.url, sandbox.ca_pem, sandbox.token)
    seen = [(one.user, one.method, one.target) for one in sandbox.seen]
    assert seen == [(OPERATOR, "POST", path) for path, _ in objects()] * 2
    with pytest.raises(Problem, match=r"^the sandbox does not take /api/v1/namespaces: 401 "):
        await furnish(sandbox.url, sandbox.ca_pem, "wrong")
    await sandbox.stop()
    with pytest.raises(Problem, match=r"^the sandbox does not answer: "):
        await furnish(sandbox.url, sandbox.ca_pem, sandbox.token)

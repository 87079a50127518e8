"""Promise 4, Closed: what cannot be recorded, decided or known is refused with a sentence; nothing opens."""

from __future__ import annotations

import asyncio
import errno
import os

import pytest

from auth.state.store import StoreError
from proxy.app import StartError
from tests.promises.conftest import Turned, Upstream
from tests.proxy.running import Running, run

PODS = "/api/v1/namespaces/default/pods"


def fails(number: int):
    def failing(*_args: object) -> int:
        raise OSError(number, os.strerror(number))

    return failing


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EDQUOT])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_no_log_no_request_and_it_resumes_by_itself(
    method: str, number: int, running: Running, upstream: Upstream, ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert running.app.kube is not None
    log = running.app.kube.writer.log
    with monkeypatch.context() as broken:
        broken.setattr(log._disk, "write", fails(number))
        first, second = await ask(method, PODS), await ask(method, PODS)
        assert [first.status, second.status] == [503, 503]
        # a read is how it is found out: it was asked before its record failed, and its answer was held back
        assert len(upstream.seen) == (1 if method == "GET" else 0)
        assert f"cannot be written ({os.strerror(number)}); nothing is done without a record" in second.message
        assert (await running.operations("/readyz"))[0] == 503
        assert "kwit_log_available 0\n" in (await running.operations("/metrics"))[1]
    async with asyncio.timeout(10):
        while not log.available:
            await asyncio.sleep(0.02)
    assert (await ask(method, PODS)).status == 200
    assert (await running.operations("/readyz"))[0] == 200


async def test_a_state_that_is_too_old_refuses_everything(
    running: Running, upstream: Upstream, ask, clock: Turned, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unreadable() -> int:
        raise StoreError("the state in state.db cannot be used: disk I/O error")

    monkeypatch.setattr(running.app.in_force._store, "generation", unreadable)
    assert (await ask("GET", PODS)).status == 200
    clock.ahead = 61.0
    await running.app.in_force.refresh_state(clock())
    answer = await ask("GET", PODS)
    assert (answer.status, len(upstream.seen)) == (503, 1)
    assert answer.message == (
        "the proxy cannot read its state and refuses everything until it can; tell your platform team"
    )
    status, text = await running.operations("/readyz")
    assert status == 503
    assert "[-]state the state in state.db cannot be used: disk I/O error" in text


async def test_nothing_is_issued_while_the_state_or_the_log_is_gone(
    running: Running, ada, monkeypatch: pytest.MonkeyPatch
) -> None:
    del ada
    engineer = running.engineer
    wanted = {"cluster": "staging", "csr": engineer.csr()}
    assert running.app.web is not None
    with monkeypatch.context() as broken:
        broken.setattr(running.app.web.writer.log._disk, "write", fails(errno.ENOSPC))
        answer = await engineer.call("POST", "/api/v1/certificates", wanted)
        assert answer.status == 503
        assert "certificate" not in await answer.json()

    async def unwritable(*_args: object) -> None:
        raise StoreError("gone")

    with monkeypatch.context() as broken:
        broken.setattr(type(running.app.in_force._store), "add_certificate", unwritable)
        answer = await engineer.call("POST", "/api/v1/certificates", wanted)
        assert answer.status == 503
        assert "certificate" not in await answer.json()


async def test_unreadable_roles_start_nothing_and_no_roles_allow_nothing(kwit_yaml, upstream: Upstream) -> None:
    roles = kwit_yaml.parent / "roles" / "roles.yaml"
    text = roles.read_text()
    roles.write_text("kind: [")
    with pytest.raises(StartError, match="the roles in"):
        async with run(kwit_yaml):
            pass
    roles.unlink()
    async with run(kwit_yaml) as running:
        answer = await running.engineer.sign_in()
        assert answer["clusters"] == []
        refused = await running.engineer.call(
            "POST", "/api/v1/certificates", {"cluster": "staging", "csr": running.engineer.csr()}
        )
        assert refused.status == 403
    roles.write_text(text)
    assert upstream.seen == []

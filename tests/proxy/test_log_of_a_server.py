"""Claims about the log of a whole server: it seals and removes its own segments, verifies, and can be asked."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from recordings.audit import sealing
from recordings.audit.note import PublicKey
from recordings.audit.query import newest
from recordings.audit.question import Question
from recordings.audit.record import Outcome, RecordType
from recordings.audit.segments import is_sealed, segments
from recordings.audit.sql import LogDatabase
from recordings.audit.verify import verify
from tests.auth.connectors.provider import Provider
from tests.e2e.cluster import free_ports
from tests.proxy.running import Running, configuration, run


@pytest.fixture
async def running(provider: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Running]:
    """A server whose keeper looks all the time, and may keep 2 MiB; only its worker's log is sealed."""
    (closed,) = free_ports(1)
    monkeypatch.setattr("proxy.log_keeper.LogKeeper.seconds", 0.05)
    monkeypatch.setattr("proxy.log_keeper._work", work_at_once)
    audit = {"segment_bytes": "1MiB", "retention_size": "2MiB"}
    async with run(configuration(tmp_path, provider.issuer, closed, audit=audit)) as running:
        yield running


def work_at_once(root: str, now: float, pipe: Any) -> None:
    """In the sealing process: a segment is sealed as soon as it has a successor."""
    from recordings.audit.housekeeping import housekeep

    pipe.send(housekeep(Path(root), now + sealing.SETTLE_SECONDS))


async def test_its_log_is_sealed_removed_by_size_whole_and_can_be_asked(running: Running) -> None:
    await running.engineer.sign_in()
    assert running.app.web is not None
    log = running.app.web.writer.log
    directory = running.config.audit_directory
    draw = random.Random(7)
    for _ in range(16):
        noise = draw.randbytes(200_000).hex()  # which does not compress to nothing
        await log.durable(log.append(RecordType.CONFIG_CHANGE, Outcome.DONE, body={"what": noise}))
    async with asyncio.timeout(60):
        while not newest(directory, Question(type=RecordType.LOG_REMOVED), 1):
            await asyncio.sleep(0.02)
    (key,) = directory.glob("root.pub")
    (web,) = (path for path in directory.iterdir() if path.name.endswith("-web"))
    async with asyncio.timeout(30):
        while segments(web)[0].name.startswith(f"{1:020d}.") or not any(is_sealed(path) for path in segments(web)):
            await asyncio.sleep(0.02)
    found = verify(directory, PublicKey.parse(key.read_text().strip()), patience=lambda: False)
    assert [finding.kind for one in found for finding in one.findings if finding.kind != "unsigned"] == []
    assert {one.directory: one.removed > 0 for one in found}[web.name]
    with LogDatabase(directory) as database:
        ((count,),) = database.ask("SELECT count(*) FROM records WHERE type = 'log.removed'").rows
    assert count >= 1
    answer = await running.engineer.call("POST", "/api/v1/audit/search", {"verb": "nothing"})
    assert (answer.status, await answer.json()) == (200, {"records": [], "more": False})
    assert [one["body"]["how"] for one in running.records(RecordType.AUDIT_READ)] == ["search"]

import asyncio

import pytest

from proxy.config import Config
from proxy.log_writer import LogWriter
from recordings.audit.note import PublicKey
from recordings.audit.proof import check_proof
from recordings.audit.prove import prove
from recordings.audit.query import oldest_first
from recordings.audit.question import Question
from recordings.audit.record import Outcome, RecordType
from recordings.audit.rollup import FLUSH_COUNT, FLUSH_SECONDS
from recordings.audit.verify import verify
from recordings.errors import LogUnavailableError

TEXT = """\
installation: example
data_dir: data
kube: {url: "https://localhost:8443"}
web: {url: "https://localhost:8444"}
connectors: [{type: oidc, name: corp, issuer: "https://id.example.com", client_id: kwit, client_secret_file: s}]
audit: {segment_bytes: 1MiB}
"""


class Clock:
    now = 1_800_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def writer(tmp_path, clock):
    (tmp_path / "data").mkdir()
    config = Config.parse(TEXT, path=tmp_path / "kwit.yaml")
    writer = LogWriter(config, "node-0", loop=asyncio.get_running_loop(), clock=clock, mono=clock)
    await writer.open()
    yield writer
    if writer.log.available:
        await writer.close()


def counts(folder):
    records = oldest_first(folder / "data" / "audit", Question())
    return [record["body"]["counts"] for record in records if record["type"] == "refusals.rollup"]


async def test_a_record_of_ours_is_durable_when_it_returns(writer, tmp_path):
    body = {"reason": "logout"}
    await writer.record(RecordType.USER_LOGOUT, {"outcome": Outcome.DONE, "body": body, "source": "10.0.0.1"})
    (found,) = [r for r in oldest_first(tmp_path / "data" / "audit", Question()) if r["type"] == "user.logout"]
    assert (found["body"], found["source"], found["outcome"]) == (body, "10.0.0.1", "done")


async def test_refusals_are_counted_and_written_when_they_are_due(writer, tmp_path, clock):
    for source in ("10.0.0.1", "10.0.0.9", "10.0.1.1"):
        writer.refused("no_certificate", source)
    writer.sweep()
    assert counts(tmp_path) == []
    clock.now += FLUSH_SECONDS
    writer.sweep()
    writer.sweep()
    assert counts(tmp_path) == [
        [
            {"reason": "no_certificate", "source": "10.0.0.0/24", "count": 2},
            {"reason": "no_certificate", "source": "10.0.1.0/24", "count": 1},
        ]
    ]


async def test_a_flood_is_written_without_waiting(writer, tmp_path):
    for _ in range(FLUSH_COUNT):
        writer.refused("plain_http", "10.0.0.1")
    assert counts(tmp_path) == [[{"reason": "plain_http", "source": "10.0.0.0/24", "count": FLUSH_COUNT}]]


async def test_what_is_left_is_written_at_the_end(writer, tmp_path):
    writer.refused("plain_http", "10.0.0.1")
    await writer.close()
    assert counts(tmp_path) == [[{"reason": "plain_http", "source": "10.0.0.0/24", "count": 1}]]


async def test_a_count_that_could_not_be_written_is_not_lost(writer, tmp_path, clock, monkeypatch):
    writer.refused("plain_http", "10.0.0.1")
    clock.now += FLUSH_SECONDS

    def fails(*_args, **_more):
        raise LogUnavailableError("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(writer.log, "append", fails)
        writer.sweep()
    writer.refused("no_certificate", "10.0.0.1")
    writer.sweep()
    assert counts(tmp_path) == [
        [{"reason": "plain_http", "source": "10.0.0.0/24", "count": 1}],
        [{"reason": "no_certificate", "source": "10.0.0.0/24", "count": 1}],
    ]


async def test_what_it_writes_verifies_with_the_public_key_alone(writer, tmp_path):
    await writer.record(RecordType.USER_LOGOUT, {"outcome": Outcome.DONE, "body": {"reason": "logout"}})
    audit = tmp_path / "data" / "audit"
    root = PublicKey.parse((audit / "root.pub").read_text().strip())
    (verdict,) = verify(audit, root)
    assert (verdict.is_whole, verdict.origin, verdict.records) == (True, "example/node-0", 2)
    (record,) = [r for r in oldest_first(audit, Question()) if r["type"] == "user.logout"]
    (checkpoint,) = check_proof(prove(audit, record["id"]), root)
    assert checkpoint.size == verdict.size


async def test_a_root_key_that_others_may_read_stops_the_start(tmp_path, clock):
    config = Config.parse(TEXT, path=tmp_path / "kwit.yaml")
    loop = asyncio.get_running_loop()
    LogWriter(config, "node-0", loop=loop, clock=clock, mono=clock)
    (tmp_path / "data" / "ca" / "audit-root.key").chmod(0o644)
    with pytest.raises(LogUnavailableError, match="readable by others"):
        LogWriter(config, "node-0", loop=loop, clock=clock, mono=clock)

"""Processes are tried in test_server.py; here is what the supervisor says of them."""

from proxy import supervisor
from proxy.app import Report, StartError
from proxy.metrics import Metrics
from proxy.supervisor import SILENT_SECONDS, Supervisor, Worker


def worker(report: Report, heard_at: float) -> Worker:
    made = Worker(None, 0)  # type: ignore[arg-type]
    made._pipe, made._report, made._heard_at = object(), report, heard_at  # type: ignore[assignment]
    return made


def test_one_that_was_not_started_is_not_ready() -> None:
    made = Supervisor(None, 2, say=print)  # type: ignore[arg-type]
    assert made.reports() == [Report(Metrics(), "not started", "not started")] * 2


def test_one_that_hangs_is_not_ready_and_its_counts_stay() -> None:
    counted = Metrics(malformed=3)
    report = Report(counted)
    assert worker(report, 100.0).report(100.0 + SILENT_SECONDS) is report
    late = worker(report, 100.0).report(100.1 + SILENT_SECONDS)
    assert late == Report(counted, *["has not reported for 5 s"] * 2)


async def test_one_that_ended_writes_no_log_until_it_is_back() -> None:
    made = worker(Report(Metrics(malformed=3)), 0.0)
    made._pipe = None
    made._gone()
    assert made.report(1e9) == Report(Metrics(malformed=3), *["ended; it is started again"] * 2)


class Stubborn:
    """A worker that ended, and starts at the third attempt."""

    number, exit_code = 0, 9

    def __init__(self) -> None:
        self.attempts = 0

    async def start(self) -> None:
        self.attempts += 1
        if self.attempts < 3:
            raise StartError("the disk is full")


async def test_a_worker_that_cannot_start_is_tried_again_ever_more_patiently(monkeypatch) -> None:
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(supervisor.asyncio, "sleep", sleep)
    said: list[str] = []
    stubborn = Stubborn()
    await Supervisor(None, 0, say=said.append)._again(stubborn)  # type: ignore[arg-type]
    assert stubborn.attempts == 3
    assert waited == [1.0, 2.0, 4.0]
    assert said == [
        "worker 0: the disk is full; tried again in 2 s",
        "worker 0: the disk is full; tried again in 4 s",
    ]

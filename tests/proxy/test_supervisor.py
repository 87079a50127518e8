"""Processes are tried in test_server.py; here is what the supervisor says of them."""

from proxy.app import Report
from proxy.metrics import Metrics
from proxy.supervisor import SILENT_SECONDS, Supervisor, Worker


def worker(report: Report, heard_at: float) -> Worker:
    made = Worker(None, 0)  # type: ignore[arg-type]
    made._pipe, made._report, made._heard_at = object(), report, heard_at  # type: ignore[assignment]
    return made


def test_one_that_was_not_started_is_not_ready() -> None:
    supervisor = Supervisor(None, 2, say=print)  # type: ignore[arg-type]
    assert [report.problem for report in supervisor.reports()] == ["not started", "not started"]


def test_one_that_hangs_is_not_ready_and_its_counts_stay() -> None:
    counted = Metrics(malformed=3)
    report = Report(counted)
    assert worker(report, 100.0).report(100.0 + SILENT_SECONDS) is report
    late = worker(report, 100.0).report(100.1 + SILENT_SECONDS)
    assert late == Report(counted, "has not reported for 5 s")

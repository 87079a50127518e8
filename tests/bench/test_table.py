"""Claims about `tests/bench/table.py`."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bench.rounds import Round
from tests.bench.scenarios import SCENARIOS, Mode, Scenario
from tests.bench.table import MIB, Row, ciphers, goals, ratio, summary, table

GET = Scenario("get-2", "1 KB GET, {connections} connections", Mode.REQUESTS, "/x", 2, 1.0, 2, goal=2.5)
ONE = Scenario("get-1", "1 KB GET, {connections} connection", Mode.REQUESTS, "/x", 1, 1.0, 2)
WATCH = Scenario("watch", "{connections} watches", Mode.WATCHES, "/x", 1024, 1.0, 1)
UPLOAD = Scenario("upload", "{gib:g} GiB body", Mode.UPLOAD, "/x", 1, 0.0, 1, upload_bytes=4 * MIB)

ROUND = Round(
    operations=1000,
    errors=0,
    first_error="",
    seconds=2.0,
    cpu_seconds=0.1,
    upstream_cpu_seconds=0.05,
    p50_us=200.0,
    p99_us=900.0,
    rss_before=10 * MIB,
    rss_after=12 * MIB,
    rss_peak=13 * MIB,
    cipher="TLS_AES_128_GCM_SHA256",
)
ROW = Row(
    scenario="get-2",
    contender="kwit",
    operations=1000,
    errors=0,
    first_error="",
    cpu_us=100.0,
    upstream_cpu_us=50.0,
    rate=500.0,
    p50_us=200.0,
    p99_us=900.0,
    rss=13 * MIB,
    grown=3 * MIB,
    cipher="TLS_AES_128_GCM_SHA256",
)


def test_a_row_of_one_round_is_that_round() -> None:
    assert summary(GET, "kwit", [ROUND]) == ROW


def test_of_several_rounds_the_least_cpu_and_latency_and_the_highest_rate_count() -> None:
    noisy = replace(ROUND, cpu_seconds=0.3, upstream_cpu_seconds=0.2, seconds=4.0, p50_us=300.0, p99_us=800.0)

    assert summary(GET, "kwit", [noisy, ROUND]) == replace(ROW, operations=2000, p99_us=800.0)


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=6))
def test_a_further_round_never_makes_the_cpu_figure_worse(cpu: list[float]) -> None:
    rounds = [replace(ROUND, cpu_seconds=one) for one in cpu]

    figures = [summary(GET, "kwit", rounds[: i + 1]).cpu_us for i in range(len(rounds))]

    assert figures == sorted((one for one in figures if one is not None), reverse=True)


def test_a_round_without_operations_counts_as_its_errors_only() -> None:
    broken = replace(ROUND, operations=0, errors=7, first_error="status 503 instead of 200", cpu_seconds=0.0)

    assert summary(GET, "kwit", [broken, ROUND]) == replace(ROW, errors=7, first_error="status 503 instead of 200")
    assert summary(GET, "kwit", [broken]).cpu_us is None


def test_upstream_itself_is_charged_nothing() -> None:
    assert summary(GET, "direct", [ROUND]).cpu_us is None


def test_a_watch_is_what_memory_remains_at_the_end_and_has_no_latency() -> None:
    row = summary(WATCH, "kwit", [ROUND])

    assert (row.grown, row.p50_us, row.p99_us) == (2 * MIB, None, None)


def test_an_upload_is_counted_in_mebibytes_and_by_its_highest_memory() -> None:
    row = summary(UPLOAD, "kwit", [replace(ROUND, operations=1)])

    assert (row.cpu_us, row.rate, row.grown) == (0.1e6 / 4, 2.0, 3 * MIB)


@pytest.mark.parametrize("reference", [None, replace(ROW, cpu_us=None), replace(ROW, cpu_us=0.0)])
def test_there_is_no_ratio_without_a_reference(reference: Row | None) -> None:
    assert ratio(ROW, reference) is None


def test_the_table_compares_each_scenario_with_its_own_nginx_and_shows_errors() -> None:
    rows = {
        ("get-2", "nginx"): replace(ROW, contender="nginx", cpu_us=50.0),
        ("get-2", "kwit"): replace(ROW, errors=3),
        ("watch", "nginx"): replace(ROW, scenario="watch", contender="nginx", cpu_us=200.0, p50_us=None, p99_us=None),
        ("watch", "kwit"): replace(ROW, scenario="watch", p50_us=None, p99_us=None),
    }

    text = table([GET, WATCH], rows)

    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()[2:]]
    assert cells == [
        ["1 KB GET, 2 connections", "nginx", "50.0", "1.00", "500", "0.20", "0.90", "50.0", "13"],
        ["", "kwit (3 errors)", "100.0", "2.00", "500", "0.20", "0.90", "50.0", "13"],
        ["1024 watches", "nginx", "200.0", "1.00", "500", "", "", "50.0", "13 (3 KiB/watch)"],
        ["", "kwit", "100.0", "0.50", "500", "", "", "50.0", "13 (3 KiB/watch)"],
    ]
    assert len({len(line) for line in text.splitlines()}) == 1


def test_each_goal_is_judged_and_a_missed_one_says_so() -> None:
    rows = {
        ("get-1", "direct"): replace(ROW, scenario="get-1", contender="direct", cpu_us=None, p50_us=100.0),
        ("get-1", "kwit"): replace(ROW, scenario="get-1", p50_us=350.0),
        ("get-2", "nginx"): replace(ROW, contender="nginx", cpu_us=20.0),
        ("get-2", "kwit"): ROW,
        ("watch", "kwit"): replace(ROW, scenario="watch", grown=110 * MIB),
    }

    assert goals([ONE, GET, WATCH], rows) == [
        "met    1 KB GET, 1 connection: added p50 0.25 ms (goal: at most 0.3 ms)",
        "MISSED 1 KB GET, 2 connections: CPU against nginx 5.00x (goal: at most 2.5x)",
        "met    1024 watches: memory for each 110 KiB (goal: at most 110 KiB)",
    ]


def test_a_goal_is_silent_where_nginx_or_we_are_missing() -> None:
    assert goals([GET], {("get-2", "kwit"): ROW}) == []
    assert goals([GET], {("get-2", "nginx"): ROW}) == []


def test_contenders_are_listed_by_the_cipher_that_they_spoke() -> None:
    rows = {
        ("get-2", "nginx"): replace(ROW, contender="nginx", cipher="A"),
        ("get-2", "kwit"): replace(ROW, cipher="B"),
        ("get-1", "direct"): replace(ROW, contender="direct", cipher="A"),
    }

    assert ciphers(rows) == "direct, nginx: A; kwit: B"


def test_scenarios_have_names_of_their_own_and_quick_ones_keep_what_they_ask() -> None:
    assert len({one.name for one in SCENARIOS}) == len(SCENARIOS)
    for one in SCENARIOS:
        quick = one.quick
        assert (quick.name, quick.mode, quick.path, quick.goal) == (one.name, one.mode, one.path, one.goal)
        assert quick.seconds <= one.seconds
        assert quick.rounds <= one.rounds

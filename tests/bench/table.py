"""Rounds → rows → the table. Pure: takes numbers, gives text.

Of several rounds the smallest CPU and latency and the highest rate count: noise of a shared machine only ever adds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.bench.rounds import Round
from tests.bench.scenarios import Mode, Scenario

REFERENCE = "nginx"
OURS = "kwit"
DIRECT = "direct"
MEMORY_GOAL_KIB = 110.0
"""RSS for each held watch, upstream connection included."""
ADDED_P50_GOAL_MS = 0.3
"""Over asking upstream directly, at one connection."""

MIB = 1024 * 1024
HEAD = ("scenario", "contender", "CPU µs/op", "of nginx", "op/s", "p50 ms", "p99 ms", "upstream CPU µs/op", "RSS MiB")


@dataclass(frozen=True, slots=True)
class Row:
    """One contender in one scenario. CPU microseconds for each operation; bytes.

    An operation is an answered request, an event of a watch, or a MiB of a body. `grown` is what the connections of
    the round added to the RSS; None where a CPU figure or a latency would say nothing.
    """

    scenario: str
    contender: str
    operations: int
    errors: int
    first_error: str
    cpu_us: float | None
    upstream_cpu_us: float
    rate: float
    p50_us: float | None
    p99_us: float | None
    rss: int
    grown: int
    cipher: str


def summary(scenario: Scenario, contender: str, rounds: Sequence[Round]) -> Row:
    """`rounds` is not empty; a round without operations counts as its errors only."""
    good = [one for one in rounds if one.operations]
    scale = scenario.upload_bytes / MIB if scenario.mode is Mode.UPLOAD else 1.0
    timed = good if scenario.mode in (Mode.REQUESTS, Mode.CONNECTS) else []
    return Row(
        scenario=scenario.name,
        contender=contender,
        operations=sum(one.operations for one in rounds),
        errors=sum(one.errors for one in rounds),
        first_error=next((one.first_error for one in rounds if one.first_error), ""),
        cpu_us=None
        if contender == DIRECT or not good
        else min(one.cpu_seconds * 1e6 / one.operations / scale for one in good),
        upstream_cpu_us=min((one.upstream_cpu_seconds * 1e6 / one.operations / scale for one in good), default=0.0),
        rate=max((one.operations * scale / one.seconds for one in good), default=0.0),
        p50_us=min((one.p50_us for one in timed), default=None),
        p99_us=min((one.p99_us for one in timed), default=None),
        rss=max(one.rss_peak for one in rounds),
        grown=max(
            (one.rss_after if scenario.mode is Mode.WATCHES else one.rss_peak) - one.rss_before for one in rounds
        ),
        cipher=rounds[0].cipher,
    )


def ratio(row: Row, reference: Row | None) -> float | None:
    """CPU against the reference's, or None where either is unknown."""
    if row.cpu_us is None or reference is None or not reference.cpu_us:
        return None
    return row.cpu_us / reference.cpu_us


def table(scenarios: Sequence[Scenario], rows: Mapping[tuple[str, str], Row]) -> str:
    """GitHub's Markdown, columns padded so that it reads in a terminal as well."""
    lines = [HEAD]
    for scenario in scenarios:
        reference = rows.get((scenario.name, REFERENCE))
        title = scenario.title
        for (name, contender), row in rows.items():
            if name != scenario.name:
                continue
            lines.append(
                (
                    title,
                    contender + (f" ({row.errors} errors)" if row.errors else ""),
                    _number(row.cpu_us, 1),
                    _number(ratio(row, reference), 2),
                    _number(row.rate, 0),
                    _number(None if row.p50_us is None else row.p50_us / 1000, 2),
                    _number(None if row.p99_us is None else row.p99_us / 1000, 2),
                    _number(row.upstream_cpu_us, 1),
                    "" if contender == DIRECT else _memory(scenario, row),
                )
            )
            title = ""
    return _aligned(lines)


def _memory(scenario: Scenario, row: Row) -> str:
    if scenario.mode is Mode.WATCHES:
        return f"{row.rss / MIB:.0f} ({row.grown / scenario.connections / 1024:.0f} KiB/watch)"
    if scenario.mode is Mode.UPLOAD:
        return f"{row.rss / MIB:.0f} (+{row.grown / MIB:.1f})"
    return f"{row.rss / MIB:.0f}"


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:,.{digits}f}"


def _aligned(lines: Sequence[Sequence[str]]) -> str:
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEAD))]
    texts = [
        "| "
        + " | ".join(
            cell.ljust(w) if i < 2 else cell.rjust(w) for i, (cell, w) in enumerate(zip(line, widths, strict=True))
        )
        + " |"
        for line in lines
    ]
    rule = "|" + "|".join("-" * (w + 2) if i < 2 else "-" * (w + 1) + ":" for i, w in enumerate(widths)) + "|"
    return "\n".join([texts[0], rule, *texts[1:]])


def goals(scenarios: Sequence[Scenario], rows: Mapping[tuple[str, str], Row]) -> list[str]:
    """A sentence for each goal that this run can judge."""
    said = []
    for scenario in scenarios:
        ours, reference = rows.get((scenario.name, OURS)), rows.get((scenario.name, REFERENCE))
        if ours is None:
            continue
        against = ratio(ours, reference)
        if scenario.goal is not None and against is not None:
            said.append(_goal(f"{scenario.title}: CPU against nginx", against, scenario.goal, "x", 2))
        direct = rows.get((scenario.name, DIRECT))
        if scenario.name == "get-1" and direct is not None and ours.p50_us is not None and direct.p50_us is not None:
            added = (ours.p50_us - direct.p50_us) / 1000
            said.append(_goal(f"{scenario.title}: added p50", added, ADDED_P50_GOAL_MS, " ms", 2))
        if scenario.mode is Mode.WATCHES:
            each = ours.grown / scenario.connections / 1024
            said.append(_goal(f"{scenario.title}: memory for each", each, MEMORY_GOAL_KIB, " KiB", 0))
    return said


def ciphers(rows: Mapping[tuple[str, str], Row]) -> str:
    """Which contender spoke which suite to its client: they choose by their own defaults, and lists feel it."""
    spoken: dict[str, set[str]] = {}
    for row in rows.values():
        spoken.setdefault(row.cipher, set()).add(row.contender)
    return "; ".join(f"{', '.join(sorted(who))}: {cipher}" for cipher, who in sorted(spoken.items()))


def _goal(what: str, value: float, limit: float, unit: str, digits: int) -> str:
    verdict = "met" if value <= limit else "MISSED"
    return f"{verdict:6} {what} {value:.{digits}f}{unit} (goal: at most {limit:g}{unit})"

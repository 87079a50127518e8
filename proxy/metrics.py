"""Every metric we keep, in one table, in Prometheus' text format. Label values are bounded: cluster names and codes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from auth.locks import Lock, LockKind

HELP = {
    "kwit_requests_total": "Requests answered, by cluster and status code.",
    "kwit_connections": "Open client connections.",
    "kwit_handshake_failures_total": "TLS handshakes that failed, by reason.",
    "kwit_malformed_total": "Connections closed because of bytes that are not HTTP/1.1 as we accept it.",
    "kwit_log_available": "1 while the audit log can be written.",
    "kwit_locks": "Locks in force, by what they name.",
    "kwit_export_lag_seconds": "Age of the oldest record that an export has not read, by export.",
}


def locks_page(locks: Iterable[Lock]) -> str:
    """The family of what is locked, every kind of target, also those without any."""
    counts = Counter(lock.target.kind for lock in locks)
    samples = [f'kwit_locks{{kind="{kind}"}} {counts[kind]}\n' for kind in LockKind]
    return f"# HELP kwit_locks {HELP['kwit_locks']}\n# TYPE kwit_locks gauge\n" + "".join(samples)


def total(parts: Iterable[Metrics]) -> Metrics:
    """The sum of several workers' counters."""
    whole = Metrics()
    for part in parts:
        whole.requests += part.requests
        whole.handshake_failures += part.handshake_failures
        whole.malformed += part.malformed
        whole.connections += part.connections
    return whole


@dataclass(slots=True)
class Metrics:
    """Counters of one worker."""

    requests: Counter[tuple[str, int]] = field(default_factory=Counter)
    handshake_failures: Counter[str] = field(default_factory=Counter)
    malformed: int = 0
    connections: int = 0

    def render(self, *, log_available: bool) -> str:
        """The page of /metrics."""
        lines: list[str] = []

        def family(name: str, kind: str, samples: list[tuple[str, int]]) -> None:
            lines.append(f"# HELP {name} {HELP[name]}")
            lines.append(f"# TYPE {name} {kind}")
            lines.extend(f"{name}{labels} {value}" for labels, value in samples)

        family(
            "kwit_requests_total",
            "counter",
            [(f'{{cluster="{cluster}",code="{code}"}}', n) for (cluster, code), n in sorted(self.requests.items())],
        )
        family("kwit_connections", "gauge", [("", self.connections)])
        family(
            "kwit_handshake_failures_total",
            "counter",
            [(f'{{reason="{reason}"}}', n) for reason, n in sorted(self.handshake_failures.items())],
        )
        family("kwit_malformed_total", "counter", [("", self.malformed)])
        family("kwit_log_available", "gauge", [("", int(log_available))])
        return "\n".join(lines) + "\n"

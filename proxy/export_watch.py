"""The watch over exports that the configuration names: a record when one falls behind, and when it has caught up.

An export reads the log in a process of its own, and nothing waits for it; so nobody would notice its end until
retention has taken what it should have read. There is one watch in an installation's directory, in the process that has
the web listener.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from proxy.config_audit import Export
from proxy.log_keeper import Record
from proxy.metrics import HELP
from proxy.rounds import Rounds
from recordings.audit.export_lag import BEHIND, CAUGHT_UP, ExportLag, lag_of
from recordings.audit.record import Outcome, RecordType
from recordings.errors import LogUnavailableError


class ExportWatch(Rounds):
    """A round is one look at all exports."""

    what = "the watch over exports"

    def __init__(
        self,
        root: Path,
        exports: Sequence[Export],
        record: Record,
        *,
        retention_age: float | None,
        clock: Callable[[], float],
        say: Callable[[str], None],
    ) -> None:
        self._root, self._exports, self._record = root, exports, record
        super().__init__(say)
        self._retention_age, self._clock = retention_age, clock
        self._told: dict[str, tuple[str, int, str]] = {}
        """What the log says of each: its state, how many records it lost, and why nothing is known."""
        self._lags: dict[str, ExportLag] = {}

    async def round(self) -> None:
        """Look at each, and record what has changed."""
        for export in self._exports:
            try:
                lag = await asyncio.to_thread(lag_of, self._root, export.cursor, self._clock())
                self._lags[export.name] = lag
                await self._tell(export, lag)
            except LogUnavailableError:
                return  # the log says so itself; the next look tells
            except OSError as error:
                self._say(f"{self.what}: {export.name}: {error}")

    async def _tell(self, export: Export, lag: ExportLag) -> None:
        state = lag.state(export.lag)
        now = (state, lag.lost, lag.cause)
        if self._told.get(export.name, (CAUGHT_UP, 0, "")) == now:
            return
        outcome = Outcome.FAILED if state == BEHIND else Outcome.DONE
        body = lag.body(export.name, export.lag, self._retention_age)
        await self._record(RecordType.EXPORT_LAG, {"outcome": outcome, "body": body})
        self._told[export.name] = now
        self._say(f"export {export.name}: {sentence(lag) if state == BEHIND else CAUGHT_UP}")

    def page(self) -> str:
        """The metrics of all exports that were looked at."""
        name = "kwit_export_lag_seconds"
        samples = [f'{name}{{export="{export}"}} {int(lag.seconds)}\n' for export, lag in sorted(self._lags.items())]
        return f"# HELP {name} {HELP[name]}\n# TYPE {name} gauge\n" + "".join(samples) if samples else ""


def sentence(lag: ExportLag) -> str:
    """What is wrong with it, for the operator."""
    parts = [f"behind by {int(lag.seconds)} s" + (f", from {lag.segment} on" if lag.segment else "")]
    if lag.lost:
        parts.append(f"{lag.lost:,} records were removed before it read them")
    if lag.cause:
        parts.append(lag.cause)
    return "; ".join(parts)

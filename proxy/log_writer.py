"""One process's writer of the audit log: the log itself, the counts of early refusals, and records of our own."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from proxy.audit_id import RANDOM_BYTES, RandomBlock, uuid7
from proxy.config import Config
from proxy.keys import audit_root
from recordings.audit.keyring import Keyring
from recordings.audit.log import AuditLog, LogSettings
from recordings.audit.notary import Notary
from recordings.audit.record import Outcome, RecordType
from recordings.audit.rollup import Rollup
from recordings.errors import LogUnavailableError

BOOT_BYTES = 16


class LogWriter:
    """`audit/<node>-<part>/` is this process's alone; what it holds is signed under the installation's root key."""

    def __init__(
        self,
        config: Config,
        name: str,
        *,
        loop: asyncio.AbstractEventLoop,
        clock: Callable[[], float],
        mono: Callable[[], float],
    ) -> None:
        """Raises LogUnavailableError, OSError for a root key that cannot be used."""
        directory = config.audit_directory / name
        keyring = Keyring(directory, f"{config.installation}/{name}", audit_root(config))
        self.name = name
        random = RandomBlock(os.urandom)
        self._clock = clock
        self._rollup = Rollup()
        self._owed: dict[str, Any] | None = None
        self.log = AuditLog(
            LogSettings(
                directory,
                name,
                segment_bytes=config.audit.segment_bytes,
                segment_seconds=float(config.audit.segment_age),
            ),
            loop=loop,
            clock=clock,
            mono=mono,
            new_id=lambda: uuid7(clock(), random(RANDOM_BYTES)),
            boot=os.urandom(BOOT_BYTES).hex(),
            notary=Notary(keyring),
        )

    async def open(self) -> None:
        """Raises LogUnavailableError, and then nothing may be served."""
        await self.log.open()

    async def record(self, record_type: RecordType, facts: Mapping[str, Any]) -> None:
        """One record of ours, `{outcome, actor, login, source, cluster, body}`; durable when this returns.

        Raises LogUnavailableError.
        """
        await self.log.durable(self.log.append(record_type, **facts))

    def refused(self, reason: str, source: str, _detail: str = "") -> None:
        """A refusal before anybody is known: counted now, written with others by `sweep`."""
        self._rollup.add(reason, source, self._clock())
        if self._rollup.due(self._clock()):
            self.sweep()

    def sweep(self) -> None:
        """Write the counts that are due; while the log cannot be written they go on counting."""
        if self.log.available and (self._owed is not None or self._rollup.due(self._clock())):
            with suppress(LogUnavailableError):  # kept in `_owed`; the log itself says that it is not available
                self._write_counts()

    async def close(self) -> None:
        """Write the counts that are left, then end the log. Raises LogUnavailableError when that is not durable."""
        try:
            if self.log.available:
                self._write_counts()
        finally:
            await self.log.close()

    def _write_counts(self) -> None:
        """What could not be written before comes first, as it was counted then. Raises LogUnavailableError."""
        while (body := self._owed or self._rollup.take(self._clock())) is not None:
            self._owed = body
            self.log.append(RecordType.REFUSALS, Outcome.REFUSED, body=body)
            self._owed = None

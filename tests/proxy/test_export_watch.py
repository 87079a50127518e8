"""When the log says that an export is behind: once when it falls behind, once when it has caught up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from proxy.config_audit import Export
from proxy.export_watch import ExportWatch
from recordings.audit import cursor as cursors
from recordings.audit.encode import encode, rfc3339
from recordings.audit.feed import Feed
from recordings.audit.record import Outcome, RecordType
from recordings.audit.segments import segment_name
from recordings.errors import LogUnavailableError

NOW = 1_700_000_000.0


class Watched:
    """A log of one writer, one export of it, and what the watch records."""

    def __init__(self, folder: Path) -> None:
        self.now = NOW
        self.root, self.cursor = folder / "audit", folder / "siem.cursor"
        self.segment = self.root / "node-0" / segment_name(1, 0)
        self.segment.parent.mkdir(parents=True)
        self.segment.write_bytes(encode({"header": {}}))
        self.count, self.is_down = 0, False
        self.records: list[tuple[Outcome, dict[str, Any]]] = []
        self.said: list[str] = []
        export = Export(name="siem", cursor=self.cursor, lag="5m")
        self.watch = ExportWatch(
            self.root, [export], self.record, retention_age=None, clock=lambda: self.now, say=self.said.append
        )

    async def record(self, kind: RecordType, facts: Any) -> None:
        if self.is_down:
            raise LogUnavailableError("no space left")
        assert kind is RecordType.EXPORT_LAG
        self.records.append((facts["outcome"], facts["body"]))

    def write(self) -> None:
        self.count += 1
        record = {"v": 1, "seq": self.count, "id": str(self.count), "time": rfc3339(self.now), "type": "x"}
        with self.segment.open("ab") as file:
            file.write(encode(record))

    def export(self) -> None:
        feed = Feed(self.root, cursors.read(self.cursor))
        list(feed.more())
        cursors.save(self.cursor, feed.places)

    async def look(self, later: float) -> list[str]:
        """The states that were recorded by a look so many seconds later."""
        self.now += later
        before = len(self.records)
        await self.watch.round()
        return [body["state"] for _, body in self.records[before:]]


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


async def test_it_is_told_once_when_it_falls_behind_and_once_when_it_has_caught_up(watched):
    watched.write()
    watched.export()
    assert await watched.look(1) == []
    watched.write()
    assert await watched.look(300) == []
    assert await watched.look(1) == ["behind"]
    assert 'kwit_export_lag_seconds{export="siem"} 301' in watched.watch.page()
    assert await watched.look(60) == []
    watched.export()
    assert await watched.look(1) == ["caught up"]
    assert [outcome for outcome, _ in watched.records] == [Outcome.FAILED, Outcome.DONE]
    assert await watched.look(1_000) == []
    assert watched.said == [
        f"export siem: behind by 301 s, from node-0/{segment_name(1, 0)} on",
        "export siem: caught up",
    ]


async def test_an_export_that_never_began_is_told_at_once(watched):
    assert await watched.look(1) == ["behind"]
    assert "did not begin" in watched.records[0][1]["cause"]
    watched.write()
    watched.export()
    assert await watched.look(1) == ["caught up"]


async def test_while_the_log_cannot_be_written_it_waits_to_be_told(watched):
    watched.is_down = True
    assert await watched.look(1) == []
    watched.is_down = False
    assert await watched.look(1) == ["behind"]


def test_two_exports_may_not_have_one_name():
    from pydantic import ValidationError

    from proxy.config_audit import Audit

    one = {"name": "siem", "cursor": "/var/lib/kwit/siem.cursor"}
    with pytest.raises(ValidationError, match="one name"):
        Audit(exports=[one, one])

"""Claims about questions asked in a process of their own."""

from __future__ import annotations

import asyncio
import multiprocessing
from contextlib import aclosing
from pathlib import Path

import pytest

from recordings.audit import apart
from recordings.audit.answering import SqlQuestion, StoryQuestion
from recordings.audit.apart import BATCH, answered, asked, following
from recordings.audit.encode import encode, rfc3339
from recordings.audit.question import Question
from recordings.audit.segments import segment_name
from recordings.audit.visible import Visible
from recordings.errors import LogUnavailableError, QuestionError

NOW = 1_700_000_000.0
COUNT = 3 * BATCH + 7


@pytest.fixture
def root(tmp_path: Path) -> Path:
    lines = [
        encode({"v": 1, "seq": seq, "id": f"id-{seq:08d}", "time": rfc3339(NOW + seq), "type": "log.start"})
        for seq in range(1, COUNT + 1)
    ]
    (tmp_path / segment_name(1, 0)).write_bytes(encode({"header": {}}) + b"".join(lines))
    return tmp_path


async def test_records_come_in_batches_newest_first_and_a_story_by_its_id(root: Path) -> None:
    batches = [batch async for batch in asked(root, Question(type="log.start"))]
    assert [len(batch) for batch in batches] == [BATCH, BATCH, BATCH, 7]
    assert [one["seq"] for batch in batches for one in batch] == list(range(COUNT, 0, -1))
    assert [batch async for batch in asked(root, "id-00000005")] == [[batches[-1][2]]]


async def test_who_wants_no_more_leaves_no_process(root: Path) -> None:
    async with aclosing(asked(root, Question())) as batches:
        assert len(await anext(batches)) == BATCH
        assert [one.name for one in multiprocessing.active_children()] == ["kwit-asking"]
    assert multiprocessing.active_children() == []


async def test_files_that_cannot_be_read_are_an_error_and_not_no_records(tmp_path: Path) -> None:
    with pytest.raises(LogUnavailableError, match="cannot be read"):
        await anext(asked(tmp_path / "nothing", Question()))


async def test_a_question_that_takes_too_long_ends(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart, "MAX_SECONDS", 0.001)
    with pytest.raises(TimeoutError):
        await anext(asked(root, Question()))
    assert multiprocessing.active_children() == []


async def test_the_limit_ends_the_question_and_never_what_the_asker_does_meanwhile(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apart, "MAX_SECONDS", 2.0)
    async with aclosing(asked(root, Question())) as batches:
        assert len(await anext(batches)) == BATCH
        await asyncio.sleep(2.1)
        with pytest.raises(TimeoutError):
            await anext(batches)


async def test_what_may_be_seen_is_asked_of_the_asker(root: Path) -> None:
    places: list[tuple[str | None, str]] = []

    def may(cluster: str | None, namespace: str) -> bool:
        places.append((cluster, namespace))
        return True

    question = SqlQuestion("SELECT seq FROM records ORDER BY seq")
    batches = [batch async for batch in answered(root, question, Visible(("", ""), may))]
    assert [len(batch) for batch in batches] == [BATCH, BATCH, BATCH, 8]
    assert batches[0][:2] == [b'{"names":["seq"],"types":["BIGINT"]}', b"[1]"]
    assert places == [(None, "")]
    assert [one async for one in answered(root, StoryQuestion(Question(user="x")), Visible(("", ""), may))] == []


async def test_a_question_that_cannot_be_understood_is_said_and_one_without_end_is_ended(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = Visible(("", ""), lambda *_: False)
    with pytest.raises(QuestionError, match="SQL that DuckDB understands"):
        await anext(answered(root, SqlQuestion("SELEC"), nobody))
    with pytest.raises(LogUnavailableError, match="cannot be read"):
        await anext(answered(root / "nothing", StoryQuestion(Question()), nobody))
    monkeypatch.setattr(apart, "MAX_SECONDS", 1.5)
    endless = "SELECT count(*) FROM range(10000000000) a, range(10000000000) b WHERE a.range % 7 = b.range % 5"
    with pytest.raises(TimeoutError):
        await anext(answered(root, SqlQuestion(endless), nobody))
    assert multiprocessing.active_children() == []


async def test_who_follows_no_more_leaves_no_process(root: Path) -> None:
    async with aclosing(following(root, Question(), 2)) as batches:
        assert [one["seq"] for one in await anext(batches)] == [COUNT - 1, COUNT]
        assert await anext(batches) == []
    assert multiprocessing.active_children() == []

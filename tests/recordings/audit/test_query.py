"""Claims about reading a log that others write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from recordings.audit.encode import encode, rfc3339
from recordings.audit.query import Follower, newest, oldest_first, story, subjects
from recordings.audit.question import Question
from recordings.audit.segments import segment_name

NOW = 1_700_000_000.0


def line(seq: int, at: float = 0.0, **more: Any) -> bytes:
    return encode({"seq": seq, "id": f"id-{seq:08d}", "time": rfc3339(NOW + at), "type": "config.change", **more})


def write(writer: Path, first: int, *lines: bytes, attempt: int = 0, mode: str = "ab") -> Path:
    writer.mkdir(parents=True, exist_ok=True)
    path = writer / segment_name(first, attempt)
    with path.open(mode) as file:
        if file.tell() == 0:
            file.write(encode({"header": {"first_seq": first}}))
        file.write(b"".join(lines))
    return path


def seqs(records: Any) -> list[int]:
    return [record["seq"] for record in records]


def test_writers_are_merged_by_time(tmp_path: Path) -> None:
    write(tmp_path / "a", 1, line(1, 0), line(2, 3))
    write(tmp_path / "a", 3, line(3, 6))
    write(tmp_path / "b", 11, line(11, 1), line(12, 4))
    assert seqs(oldest_first(tmp_path, Question())) == [1, 11, 2, 12, 3]
    assert seqs(newest(tmp_path, Question(), 3)) == [2, 12, 3]


def test_a_clock_that_stepped_does_not_change_a_writers_order(tmp_path: Path) -> None:
    write(tmp_path / "a", 1, line(1, 100), line(2, 1), line(3, 2), line(4, 101))
    write(tmp_path / "b", 11, line(11, 1.5), line(12, 100.5))
    assert seqs(oldest_first(tmp_path, Question())) == [11, 1, 2, 3, 12, 4]
    backward = seqs(newest(tmp_path, Question(), 99))
    assert [seq for seq in backward if seq < 10] == [1, 2, 3, 4]
    assert [seq for seq in backward if seq > 10] == [11, 12]


def test_lines_that_cannot_be_read_are_passed_over_and_torn_ones_not_shown(tmp_path: Path) -> None:
    write(tmp_path, 1, line(1), b"\x00\x00\n", b"[]\n", b'{"seq":9}\n', line(2), line(3)[:-9])
    write(tmp_path, 3, line(3))
    assert seqs(oldest_first(tmp_path, Question())) == [1, 2, 3]
    assert seqs(newest(tmp_path, Question(), 9)) == [1, 2, 3]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 20), st.booleans()), max_size=20), st.integers(1, 5))
def test_newest_is_the_end_of_all(tmp_path_factory: Any, made: list[tuple[str, int, bool]], limit: int) -> None:
    root = tmp_path_factory.mktemp("log")
    times = {"a": 0, "b": 0}
    for seq, (writer, step, other) in enumerate(made, 1):
        times[writer] += step
        write(root / writer, 1 + seq // 7 * 7, line(seq, times[writer], cluster="x" if other else "y"))
    question = Question(cluster="x")
    every = [(record["time"], record["seq"]) for record in oldest_first(root, question)]
    some = [(record["time"], record["seq"]) for record in newest(root, question, limit)]
    assert [time for time, _ in every] == sorted(time for time, _ in every)
    assert len(some) == min(limit, len(every))
    assert [time for time, _ in some] == [time for time, _ in every][-limit:]
    assert set(some) <= set(every)


def request(seq: int, audit_id: str, **more: Any) -> bytes:
    event = {"auditID": audit_id, "user": {"extra": {"kubewitness.dev/certificate": ["c1"]}}}
    return line(seq, seq, type="kube.request", login="login-1", event=event, **more)


def test_a_requests_story_is_its_records_its_login_and_its_certificate(tmp_path: Path) -> None:
    write(
        tmp_path / "web",
        1,
        line(1, 0, type="user.login", login="login-1"),
        line(2, 0, type="user.login", login="login-2", body={"x": "login-1"}),
        line(3, 0, type="cert.issue", login="login-1", body={"serial": "c0"}),
        line(4, 0.5, type="cert.issue", login="login-1", body={"serial": "c1"}),
    )
    write(
        tmp_path / "w0",
        11,
        request(11, "audit-0001", outcome="intent"),
        request(12, "audit-0002"),
        request(13, "audit-0001", outcome="done"),
    )
    assert seqs(story(tmp_path, "audit-0001")) == [1, 4, 11, 13]
    assert seqs(story(tmp_path, "id-00000013")) == [1, 4, 13]
    assert seqs(story(tmp_path, "id-00000001")) == [1]
    both = story(tmp_path, "audit-000")
    assert seqs(both) == [11, 12, 13]
    assert subjects(both, "audit-000") == ["audit-0001", "audit-0002"]
    assert subjects(both, "audit-0001") == ["audit-0001"]
    assert story(tmp_path, "nothing-of-the-kind") == []


def test_following_shows_each_record_once_over_rotation_and_new_writers(tmp_path: Path) -> None:
    write(tmp_path / "a", 1, line(1, 1), line(2, 2))
    follower = Follower(tmp_path, Question())
    assert seqs(follower.start(1)) == [2]
    assert follower.more() == []
    torn = line(3, 3)
    write(tmp_path / "a", 1, torn[:20])
    assert follower.more() == []
    write(tmp_path / "a", 1, torn[20:])
    assert seqs(follower.more()) == [3]
    write(tmp_path / "a", 1, line(4, 4))
    write(tmp_path / "a", 5, line(5, 5))
    write(tmp_path / "a", 6, line(6, 6))
    write(tmp_path / "b", 11, line(11, 4.5))
    assert seqs(follower.more()) == [4, 11, 5, 6]
    assert follower.more() == []


def test_following_passes_a_torn_end_and_a_deleted_segment(tmp_path: Path) -> None:
    first = write(tmp_path, 1, line(1), line(2)[:9])
    follower = Follower(tmp_path, Question())
    follower.start(0)
    write(tmp_path, 2, line(2))
    assert seqs(follower.more()) == [2]
    first.unlink()
    write(tmp_path, 3, line(3))
    (tmp_path / segment_name(2, 0)).unlink()
    assert seqs(follower.more()) == [3]
    assert follower.more() == []


def test_following_answers_only_what_is_asked(tmp_path: Path) -> None:
    write(tmp_path, 1, line(1, cluster="x"), line(2, cluster="y"))
    follower = Follower(tmp_path, Question(cluster="y"))
    assert seqs(follower.start(9)) == [2]
    write(tmp_path, 1, line(3, cluster="x"), line(4, cluster="y"))
    assert seqs(follower.more()) == [4]


def test_a_streams_story_has_what_became_of_its_recording(tmp_path: Path) -> None:
    stream = {
        "type": "kube.request",
        "event": {"auditID": "audit-01", "annotations": {"kubewitness.dev/recording": "r1"}},
    }
    write(
        tmp_path,
        1,
        line(1, **stream),
        line(2, 1, type="recording.seal", body={"recording": "r1"}),
        line(3, 2, type="recording.access", body={"recording": "r2"}),
        line(4, 3, type="recording.access", body={"recording": "r1"}),
    )
    assert seqs(story(tmp_path, "audit-01")) == [1, 2, 4]

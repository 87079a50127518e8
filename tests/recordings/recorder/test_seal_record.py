from dataclasses import replace

from recordings.recorder.recorder import Sealed
from recordings.recorder.seal_record import ROWS_IN_A_RECORD, files_bodies, seal_body
from recordings.recorder.tar_command import Direction
from recordings.recorder.tar_rows import FileRow
from recordings.streams.outcome import Ended, Outcome
from tests.recordings.recorder.test_store import ID

SEALED = Sealed(ID, "ab", 9, 2, 3, 4, 1.23456789, Outcome(Ended.EXITED, 7))
ROW = FileRow(Direction.TO_POD, "a/b", "file", 5, 0o644, "cd")


def test_what_the_log_says_of_a_recording():
    assert seal_body(SEALED, "audit") == {
        "recording": ID,
        "sha256": "ab",
        "size": 9,
        "chunks": 2,
        "received": 3,
        "sent": 4,
        "duration": 1.234568,
        "ended": "exited",
        "exit_code": 7,
        "request": "audit",
    }
    found = seal_body(Sealed(ID, "ab", 9, 2, 3, 4, 1.5, Outcome(Ended.UNKNOWN), interrupted=True), "audit")
    assert (found["interrupted"], found["ended"], found["exit_code"], found["request"]) == (
        True,
        "unknown",
        None,
        "audit",
    )
    assert set(found) - {"interrupted"} == set(seal_body(SEALED, "audit"))


def test_files_come_in_records_that_fit():
    assert list(files_bodies(SEALED, "audit")) == []
    many = replace(SEALED, files=450, rows=(ROW,) * 450)
    bodies = list(files_bodies(many, "audit"))
    assert [len(body["rows"]) for body in bodies] == [ROWS_IN_A_RECORD, ROWS_IN_A_RECORD, 50]
    assert bodies[0]["rows"][0] == {
        "direction": "to-pod",
        "path": "a/b",
        "kind": "file",
        "size": 5,
        "mode": "644",
        "sha256": "cd",
        "complete": True,
        "target": "",
    }
    assert {body["files"] for body in bodies} == {450}
    (doubtful,) = files_bodies(replace(SEALED, doubt="no tar"), "audit")
    assert (doubtful["rows"], doubtful["doubt"]) == ([], "no tar")

"""asciicast v2 and v3; v2 is read by the asciinema program itself, v3 held against the format's description."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from recordings.recorder.footer import Footer
from recordings.replay.asciicast import asciicast
from recordings.replay.transcript import commands
from tests.recordings.replay.conversation import HEAD, PIPED, SHELL, said

FOOTER = Footer("exited", 3, "", "", received=1, sent=2, duration=11_000_000, chunks=1)
OWN = {
    "recording": HEAD.id,
    "audit_id": HEAD.audit_id,
    "user": "ada@example.com",
    "cluster": "staging-eu",
    "namespace": "shop",
    "pod": "web-0",
    "container": "web",
}
NAMED = {
    "timestamp": 1_800_000_000,
    "command": "sh",
    "title": "ada@example.com on staging-eu: shop/web-0",
    "kubewitness": OWN,
}


def cast(version, moments=SHELL, head=HEAD, footer=FOOTER, **more):
    return [json.loads(line) for line in asciicast(head, moments, footer, version=version, **more)]


def test_version_2_has_times_since_the_beginning():
    header, *events = cast(2, commands=commands(HEAD, SHELL))
    assert header == {"version": 2, "width": 40, "height": 10, "duration": 11.0, **NAMED}
    assert events == [
        [0.0, "r", "40x10"],
        [0.1, "o", "$ "],
        [1.1, "o", "l"],
        [1.3, "o", "s"],
        [2.0, "m", "ls"],
        [2.1, "o", "\r\nfile one\r\n$ "],
        [3.1, "o", "cat file\\ one"],
        [4.0, "m", "cat file\\ one"],
        [4.1, "o", "\r\nsecret\rxxxxxx\r\npassword: "],
        [10.1, "o", "\r\nno\r\n$ \x1b[31m"],
        [10.2, "r", "30x8"],
        [10.3, "o", "ä\x1b[0m"],
    ]


def test_version_3_has_intervals_and_the_exit_status_as_text():
    header, *events = cast(3)
    assert header == {"version": 3, "term": {"cols": 40, "rows": 10}, **NAMED}
    assert events[:3] == [[0.0, "r", "40x10"], [0.1, "o", "$ "], [1.0, "o", "l"]]
    assert events[-1] == [0.7, "x", "3"]
    assert sum(round(interval * 1000) for interval, _, _ in events) == 11_000


def test_roundings_of_intervals_do_not_add_up():
    moments = [said(0.0004 * n, b"x") for n in range(10_000)]
    _, *events = cast(3, moments, footer=None)
    assert abs(sum(round(interval * 1000) for interval, _, _ in events) - 3_999.6) <= 0.5
    assert min(interval for interval, _, _ in events) >= 0


def test_input_is_left_out_unless_asked_for():
    assert "hunter2" not in json.dumps(cast(2))
    assert [10.0, "i", "hunter2\r"] in cast(2, with_input=True)


@pytest.mark.parametrize("version", [2, 3])
def test_a_cast_has_at_least_one_event(version):
    assert cast(version, [], footer=None)[1:] == [[0.0, "o", ""]]
    assert cast(3, [])[1:] == [[0.0, "o", ""], [11.0, "x", "3"]]


@pytest.mark.parametrize("version", [2, 3])
def test_a_cast_that_was_cut_is_read_as_far_as_it_goes(version):
    lines = list(asciicast(HEAD, SHELL, None, version=version))
    assert all(line.endswith("\n") and line.count("\n") == 1 for line in lines)
    assert "duration" not in json.loads(lines[0])


def test_asciinema_plays_version_2_as_it_was(tmp_path: Path):
    file = tmp_path / "a.cast"
    moments = [*SHELL, said(10.5, b"\xff\xe2\x82")]
    file.write_text("".join(asciicast(HEAD, moments, FOOTER, version=2, commands=commands(HEAD, SHELL))))
    program = Path(sys.executable).with_name("asciinema")
    done = subprocess.run([program, "cat", file], capture_output=True, check=False, env={"HOME": str(tmp_path)})
    output = b"".join(moment.data for moment in moments if moment.kind == 1)
    assert done.stderr == b""
    assert done.stdout.decode() == output.decode(errors="replace")


def test_a_recording_without_a_terminal_shows_no_stairs():
    assert cast(2, [said(1, b"a\nb")], head=PIPED)[1:] == [[1.0, "o", "a\r\nb"]]

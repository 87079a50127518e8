"""Claims about `kwit audit export`: nothing is lost, and nothing comes twice but under its id."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from proxy.cli import audit_export, main
from proxy.cli.audit_export import Delivery
from recordings.audit import cursor
from recordings.audit.encode import encode, rfc3339
from recordings.audit.question import Question
from recordings.audit.segments import segment_name

NOW = 1_700_000_000.0


def line(seq: int) -> bytes:
    return encode(
        {
            "v": 1,
            "seq": seq,
            "id": f"id-{seq:08d}",
            "time": rfc3339(NOW + seq),
            "type": "user.login",
            "outcome": "done",
            "actor": {"username": "ada" if seq % 2 else "bob\x9b"},
        }
    )


@pytest.fixture
def log(tmp_path: Path) -> Path:
    writer = tmp_path / "audit" / "node-0"
    writer.mkdir(parents=True)
    (writer / segment_name(1, 0)).write_bytes(encode({"header": {}}) + b"".join(map(line, range(1, 6))))
    return writer.parent


def add(log: Path, *seqs: int) -> None:
    with (log / "node-0" / segment_name(1, 0)).open("ab") as file:
        file.write(b"".join(map(line, seqs)))


def ids(text: str) -> list[int]:
    return [int(json.loads(line)["id"][3:]) for line in text.splitlines()]


def test_a_later_run_goes_on_where_this_one_ended(log: Path, tmp_path: Path) -> None:
    out, at = tmp_path / "out.ndjson", tmp_path / "cursor"
    args = ["audit", "export", "--dir", str(log), "--out", str(out), "--cursor", str(at)]
    assert main(args) == 0
    assert main(args) == 0
    add(log, 6, 7)
    assert main(args) == 0
    assert ids(out.read_text()) == [1, 2, 3, 4, 5, 6, 7]


def test_filters_are_counted_and_a_filtered_record_does_not_come_again(
    log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    args = ["audit", "export", "--dir", str(log), "--cursor", str(tmp_path / "cursor"), "--user", "ada"]
    assert main(args) == 0
    shown, said = capsys.readouterr()
    assert (ids(shown), said) == ([1, 3, 5], "3 records, 2 left out by the filters\n")
    assert main(args) == 0
    assert capsys.readouterr() == ("", "0 records, 0 left out by the filters\n")


def test_events_for_programs_that_know_nothing_else(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "export", "--dir", str(log), "--format", "event"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {event["kind"] for event in events} == {"Event"}
    assert [event["auditID"] for event in events] == [f"id-{seq:08d}" for seq in range(1, 6)]


@pytest.mark.parametrize("failing", range(1, 12))
def test_broken_off_anywhere_nothing_is_lost_and_only_what_was_not_saved_comes_again(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    """The process dies at the `failing`-th call that it makes to write or save."""
    monkeypatch.setattr(audit_export, "SAVE_EVERY", 2)
    at, delivered = tmp_path / "cursor", []
    calls = iter(range(1, 1000))

    class Out:
        def isatty(self) -> bool:
            return False

        def write(self, data: bytes) -> None:
            self.call()
            delivered.append(data)

        def flush(self) -> None:
            self.call()

        def call(self) -> None:
            if next(calls) == failing:
                raise KeyboardInterrupt

    out: Any = Out()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cursor, "save", lambda *given, save=cursor.save: (out.call(), save(*given)))
        try:
            Delivery(audit_export._files(log, Question()), Question(), "record", at).once(out)
        except KeyboardInterrupt:
            again = Delivery(audit_export._files(log, Question()), Question(), "record", at, saved=cursor.read(at))
            again.once(out)
    found = ids(b"".join(delivered).decode())
    assert set(found) == {1, 2, 3, 4, 5}
    assert len(found) <= 5 + audit_export.SAVE_EVERY


def test_records_that_were_removed_unread_are_said_and_are_exit_code_1(
    log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    args = ["audit", "export", "--dir", str(log), "--cursor", str(tmp_path / "cursor")]
    assert main(args) == 0
    (log / "node-0" / segment_name(1, 0)).unlink()
    (log / "node-0" / segment_name(9, 0)).write_bytes(encode({"header": {}}) + line(9))
    capsys.readouterr()
    assert main(args) == 1
    assert "node-0: 3 records were removed before they were exported" in capsys.readouterr().err


def test_a_policy_decides_what_goes_out(log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    event = {"auditID": "a", "level": "Request", "stage": "ResponseComplete", "verb": "create", "requestObject": {}}
    kept, dropped = ({**event, "objectRef": {"resource": one}} for one in ("pods", "events"))
    lines = [
        encode({"v": 1, "seq": seq, "id": f"id-{seq:08d}", "time": rfc3339(NOW), "type": "kube.request", "event": each})
        for seq, each in ((6, kept), (7, dropped))
    ]
    with (log / "node-0" / segment_name(1, 0)).open("ab") as file:
        file.write(b"".join(lines))
    policy = tmp_path / "policy.yaml"
    policy.write_text(
        "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n"
        "- level: None\n  resources: [{group: '', resources: [events]}]\n- level: Metadata\n"
    )
    assert main(["audit", "export", "--dir", str(log), "--policy", str(policy), "--type", "kube.request"]) == 0
    shown, said = capsys.readouterr()
    assert [json.loads(line)["event"] for line in shown.splitlines()] == [
        {key: value for key, value in kept.items() if key != "requestObject"} | {"level": "Metadata"}
    ]
    assert said == "1 records, 5 left out by the filters, 1 kept in by the policy (--all takes them too)\n"
    assert main(["audit", "export", "--dir", str(log), "--policy", "nothing"]) == 1


def test_the_policy_in_force_decides_unless_all_is_asked_for(
    log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    event = {"level": "Metadata", "stage": "ResponseComplete", "verb": "get", "requestURI": "/healthz"}
    user = {"username": "ada", "groups": ["system:authenticated"]}
    record = {"v": 1, "seq": 6, "id": "id-00000006", "time": rfc3339(NOW), "type": "kube.request"}
    with (log / "node-0" / segment_name(1, 0)).open("ab") as file:
        file.write(encode({**record, "event": {**event, "user": user}}))
    export = ["audit", "export", "--dir", str(log)]
    counts = []
    for more in ([], ["--policy", "metadata"], ["--all"]):
        assert main([*export, *more]) == 0
        counts.append(len(capsys.readouterr().out.splitlines()))
    assert counts == [5, 6, 6]
    assert main([*export, "--all", "--policy", "cis"]) == 2
    config = tmp_path / "kwit.yaml"
    config.write_text(
        "installation: example\nkube: {url: https://k.example.com}\nweb: {url: https://w.example.com}\n"
        "connectors: [{name: c, type: oidc, issuer: 'https://i.example.com', client_id: k, client_secret_file: s}]\n"
        "audit: {directory: audit, policy_profile: metadata}\n"
    )
    assert main(["audit", "export", "-c", str(config)]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 6


def test_a_file_that_is_no_cursor_is_wrong_usage(log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "cursor").write_text("{}")
    assert main(["audit", "export", "--dir", str(log), "--cursor", str(tmp_path / "cursor")]) == 2
    assert "is no cursor" in capsys.readouterr().err


@pytest.fixture
def following(log: Path, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    args = ["export", "--follow", "--dir", str(log), "--cursor", str(tmp_path / "cursor"), "--out", str(pipe)]
    command = [sys.executable, "-m", "proxy.cli", "audit", *args]
    with subprocess.Popen(command, cwd=Path(__file__).parents[3], stderr=subprocess.PIPE, text=True) as process:
        yield process, pipe
        process.kill()


def test_a_named_pipe_is_followed_over_its_readers(log: Path, following: tuple[subprocess.Popen[str], Path]) -> None:
    process, pipe = following
    with pipe.open() as reader:
        assert [ids(reader.readline())[0] for _ in range(5)] == [1, 2, 3, 4, 5]
        add(log, 6)
        assert ids(reader.readline()) == [6]
    add(log, 7)
    with pipe.open() as reader:
        found = ids(reader.readline())
        add(log, 8)
        while 8 not in found:
            found += ids(reader.readline())
    assert sorted(set(found)) == [7, 8]
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 0

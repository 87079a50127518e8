"""Claims about `kwit audit`, run as an analyst runs it, on files as the log writes them."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from proxy.cli import main
from proxy.cli.client import terminal
from recordings.audit.encode import encode, rfc3339
from recordings.audit.segments import segment_name
from tests.proxy.cli.small_log import small_log

NOW = 1_700_000_000.0
A1, A2 = "0199aef2-51c4-7d3a-9f60-000000000001", "0199aef2-51c4-7d3a-9f60-000000000002"

Out = Callable[[], tuple[str, str]]


def login(seq: int, at: float) -> bytes:
    return encode(
        {
            "seq": seq,
            "id": f"0199aef2-0000-7000-8000-00000000000{seq}",
            "time": rfc3339(NOW + at),
            "type": "user.login",
            "outcome": "done",
            "actor": {"username": "ada@example.com"},
            "login": "l1",
            "source": "10.0.0.1",
            "body": {"connector": "corp"},
        }
    )


def request(seq: int, at: float, audit_id: str, outcome: str, name: str = "web-0") -> bytes:
    return encode(
        {
            "seq": seq,
            "id": f"0199aef2-1111-7000-8000-00000000000{seq}",
            "time": rfc3339(NOW + at),
            "type": "kube.request",
            "outcome": outcome,
            "cluster": "prod",
            "actor": {"username": "ada@example.com"},
            "login": "l1",
            "source": "10.0.0.1",
            "event": {
                "auditID": audit_id,
                "requestURI": f"/api/v1/namespaces/shop/pods/{name}",
                "verb": "delete",
                "user": {"username": "ada@example.com", "groups": ["eng"]},
                "objectRef": {"resource": "pods", "namespace": "shop", "name": name},
                "annotations": {"kubewitness.dev/role": "dev", "kubewitness.dev/rule": "allow[0]"},
                **({"responseStatus": {"code": 200}} if outcome == "done" else {}),
            },
        }
    )


@pytest.fixture
def out(capsys: pytest.CaptureFixture[str]) -> Out:
    return lambda: tuple(capsys.readouterr())  # type: ignore[return-value]


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("proxy.cli.audit.clock", lambda: NOW + 100)
    monkeypatch.setattr(terminal, "clock", lambda: NOW + 100)
    monkeypatch.chdir(tmp_path)
    writer = tmp_path / "kwit-data" / "audit" / "node-0"
    writer.mkdir(parents=True)
    lines = (login(1, 0), request(2, 40, A1, "intent"), request(3, 41, A1, "done"), request(4, 70, A2, "refused", "db"))
    (writer / segment_name(1, 0)).write_bytes(encode({"header": {"first_seq": 1}}) + b"".join(lines))
    return writer.parent


def test_a_table_looks_like_kubectls_with_relative_times(log: Path, out: Out) -> None:
    assert main(["audit", "search"]) == 0
    assert out()[0] == (
        "AGE    USER              ACTION       OBJECT       NAMESPACE   CLUSTER   RESULT    CODE\n"
        "100s   ada@example.com   user.login   corp         -           -         done      -\n"
        "60s    ada@example.com   delete       pods/web-0   shop        prod      intent    -\n"
        "59s    ada@example.com   delete       pods/web-0   shop        prod      done      200\n"
        "30s    ada@example.com   delete       pods/db      shop        prod      refused   -\n"
    )


def test_wide_has_times_for_machines_and_who_let_it_pass(log: Path, out: Out) -> None:
    assert main(["audit", "search", "--id", A1, "-o", "wide"]) == 0
    header, intent, _ = out()[0].splitlines()
    assert header.split()[0] == "TIME"
    facts = "2023-11-14T22:14:00.000000Z ada@example.com delete pods/web-0 shop prod intent -"
    assert intent.split() == f"{facts} 10.0.0.1 dev allow[0] - eng l1 {A1}".split()


def test_json_is_the_record_a_line(log: Path, out: Out) -> None:
    for limit in ("0", "9"):
        assert main(["audit", "search", "--limit", limit, "-o", "json"]) == 0
        assert [json.loads(line)["seq"] for line in out()[0].splitlines()] == [1, 2, 3, 4]


def test_yaml_and_names(log: Path, out: Out) -> None:
    assert main(["audit", "search", "--type", "kube.request", "-o", "yaml"]) == 0
    assert [one["seq"] for one in yaml.safe_load_all(out()[0])] == [2, 3, 4]
    assert main(["audit", "search", "--type", "kube.request", "-o", "name"]) == 0
    assert out()[0] == f"{A1}\n{A2}\n"


def test_filters_and_limit_narrow_and_say_so(log: Path, out: Out) -> None:
    assert main(["audit", "search", "--decision", "deny", "--since", "1m", "-o", "name"]) == 0
    assert out() == (f"{A2}\n", "")
    assert main(["audit", "search", "--limit", "1", "-o", "name"]) == 0
    assert out() == (f"{A2}\n", "The newest 1 of more; --limit 0 shows all, --since and the filters narrow.\n")
    assert main(["audit", "search", "--limit", "4", "--user", "ada@example.com", "-o", "name"]) == 0
    assert out()[1] == ""


def test_nothing_found_is_exit_code_1_with_the_next_step(log: Path, out: Out) -> None:
    assert main(["audit", "search", "--user", "nobody"]) == 1
    assert out() == ("", "Nothing matches. Each option narrows: leave one out, or look further back with --since.\n")
    assert main(["audit", "search", "--user", "nobody", "--limit", "0", "-o", "json"]) == 1


def test_tail_shows_the_newest(log: Path, out: Out) -> None:
    assert main(["audit", "tail", "--lines", "2", "-o", "json"]) == 0
    assert [json.loads(line)["seq"] for line in out()[0].splitlines()] == [3, 4]


def test_show_tells_a_requests_whole_story(log: Path, out: Out) -> None:
    assert main(["audit", "show", A1]) == 0
    text = out()[0]
    assert [line.split()[1:] for line in text.splitlines() if line.startswith("2023")] == [
        ["user.login", "done"],
        ["kube.request", "intent"],
        ["kube.request", "done"],
    ]
    for fact in ("Role:        dev", "Rule:        allow[0]", "Request:     /api/v1/namespaces/shop/pods/web-0"):
        assert f"  {fact}\n" in text
    assert main(["audit", "show", A1, "-o", "json"]) == 0
    assert [json.loads(line)["seq"] for line in out()[0].splitlines()] == [1, 2, 3]


def test_show_with_an_unknown_or_ambiguous_id_says_what_to_do(log: Path, out: Out) -> None:
    assert main(["audit", "show", "0199aef2-51c4"]) == 2
    assert out()[1].startswith(f"kwit: 0199aef2-51c4 is the beginning of 2 ids ({A1}, {A2} …); give more of it")
    assert main(["audit", "show", "ffffffff-0000"]) == 1
    assert out()[1] == "kwit: no record has the id ffffffff-0000; `kwit audit search -o name` lists ids\n"
    assert main(["audit", "show", "short"]) == 2
    assert "at least its first 8 characters" in out()[1]


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("--since", "soon", "a time like 30m"),
        ("--source", "10.1", "a network like"),
        ("--id", "x", "first 8 characters"),
    ],
)
def test_a_wrong_value_is_wrong_usage_with_what_was_expected(
    log: Path, out: Out, option: str, value: str, expected: str
) -> None:
    assert main(["audit", "search", option, value]) == 2
    assert expected in out()[1]


def test_no_log_is_one_sentence_with_the_next_step(log: Path, out: Out, tmp_path: Path) -> None:
    assert main(["audit", "search", "--dir", str(tmp_path / "none")]) == 1
    assert out()[1] == (
        f"kwit: there is no audit log in {tmp_path / 'none'}; name its directory with --dir, or the config with -c\n"
    )


def test_a_log_that_may_not_be_read_is_one_sentence(log: Path, out: Out, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied", str(log / "node-0"))

    monkeypatch.setattr("proxy.cli.audit_source.newest", refuse)
    assert main(["audit", "search"]) == 1
    assert out()[1] == (
        f"kwit: {log / 'node-0'} may not be read by you; run this as the user that runs kwit, or on a copy\n"
    )


def test_the_config_names_the_log(log: Path, out: Out, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    log.rename(tmp_path / "data" / "audit")
    config = tmp_path / "kwit.yaml"
    config.write_text("installation: [\n")
    assert main(["audit", "search"]) == 1
    assert "Or name the log's directory with --dir" in out()[1]
    example = (Path(__file__).parents[3] / "deploy" / "examples" / "kwit.yaml").read_text()
    config.write_text(example.replace("data_dir: /var/lib/kwit", f"data_dir: {tmp_path / 'data'}"))
    for arguments in ([], ["-c", str(config)]):
        assert main(["audit", "search", *arguments, "-o", "name", "--limit", "1"]) == 0
        assert out()[0] == f"{A2}\n"


HOSTILE = "x\x1b]52;c;aGk=\x07\x9b31m\u202e\u2028y"


@pytest.mark.parametrize("form", ["table", "wide", "json", "yaml", "name"])
def test_what_clients_wrote_cannot_command_a_terminal(log: Path, out: Out, form: str) -> None:
    with (log / "node-0" / segment_name(1, 0)).open("ab") as file:
        file.write(request(5, 80, HOSTILE + A1, "done", HOSTILE))
    for arguments in (["search"], ["tail"], ["show", HOSTILE + A1]):
        assert main(["audit", *arguments, "-o", form]) == 0
        text = out()[0]
        assert not [c for c in text if c != "\n" and (not c.isprintable() or c in "\u202e\u2028")]
        if form == "json":
            assert HOSTILE in [
                json.loads(line).get("event", {}).get("objectRef", {}).get("name") for line in text.split("\n")[:-1]
            ]


def test_help_has_examples(out: Out) -> None:
    assert main(["audit", "--help"]) == 0
    assert "kwit audit search --user ada@example.com --since 2h" in out()[0]
    for name in ("tail", "search", "show"):
        assert main(["audit", name, "--help"]) == 0
        assert f"  kwit audit {name} " in out()[0]


def test_following_goes_on_over_rotation_until_it_is_stopped(log: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "proxy.cli",
        "audit",
        "tail",
        "-f",
        "--lines",
        "1",
        "-o",
        "name",
        "--dir",
        str(log),
    ]
    root = Path(__file__).parents[3]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == f"{A2}\n"
        (log / "node-0" / segment_name(5, 0)).write_bytes(request(5, 90, "after-rotation", "done"))
        assert process.stdout.readline() == "after-rotation\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
        assert process.stderr.read() == ""


def test_on_a_narrow_terminal_a_record_stays_one_line(log: Path) -> None:
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": "50", "LINES": "24", "TERM": "xterm"}
    command = [sys.executable, "-m", "proxy.cli", "audit", "search", "--dir", str(log)]
    with subprocess.Popen(command, cwd=Path(__file__).parents[3], stdout=theirs, env=environment) as process:
        os.close(theirs)
        shown = b""
        while chunk := _read(ours):
            shown += chunk
        assert process.wait(10) == 0
    os.close(ours)
    lines = shown.decode().replace("\r\n", "\n").splitlines()
    assert len(lines) == 5
    assert all(len(_plain(line)) <= 50 for line in lines)
    assert _plain(lines[0]).split() == ["AGE", "USER", "ACTION", "OBJECT", "RESULT"]
    assert lines[-1].startswith("\x1b[31m")


def _read(fd: int) -> bytes:
    try:
        return os.read(fd, 65536)
    except OSError:
        return b""


def _plain(line: str) -> str:
    import re

    return re.sub(r"\x1b\[[0-9;]*m", "", line)


def test_search_gives_csv_and_does_not_follow_in_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small_log(tmp_path, [{"type": "user.login", "actor": {"username": "=ada"}}])
    assert main(["audit", "search", "--dir", str(tmp_path), "-o", "csv"]) == 0
    names, told = capsys.readouterr().out.splitlines()
    assert names.split(",")[:3] == ["time", "user", "action"]
    assert told.split(",")[:3] == ["2023-11-14T22:13:21.000000Z", "'=ada", "user.login"]
    assert main(["audit", "search", "--dir", str(tmp_path), "-o", "csv", "-f"]) == 2

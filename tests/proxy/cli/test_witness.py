"""Claims about `kwit witness`: a log of one installation, witnessed by another, and cut afterwards."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import sys
from pathlib import Path

import pytest

from proxy.cli import main
from proxy.cli.witness import made
from proxy.config import Config
from proxy.keys import audit_root
from proxy.log_anchors import LogAnchors
from proxy.log_writer import LogWriter
from recordings.audit.note import NoteError

TEXT = """\
installation: example
kube: {{url: "https://localhost:8443"}}
web: {{url: "https://localhost:8444"}}
connectors: [{{type: oidc, name: corp, issuer: "https://id.example.com", client_id: kwit, client_secret_file: s}}]
audit: {{anchors: [{{type: witness, url: "http://127.0.0.1:{port}", key: "{key}"}}]}}
"""
ROOT = "acme/audit-root+111b0cbd+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"


async def a_day(config: Config, now: float) -> list[str]:
    """The log is opened, written, ended and witnessed; what was said."""
    said: list[str] = []
    anchors = LogAnchors(config, clock=lambda: now, mono=lambda: 0.0, say=said.append)
    writer = LogWriter(config, "node-0", loop=asyncio.get_running_loop(), clock=lambda: now, mono=lambda: 0.0)
    await writer.open()
    anchors.start()
    await writer.close()
    await anchors.stop()
    return said


async def test_a_log_is_witnessed_by_another_machine_and_a_backup_put_back_is_found(tmp_path: Path) -> None:
    import time

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = Config.parse(
        TEXT.format(port=port, key=made("w", (ROOT,), tmp_path / "w")[1]), path=tmp_path / "kwit.yaml"
    )
    root = audit_root(config).public
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "proxy.cli", "witness", "--name", "w", "--log", str(root)),
        *("--state", str(tmp_path / "w"), "--address", f"127.0.0.1:{port}"),
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    assert process.stderr is not None
    assert (await process.stderr.readline()).startswith(b"witness key: w+")
    assert await process.stderr.readline() == f"listening on 127.0.0.1:{port}\n".encode()
    assert await a_day(config, time.time()) == []
    shutil.copytree(config.audit_directory, tmp_path / "backup")
    assert await a_day(config, time.time()) == []
    verify = ["audit", "verify", str(config.audit_directory), "--key", str(root), "--anchor"]
    assert main([*verify, str(tmp_path / "w" / "checkpoints")]) == 0
    shutil.rmtree(config.audit_directory)
    shutil.copytree(tmp_path / "backup", config.audit_directory)
    assert main([*verify, str(tmp_path / "w" / "checkpoints")]) == 1
    said = await a_day(config, time.time())
    assert any("does not go on" in line or "another log" in line for line in said), said
    process.send_signal(signal.SIGTERM)
    assert await process.wait() == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--address", "here"], "--address takes"),
        (["--address", "0.0.0.0:1"], "plain HTTP is for loopback only"),
        (["--tls-cert", "x"], "--tls-cert and --tls-key go together"),
        (["--log", "a+b+c"], "what should be base64 is not"),
        (["--name", "a b"], "a key's name has neither spaces nor a plus"),
    ],
)
def test_what_cannot_be_meant_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    rest = ["--state", str(tmp_path), *(["--log", ROOT] if "--log" not in options else [])]
    assert main(["witness", *rest, *(["--name", "w"] if "--name" not in options else []), *options]) == 2
    assert said in capsys.readouterr().err


def test_its_key_is_made_once(tmp_path: Path) -> None:
    (tmp_path / "root.pub").write_text(ROOT + "\n")
    keys = {made("w", (log,), tmp_path / "state")[1] for log in (ROOT, str(tmp_path / "root.pub"))}
    assert len(keys) == 1
    with pytest.raises(NoteError):
        made("w", ("a+b+c",), tmp_path / "state")

"""Go's httputil.ReverseProxy, and upstream itself, which is what every other answer has to be compared with."""

from __future__ import annotations

from pathlib import Path

from tests.bench.certificates import Certificates
from tests.bench.processes import Running, free_port, start
from tests.bench.programs import Programs

WATCH_PERIOD = "500ms"
"""Between two events of one watch: 1,000 watches give CPU times of many ticks within a few seconds."""


def start_reverseproxy(folder: Path, upstream: str, certificates: Certificates, programs: Programs) -> Running:
    """Raises StartError."""
    port = free_port()
    command: list[str | Path] = [
        programs.reverseproxy,
        f"-address=127.0.0.1:{port}",
        f"-upstream=https://{upstream}",
        f"-certificate={certificates.server.certificate}",
        f"-key={certificates.server.key}",
        f"-client-certificate={certificates.proxy.certificate}",
        f"-client-key={certificates.proxy.key}",
        f"-ca={certificates.ca}",
    ]
    return _running(port, certificates, command, folder)


def start_upstream(folder: Path, certificates: Certificates, programs: Programs) -> Running:
    """Raises StartError."""
    port = free_port()
    command: list[str | Path] = [
        programs.upstream,
        f"-address=127.0.0.1:{port}",
        f"-certificate={certificates.server.certificate}",
        f"-key={certificates.server.key}",
        f"-ca={certificates.ca}",
        f"-period={WATCH_PERIOD}",
    ]
    return _running(port, certificates, command, folder)


def _running(port: int, certificates: Certificates, command: list[str | Path], folder: Path) -> Running:
    process = start(command, port, folder / "output.log")
    client = certificates.client
    return Running(f"127.0.0.1:{port}", client.certificate, client.key, certificates.ca, process)

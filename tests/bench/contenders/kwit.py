"""kubewitness with everything on: identity, roles, impersonation, audit log."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.bench.certificates import Certificates
from tests.bench.processes import Running, free_port, start

CHECKOUT = Path(__file__).parents[3]


def start_kwit(folder: Path, upstream: str, certificates: Certificates, record: str = "standard") -> Running:
    """Raises StartError. `record`: how its roles record streams. `folder` gets state, log and a certificate."""
    port = free_port()
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "tests.bench.contenders.kwit_server",
        folder,
        str(port),
        upstream,
        certificates.ca,
        certificates.proxy.certificate,
        certificates.proxy.key,
        record,
    ]
    process = start(command, port, folder / "output.log", CHECKOUT)
    ca = folder / "data" / "ca" / "servers.crt"
    return Running(f"127.0.0.1:{port}", folder / "person.pem", folder / "person.key", ca, process)

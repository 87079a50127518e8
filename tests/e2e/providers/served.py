"""`kwit serve` with a real identity provider and a cluster that is never asked."""

from __future__ import annotations

from pathlib import Path
from typing import Self

import yaml

from tests.e2e.cluster import ExistingCluster, free_ports
from tests.e2e.installation import CLUSTER, ROLES, Installation, kwit
from tests.e2e.providers.running import CLIENT_ID, CLIENT_SECRET, RunningProvider


class Served(Installation):
    """From entering to leaving; the provider's and the server's files lie in `folder`."""

    def __init__(self, folder: Path, kind: type[RunningProvider], role_for: str) -> None:
        super().__init__(folder, ExistingCluster(folder / "none", folder), lambda *_, **__: "")
        self.provider = kind(folder / "provider", f"{self.web_url}/callback/corp")
        self._role_for = role_for

    def __enter__(self) -> Self:
        with self._held:
            self._held.enter_context(self.provider)
            self._configure()
            self._prepare_cluster()
            self._serve()
            self._held = self._held.pop_all()
        return self

    @property
    def ca(self) -> Path:
        """Of the server's certificate."""
        return self.folder / "data" / "ca" / "servers.crt"

    def _configure(self) -> None:
        for name in ("roles", "clusters", "data"):
            (self.folder / name).mkdir(mode=0o700)
        roles = ROLES.replace("{kind: Group, connector: corp, name: eng}", self._role_for)
        (self.folder / "roles" / "roles.yaml").write_text(roles)
        (self.folder / "secret").write_text(CLIENT_SECRET)
        connector = {
            "type": "oidc",
            "name": "corp",
            "issuer": self.provider.issuer,
            "client_id": CLIENT_ID,
            "client_secret_file": "secret",
            "ca_file": str(self.provider.ca),
            "scopes": ["openid", "profile", "email", "groups", "offline_access"],
            "algorithms": ["RS256"],
            "mapping": {"username": "claims.email"},
        }
        document = {
            "installation": "e2e",
            "data_dir": "data",
            "kube": {"address": f"127.0.0.1:{self.kube_port}", "url": f"https://localhost:{self.kube_port}"},
            "web": {"address": f"127.0.0.1:{self._web}", "url": self.web_url},
            "operations": {"address": f"127.0.0.1:{self._operations}"},
            "audit": {"segment_bytes": "16MiB"},
            "connectors": [connector],
        }
        (self.folder / "kwit.yaml").write_text(yaml.safe_dump(document))

    def _prepare_cluster(self) -> None:
        (self.folder / "token").write_text("nobody-asks-for-it")
        place = ("--server", f"https://127.0.0.1:{free_ports(1)[0]}", "--ca-file", self.provider.ca)
        config = ("-c", self.folder / "kwit.yaml", "--no-check")
        kwit("cluster", "add", CLUSTER, *config, *place, "--token-file", self.folder / "token")

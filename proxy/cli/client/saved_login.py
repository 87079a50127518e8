"""The login on disk: what the server said, and until when by this machine's own clock."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from auth.kubeconfig import KubeconfigError, Target, exec_user, safe_name
from proxy.cli.client import private_file
from proxy.cli.client.api import visible
from proxy.cli.client.cached import current_server, folder, home
from proxy.cli.client.problem import NotSignedIn, Problem


@dataclass(frozen=True, slots=True)
class KnownCluster:
    name: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class SavedLogin:
    """`expires_at` in seconds since the epoch by the client's clock; `clock_offset`: the server's minus ours."""

    server: str
    ca_pem: str | None
    id: str
    username: str
    groups: tuple[str, ...]
    connector: str
    expires_at: float
    installation: str
    kube_url: str
    kube_ca: str
    kube_tls_server_name: str | None
    clusters: tuple[KnownCluster, ...]
    clock_offset: float = 0.0

    def target(self, cluster: str, user: Mapping[str, object]) -> Target:
        url = f"{self.kube_url.rstrip('/')}/clusters/{safe_name(cluster)}"
        return Target(cluster, url, self.kube_ca, user, self.kube_tls_server_name)

    def targets(self, command: tuple[str, ...]) -> list[Target]:
        """A kubeconfig entry for each cluster; `command` is how kubectl calls us."""
        return [
            self.target(
                c.name,
                exec_user(command[0], [*command[1:], "credential", "--cluster", c.name, "--server", self.server]),
            )
            for c in self.clusters
        ]


def from_answer(
    answer: Mapping[str, Any], *, server: str, ca_pem: str | None, now: float, clock_offset: float
) -> SavedLogin:
    """The server's answer to a login. Raises Problem where it is not one, or a cluster's name is hostile."""
    try:
        login, kube = answer["login"], answer["kube"]
        clusters = tuple(_cluster(item) for item in answer["clusters"])
        return SavedLogin(
            server=server,
            ca_pem=ca_pem,
            id=str(login["id"]),
            username=visible(str(login["username"])),
            groups=tuple(visible(str(group)) for group in login["groups"]),
            connector=visible(str(login["connector"])),
            expires_at=now + float(login["expires_in"]),
            installation=visible(str(answer["installation"])),
            kube_url=_https(kube["url"]),
            kube_ca=str(kube["ca"]),
            kube_tls_server_name=safe_name(kube["tls_server_name"]) if kube.get("tls_server_name") else None,
            clusters=clusters,
            clock_offset=clock_offset,
        )
    except KubeconfigError as error:
        raise Problem(f"{server} cannot be trusted with a kubeconfig: {error}") from error
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise Problem(f"{server} answered in an unknown form; update kubewitness here or there") from error


def _cluster(item: Mapping[str, Any]) -> KnownCluster:
    labels = item.get("labels") or {}
    return KnownCluster(safe_name(str(item["name"])), {visible(str(k)): visible(str(v)) for k, v in labels.items()})


def _https(url: object) -> str:
    if not isinstance(url, str) or not url.startswith("https://") or not url.isascii() or not url.isprintable():
        raise ValueError
    return url


def save(login: SavedLogin, key_pem: str | None = None) -> None:
    """Write the login, and its key when it is new; it becomes the one that commands mean. Raises OSError."""
    where = Path(folder(login.server))
    if key_pem is not None:
        forget_certificates(login.server)
        private_file.write(where / "key.pem", key_pem)
    if login.ca_pem is not None:
        private_file.write(where / "ca.pem", login.ca_pem)
    private_file.write(where / "login.json", json.dumps(asdict(login)))
    private_file.write(Path(home()) / "current", login.server + "\n")


def load(server: str | None) -> tuple[SavedLogin, str]:
    """The login and its key's PEM. Raises NotSignedIn, with the command to type."""
    chosen = server or current_server()
    if chosen is None:
        raise NotSignedIn("you are not signed in; run `kwit login https://YOUR-SERVER`")
    where = Path(folder(chosen))
    try:
        data = json.loads((where / "login.json").read_text(encoding="utf-8"))
        data["groups"] = tuple(data["groups"])
        data["clusters"] = tuple(KnownCluster(**item) for item in data["clusters"])
        return SavedLogin(**data), (where / "key.pem").read_text(encoding="utf-8")
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise NotSignedIn(f"you are not signed in; run `kwit login {chosen}`") from error


def known_ca(server: str) -> str | None:
    """The CA that an earlier login was given for this server."""
    try:
        return (Path(folder(server)) / "ca.pem").read_text(encoding="utf-8")
    except OSError:
        return None


def forget(server: str) -> None:
    """Remove the login, its key and its certificates from this machine. The CA and the server's name stay known."""
    where = Path(folder(server))
    forget_certificates(server)
    for name in ("key.pem", "login.json"):
        (where / name).unlink(missing_ok=True)


def forget_certificates(server: str) -> None:
    for path in (Path(folder(server)) / "certificates").glob("*.json"):
        path.unlink(missing_ok=True)

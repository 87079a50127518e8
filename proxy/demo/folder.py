"""The demo's files: an ordinary configuration that a newcomer can read, and that a second run takes up again.

    kwit.yaml  roles/  clusters/NAME.yaml  provider-secret    what an operator writes
    data/                                                     what kwit keeps: CA, state, log
    cluster/                                                  the sandbox cluster's token and certificates
    alice/  bob/                                              a person's KUBECONFIG and KWIT_HOME

What is there is left as it is, so that changes a person makes to roles or configuration hold.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from proxy.cli.client import private_file
from proxy.cli.client.problem import Problem
from proxy.clusters import ClusterFile
from proxy.config import Config, ConfigError, OidcConnector, parse_section, read_text

INSTALLATION = "demo"
CLIENT_ID = "kwit-demo"
CONNECTOR = "sandbox"
SANDBOX = "sandbox"
"""The embedded cluster's name."""

_KWIT = """\
# Written by `kwit demo`, and an ordinary configuration: `kwit serve -c kwit.yaml` reads the same file, and `kwit init`
# writes one in which every key is explained. What you change here holds from the next start on.
installation: {installation}
data_dir: data

kube:                          # what kubectl speaks to
  address: 127.0.0.1:{kube}
  url: https://127.0.0.1:{kube}
  limits: {{drain_timeout: 2s}}

web:                           # where people sign in, and kwit asks
  address: 127.0.0.1:{web}
  url: http://127.0.0.1:{web}
  insecure_http: true          # on loopback only: your browser would warn of a certificate it does not know

operations:                    # /livez, /readyz, /metrics
  address: 127.0.0.1:{operations}

connectors:                    # the company's single sign-on; here the demo's own provider
  - type: oidc
    name: {connector}
    display_name: the demo's provider
    issuer: http://127.0.0.1:{provider}
    client_id: {client_id}
    client_secret_file: provider-secret
    algorithms: [ES256]
    mapping: {{username: claims.preferred_username, email: claims.email}}

audit:
  segment_bytes: 1MiB          # small, since space for a segment is reserved when it is opened
"""

_DEVELOPER = """\
# What engineers may do. This file is read again when it changes: try it while the demo runs.
apiVersion: kubewitness.dev/v1
kind: Role
metadata: {name: developer}
spec:
  as: {groups: ["kwit:developers"]}      # what the cluster's own RBAC sees, besides the person's name
  allow:
    - {apiGroups: ["", apps], resources: ["*"], verbs: ["*"], namespaces: [shop]}
    - {apiGroups: [""], resources: [namespaces, nodes], verbs: [get, list, watch]}
    - {apiGroups: [authentication.k8s.io], resources: [selfsubjectreviews], verbs: [create]}
    - {apiGroups: [""], resources: [pods], verbs: [exec, attach, portforward], namespaces: [shop]}
  deny:
    - {apiGroups: [""], resources: [secrets], verbs: ["*"]}
  options: {record: strict}              # nothing of a shell is shown before it is stored
---
apiVersion: kubewitness.dev/v1
kind: RoleBinding
metadata: {name: engineers}
spec: {role: developer, subjects: [{kind: Group, connector: sandbox, name: eng}]}
"""

_SUPPORT = """\
# What support may do: look at pods and their logs, and nothing else.
apiVersion: kubewitness.dev/v1
kind: Role
metadata: {name: support}
spec:
  as: {groups: ["kwit:support"]}
  allow:
    - {apiGroups: [""], resources: [pods, pods/log], verbs: [get, list, watch], namespaces: [shop]}
---
apiVersion: kubewitness.dev/v1
kind: RoleBinding
metadata: {name: supporters}
spec: {role: support, subjects: [{kind: Group, connector: sandbox, name: support}]}
"""

_VIEWER = """\
# What everyone with the group `eng` may do in a cluster of yours: look, but not at secrets.
# The cluster's own RBAC must let the group kwit:viewers look, too:
#   kubectl create clusterrolebinding kwit-viewers --clusterrole=view --group=kwit:viewers
apiVersion: kubewitness.dev/v1
kind: Role
metadata: {name: viewer}
spec:
  as: {groups: ["kwit:viewers"]}
  allow:
    - {apiGroups: ["", apps, batch], resources: ["*"], verbs: [get, list, watch]}
    - {apiGroups: [authentication.k8s.io], resources: [selfsubjectreviews], verbs: [create]}
  deny:
    - {apiGroups: [""], resources: [secrets], verbs: ["*"]}
---
apiVersion: kubewitness.dev/v1
kind: RoleBinding
metadata: {name: viewers}
spec: {role: viewer, subjects: [{kind: Group, connector: sandbox, name: eng}]}
"""


@dataclass(frozen=True, slots=True)
class Ports:
    """Free ones on loopback."""

    kube: int
    web: int
    operations: int
    provider: int
    cluster: int


@dataclass(frozen=True, slots=True)
class Folder:
    """The demo's directory, an absolute path, and the cluster that it is for."""

    path: Path
    cluster: str = SANDBOX

    @property
    def config(self) -> Path:
        return self.path / "kwit.yaml"

    @property
    def cluster_file(self) -> Path:
        return self.path / "clusters" / f"{self.cluster}.yaml"

    @property
    def cluster_directory(self) -> Path:
        return self.path / "cluster"

    @property
    def provider_secret(self) -> str:
        return (self.path / "provider-secret").read_text(encoding="ascii").strip()

    @property
    def cluster_token(self) -> str:
        return (self.cluster_directory / "token").read_text(encoding="ascii").strip()

    def load(self) -> Config:
        """The configuration. Raises Problem."""
        try:
            return Config.load(self.config)
        except ConfigError as error:
            raise Problem(f"{self.config} cannot be used any more:\n{error}") from error

    def provider_port(self) -> int:
        """Where the provider must listen, as kwit.yaml says. Raises Problem."""
        for connector in self.load().connectors:
            if isinstance(connector, OidcConnector) and connector.name == CONNECTOR:
                return _port(connector.issuer, self.config)
        raise Problem(f"{self.config} has no connector {CONNECTOR} any more; {_AFRESH}")

    def cluster_port(self) -> int:
        """Where the sandbox's API must listen, as its file says. Raises Problem."""
        try:
            found = parse_section(ClusterFile, read_text(self.cluster_file), path=self.cluster_file)
        except ConfigError as error:
            raise Problem(f"{self.cluster_file} cannot be used any more:\n{error}") from error
        return _port(found.server or "", self.cluster_file)


_AFRESH = "choose another directory with --data"


def cluster_name(context: str) -> str:
    """What kwit calls the cluster of a kubeconfig context: its letters and digits, the rest as hyphens."""
    plain = re.sub(r"[^a-z0-9.]+", "-", context.lower()).replace("..", ".").strip("-.")
    return plain[:63].strip("-.") or "cluster"


def check(folder: Folder) -> bool:
    """Whether a demo was here before. Raises Problem where the directory is of something else."""
    if not folder.path.exists() or (folder.path.is_dir() and not any(folder.path.iterdir())):
        return False
    if not folder.path.is_dir():
        raise Problem(f"{folder.path} is no directory; {_AFRESH}", exit_code=2)
    if not folder.config.exists():
        raise Problem(f"{folder.path} is neither empty nor a demo's; {_AFRESH}", exit_code=2)
    if folder.load().installation != INSTALLATION:
        raise Problem(f"{folder.config} is not a demo's, and stays as it is; {_AFRESH}", exit_code=2)
    if not folder.cluster_file.exists():
        kept = ", ".join(sorted(path.stem for path in folder.cluster_file.parent.glob("*.yaml"))) or "none"
        raise Problem(f"the demo in {folder.path} is for another cluster ({kept}); {_AFRESH}", exit_code=2)
    return True


def write(folder: Folder, ports: Ports, *, secret: str, cluster_text: str) -> None:
    """Every file that is not there, kwit.yaml last, since it is what makes the rest a demo's. Raises OSError."""
    folder.path.mkdir(mode=0o700, parents=True, exist_ok=True)
    for below in ("roles", "clusters", "data", "cluster"):
        (folder.path / below).mkdir(mode=0o700, exist_ok=True)
    roles = {"developer": _DEVELOPER, "support": _SUPPORT} if folder.cluster == SANDBOX else {"viewer": _VIEWER}
    for name, text in roles.items():
        private_file.create(folder.path / "roles" / f"{name}.yaml", text)
    private_file.create(folder.cluster_file, cluster_text)
    private_file.create(folder.path / "provider-secret", secret + "\n")
    names = {"installation": INSTALLATION, "connector": CONNECTOR, "client_id": CLIENT_ID}
    settings = _KWIT.format(
        **names, kube=ports.kube, web=ports.web, operations=ports.operations, provider=ports.provider
    )
    private_file.create(folder.config, settings)


def sandbox_cluster(folder: Folder, ports: Ports, *, token: str) -> str:
    """The text of the sandbox's cluster file; its token is put where that says. Raises OSError."""
    # one after the other: of parents that are made on the way the mode is not ours to say
    folder.path.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.cluster_directory.mkdir(mode=0o700, exist_ok=True)
    private_file.create(folder.cluster_directory / "token", token + "\n")
    return f"""\
# What `kwit cluster add` writes for a cluster: where it is, whose certificate to trust, how kwit proves itself there.
name: {SANDBOX}
labels: {{env: demo}}
server: https://127.0.0.1:{ports.cluster}
ca_file: ../cluster/ca.crt
credentials: {{kind: token_file, path: ../cluster/token}}
"""


def _port(url: str, path: Path) -> int:
    port = urlsplit(url).port
    if port is None:
        raise Problem(f"{path} names no port on this machine any more; {_AFRESH}")
    return port

"""`kwit serve` without its web listener, from a configuration like anybody's, with one person signed in.

The sign-in is written straight into the state; nothing else is left out.
"""

from __future__ import annotations

import base64
import os
import sys
import time
from pathlib import Path

import yaml
from cryptography.hazmat.primitives.asymmetric import ec

from auth.ca import key_hash
from auth.identity import Identity, Login, LoginID
from auth.state.sqlite import SqliteStore
from proxy.app import App
from proxy.config import Config
from proxy.keys import issuer, load_keys
from proxy.server import run, say, until_stopped
from tests.bench.certificates import key_pem
from tests.bench.processes import free_port

CLUSTER = "bench-1"
CONNECTOR = "corp"
LIFETIME_SECONDS = 36_000.0
CONNECTIONS = 10_000
"""All of a run come from one address."""

ROLES = """\
apiVersion: kubewitness.dev/v1
kind: Role
metadata: {name: developer}
spec:
  clusters: {labels: {env: staging}}
  as: {groups: ["kwit:developers"]}
  allow:
    - {apiGroups: ["", apps, batch], resources: ["*"], verbs: ["*"], namespaces: [default, "team-{{ claims.team }}-*"]}
    - {apiGroups: [""], resources: [pods], verbs: [exec, attach, portforward, proxy], namespaces: [default]}
  deny:
    - {apiGroups: [""], resources: [secrets], verbs: ["*"]}
  options: {record: RECORD}
---
apiVersion: kubewitness.dev/v1
kind: Role
metadata: {name: viewer}
spec:
  as: {groups: ["kwit:viewers"]}
  allow:
    - {apiGroups: ["*"], resources: ["*"], verbs: [get, list, watch]}
  deny:
    - {apiGroups: [""], resources: [secrets], verbs: ["*"]}
---
apiVersion: kubewitness.dev/v1
kind: RoleBinding
metadata: {name: developers}
spec: {role: developer, subjects: [{kind: Group, connector: corp, name: eng}]}
---
apiVersion: kubewitness.dev/v1
kind: RoleBinding
metadata: {name: engineering-views}
spec: {role: viewer, subjects: [{kind: Group, connector: corp, name: eng}]}
"""


def configuration(
    folder: Path, port: int, upstream: str, ca: str, certificate: str, key: str, *, record: str, operations: int
) -> Config:
    """Write it into `folder`: roles, the cluster that we prove ourselves to by a client certificate, kwit.yaml."""
    connector = {"type": "oidc", "name": CONNECTOR, "issuer": "https://id.example.com", "client_id": "bench"}
    cluster = {"name": CLUSTER, "labels": {"env": "staging"}, "server": f"https://{upstream}", "ca_file": ca}
    proof = {"kind": "client_certificate", "certificate": certificate, "key": key}
    limits = {"drain_timeout": "1s", "connections_per_source": CONNECTIONS}
    document = {
        "installation": "bench",
        "data_dir": "data",
        "kube": {"address": f"127.0.0.1:{port}", "url": f"https://localhost:{port}", "limits": limits},
        "web": {"url": "https://localhost:1"},
        "operations": {"address": f"127.0.0.1:{operations}"},
        "connectors": [connector | {"client_secret_file": "nobody-signs-in-here"}],
    }
    files = {
        "roles/roles.yaml": ROLES.replace("RECORD", record),
        f"clusters/{CLUSTER}.yaml": yaml.safe_dump(cluster | {"tls_server_name": "localhost", "credentials": proof}),
        "kwit.yaml": yaml.safe_dump(document),
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    return Config.load(folder / "kwit.yaml")


async def sign_in(config: Config, folder: Path) -> None:
    """A person with a few groups, and their certificate and key as `person.pem` and `person.key`."""
    key, now = ec.generate_private_key(ec.SECP256R1()), time.time()
    login_id = LoginID(base64.b32encode(os.urandom(16)).decode().rstrip("=").lower())
    groups = ("eng", "eng-payments", "oncall", "staff", "vpn")
    person = Identity(
        CONNECTOR, "https://id.example.com", "00u1", "ada@example.com", groups, "ada@example.com", {"team": "payments"}
    )
    store = SqliteStore(config.state_path)
    await store.open()
    await store.add_login(
        Login(login_id, person, key_hash(key.public_key()), now, now + LIFETIME_SECONDS, now, "127.0.0.1")
    )
    await store.close()
    issue = issuer(load_keys(config, now).people, config.installation)
    (folder / "person.pem").write_text(issue(key.public_key(), CLUSTER, login_id, now, LIFETIME_SECONDS).pem)
    (folder / "person.key").write_bytes(key_pem(key))


async def serve(config: Config, folder: Path) -> int:
    await sign_in(config, folder)
    app = App(config, environ={}, say=say, web=False)
    await app.start()
    return await until_stopped(app, config)


def main(arguments: list[str]) -> int:
    folder, port, *upstream, record = arguments
    config = configuration(Path(folder), int(port), *upstream, record=record, operations=free_port())
    return run(lambda: serve(config, Path(folder)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

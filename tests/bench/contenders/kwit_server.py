"""The kube listener in a process of its own, made of the real parts, with one person signed in.

The sign-in is written straight into the state; nothing else is left out: a certificate of our CA, the state's copy
refreshed each second, roles from a folder of files, the log in mutating durability on this machine's disk.
`proxy.app` takes this file's place when it exists: then only the person remains to be made here.
"""

from __future__ import annotations

import asyncio
import base64
import os
import signal
import ssl
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import uvloop
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from auth.ca import CertificateAuthority, issue, key_hash
from auth.identity import Identity, Login, LoginID
from auth.keystore import load_or_create_ca, serving_certificate
from auth.rbac import Policy, Role, RoleBinding, compile_policy
from auth.role_files import RoleFiles
from auth.state.live import REFRESH_SECONDS, LiveState
from auth.state.sqlite import SqliteStore
from proxy.audit_id import RANDOM_BYTES, RandomBlock, uuid7
from proxy.config import KubeLimits
from proxy.filters.audit import AuditFilter
from proxy.filters.authentication import AuthenticationFilter
from proxy.filters.origin import OriginFilter
from proxy.filters.remembered import RoleSteps
from proxy.filters.request_info import request_info
from proxy.journey import Journey
from proxy.listeners import KubeListener, kube_ssl_context, listen
from proxy.metrics import Metrics
from proxy.upstream import UpstreamPool
from recordings.audit.log import AuditLog, LogSettings
from tests.bench.certificates import key_pem

INSTALLATION = "bench"
CLUSTER = "bench-1"
CONNECTOR = "corp"
LABELS = {"env": "staging"}
LIFETIME_SECONDS = 36_000.0

ROLES = """\
apiVersion: kubewitness.dev/v1
kind: Role
metadata: {name: developer}
spec:
  clusters: {labels: {env: staging}}
  as: {groups: ["kwit:developers"]}
  allow:
    - {apiGroups: ["", apps, batch], resources: ["*"], verbs: ["*"], namespaces: [default, "team-{{ claims.team }}-*"]}
    - {apiGroups: [""], resources: [pods], verbs: [exec, attach, portforward], namespaces: [default]}
  deny:
    - {apiGroups: [""], resources: [secrets], verbs: ["*"]}
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


@dataclass(frozen=True, slots=True)
class Upstream:
    """A `proxy.upstream.Endpoint` that we prove ourselves to by a client certificate, as the other contenders do."""

    host: str
    port: int
    context: ssl.SSLContext
    name: str = CLUSTER
    path_prefix: bytes = b""
    server_hostname: str = "localhost"

    @property
    def host_header(self) -> bytes:
        return f"{self.host}:{self.port}".encode()

    def ssl_context(self) -> ssl.SSLContext:
        return self.context

    def authorization(self) -> bytes | None:
        return None


def upstream_endpoint(address: str, ca: str, certificate: str, key: str) -> Upstream:
    context = ssl.create_default_context(cafile=ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(certificate, key)
    host, _, port = address.rpartition(":")
    return Upstream(host, int(port), context)


async def sign_in(store: SqliteStore, ca: CertificateAuthority, folder: Path) -> None:
    """A person with a few groups, and their certificate and key as `person.pem` and `person.key`."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = time.time()
    login_id = LoginID(base64.b32encode(os.urandom(16)).decode().rstrip("=").lower())
    groups = ("eng", "eng-payments", "oncall", "staff", "vpn")
    person = Identity(
        CONNECTOR, "https://id.example.com", "00u1", "ada@example.com", groups, "ada@example.com", {"team": "payments"}
    )
    await store.add_login(
        Login(login_id, person, key_hash(key.public_key()), now, now + LIFETIME_SECONDS, now, "127.0.0.1")
    )
    issued = issue(
        ca,
        key.public_key(),
        installation=INSTALLATION,
        cluster=CLUSTER,
        login_id=login_id,
        now=now,
        lifetime_seconds=LIFETIME_SECONDS,
        serial_number=x509.random_serial_number(),
    )
    (folder / "person.pem").write_text(issued.pem)
    (folder / "person.key").write_bytes(key_pem(key))


def roles(folder: Path) -> RoleFiles:
    folder.mkdir()
    (folder / "roles.yaml").write_text(ROLES)

    def compiled(found: list[Role], bindings: list[RoleBinding]) -> Policy:
        return compile_policy(found, bindings, [CONNECTOR])

    return RoleFiles(folder, compiled)


async def serve(folder: Path, port: int, upstream: Upstream) -> None:
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    store, log = SqliteStore(folder / "state.db"), audit_log(folder / "audit", loop)
    await store.open()
    await log.open()
    people = load_or_create_ca(folder / "ca", "people", "bench people", time.time())
    servers = load_or_create_ca(folder / "ca", "servers", "bench servers", time.time())
    (folder / "ca.pem").write_text(servers.pem)
    chain, key = serving_certificate(folder / "ca", "kube", servers, ["localhost", "127.0.0.1"], now=time.time())
    await sign_in(store, people, folder)
    live, policy, pool, metrics = (
        LiveState(),
        roles(folder / "roles"),
        UpstreamPool(loop, connect_seconds=10.0),
        Metrics(),
    )
    await live.refresh(store, time.time())
    random = RandomBlock(os.urandom)
    journey = Journey(
        (
            OriginFilter(frozenset((f"127.0.0.1:{port}".encode(), f"localhost:{port}".encode())), frozenset()),
            AuthenticationFilter(live, {CLUSTER: upstream}, state_max_age_seconds=60.0, groups_max_age_seconds=3600.0),
            request_info,
            RoleSteps(lambda: policy.policy, lambda _: LABELS, lambda _: ()),
        ),
        AuditFilter(log, time.time, strict=False, redaction_key=b"k" * 32),
        pool,
        loop=loop,
        clock=time.time,
        random=random,
        metrics=metrics,
    )
    context = kube_ssl_context(str(chain), str(key), people.pem)
    listener = KubeListener(
        context,
        journey,
        loop=loop,
        installation=INSTALLATION,
        limits=KubeLimits(drain_timeout="1s"),
        refused=report,
        metrics=metrics,
        clock=time.time,
        random=random,
    )
    listener.start(listen("127.0.0.1", port))
    each_second = loop.create_task(keep_current(live, store, policy, pool, loop.time))
    await stopped.wait()
    each_second.cancel()
    await listener.stop()
    pool.close()
    await log.close()
    await store.close()


def audit_log(folder: Path, loop: asyncio.AbstractEventLoop) -> AuditLog:
    random = RandomBlock(os.urandom)
    return AuditLog(
        LogSettings(folder, "bench"),
        loop=loop,
        clock=time.time,
        mono=time.monotonic,
        new_id=lambda: uuid7(time.time(), random(RANDOM_BYTES)),
        boot=sha256(b"bench").hexdigest()[:32],
    )


async def keep_current(
    live: LiveState, store: SqliteStore, policy: RoleFiles, pool: UpstreamPool, mono: Callable[[], float]
) -> None:
    while True:
        await asyncio.sleep(REFRESH_SECONDS)
        await live.refresh(store, time.time())
        policy.poll()
        pool.sweep(mono())


def report(reason: str, source: str, detail: str) -> None:
    """A refusal before authentication: in a benchmark, a mistake that should be seen."""
    if reason != "client_left":
        print(reason, source, detail, file=sys.stderr, flush=True)


def main(arguments: list[str]) -> None:
    folder, port, upstream, ca, certificate, key = arguments
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(Path(folder), int(port), upstream_endpoint(upstream, ca, certificate, key)))


if __name__ == "__main__":
    main(sys.argv[1:])

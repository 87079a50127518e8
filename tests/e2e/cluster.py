"""A real control plane (etcd and kube-apiserver) on loopback, for tests and for `make cluster`.

`ControlPlane` starts the program that `control_plane/build` makes; `ExistingCluster` stands for the one that the
environment variable KWIT_E2E_KUBECONFIG names. There is no controller manager: nobody aggregates the roles admin, edit
and view, makes `default` service accounts, or ends the deletion of a namespace. Tests bring their own roles and
accounts.
"""

import contextlib
import datetime as dt
import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from tests.e2e.pki import Authority, Pair

HERE = Path(__file__).parent / "control_plane"
NO_GO = 3  # exit code of control_plane/build where there is no Go
READY_WITHIN = 90.0  # seconds; measured 4 to 12 at a load of 18
POLL_EVERY = 0.1  # seconds between two questions to /readyz


class Unavailable(Exception):  # noqa: N818 - it is no error: a machine may lack what this needs
    """This machine cannot run the control plane; the text is the sentence to show."""


class Cluster(Protocol):
    """What the tests need of a cluster. `audit_log` is None where we cannot read the API server's."""

    kubeconfig: Path
    audit_log: Path | None

    def person(self, username: str, groups: tuple[str, ...]) -> Path:
        """Return a kubeconfig that acts as this user, without the proxy."""


class ExistingCluster:
    """Somebody's own cluster: the kubeconfig must allow impersonation; files of ours go to `folder`."""

    audit_log: Path | None = None

    def __init__(self, kubeconfig: Path, folder: Path) -> None:
        self.kubeconfig = kubeconfig
        self._folder = folder

    def person(self, username: str, groups: tuple[str, ...]) -> Path:
        """Return the given kubeconfig, flattened, with the user it acts as added."""
        command = ["kubectl", "--kubeconfig", str(self.kubeconfig), "config", "view", "--raw", "--minify", "-o", "json"]
        config = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        config["users"][0]["user"] |= {"as": username, "as-groups": list(groups)}
        path = self._folder / f"{username}.kubeconfig"
        path.touch(mode=0o600)
        path.write_text(json.dumps(config))
        return path


class ControlPlane:
    """Etcd and kube-apiserver on free loopback ports; all their state in `folder`, none of it outside.

    Entering starts both and returns when /readyz says yes; leaving kills both (on TERM the API server lingers for ten
    seconds) and leaves the folder to its owner. Raises RuntimeError with the last lines of the log when one dies.
    """

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs = programs
        self._folder = folder
        self.kubeconfig = folder / "admin.kubeconfig"
        self.audit_log: Path | None = folder / "audit.json"
        self._processes: list[subprocess.Popen[bytes]] = []
        self._authority = Authority(folder / "pki", dt.datetime.now(dt.UTC))
        self._port = 0
        self._admin: Pair
        self._flags: list[str] = []

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._kill()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._kill()

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes, for `down` to end later."""
        return tuple(process.pid for process in self._processes)

    def person(self, username: str, groups: tuple[str, ...]) -> Path:
        """Return a kubeconfig with a client certificate for this user and these groups."""
        return self._write_kubeconfig(username, self._authority.client(username, groups))

    def serving(self, name: str, address: str) -> Pair:
        """Return a certificate for a server of this cluster at `address`."""
        return self._authority.server(name, address)

    @property
    def authority(self) -> Path:
        """The CA of this cluster's certificates, as a PEM file."""
        return self._authority.certificate

    def leave_running(self) -> None:
        """Forget the processes, so that leaving does not kill them."""
        self._processes.clear()

    def _start(self) -> None:
        etcd, peers, self._port = free_ports(3)
        self._admin = self._authority.client("admin", ("system:masters",))
        self._write_kubeconfig("admin", self._admin)
        self._run("etcd", etcd_flags(self._folder, etcd, peers))
        self._flags = apiserver_flags(self._folder, self._authority, etcd, self._port)
        self._run("kube-apiserver", self._flags)
        self._wait()

    def restart_api_server(self) -> None:
        """Kill it, with all connections that it has, and return when a new one is ready at the same place."""
        gone = self._processes.pop()
        gone.kill()
        gone.wait()
        self._run("kube-apiserver", self._flags)
        self._wait()

    def _wait(self) -> None:
        context = ssl.create_default_context(cafile=self._authority.certificate)
        context.load_cert_chain(self._admin.certificate, self._admin.key)
        end = time.monotonic() + READY_WITHIN
        while not is_ready(self._port, context):
            for process, name in zip(self._processes, ("etcd", "kube-apiserver"), strict=True):
                if process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError(f"{name} is not ready:\n{tail(self._folder / f'{name}.log')}")
            time.sleep(POLL_EVERY)

    def _run(self, name: str, flags: list[str]) -> None:
        with (self._folder / f"{name}.log").open("wb") as log:
            command = [str(self._programs / name), *flags]
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        self._processes.append(process)

    def _kill(self) -> None:
        for process in reversed(self._processes):
            process.kill()
            process.wait()
        self._processes.clear()

    def _write_kubeconfig(self, name: str, pair: Pair) -> Path:
        server = {
            "server": f"https://127.0.0.1:{self._port}",
            "certificate-authority": str(self._authority.certificate),
        }
        user = {"client-certificate": str(pair.certificate), "client-key": str(pair.key)}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "e2e", "cluster": server}],
            "users": [{"name": name, "user": user}],
            "contexts": [{"name": "e2e", "context": {"cluster": "e2e", "user": name}}],
            "current-context": "e2e",
        }
        path = self._folder / f"{name}.kubeconfig"
        path.write_text(json.dumps(config, indent=2) + "\n")
        return path


def etcd_flags(folder: Path, port: int, peers: int) -> list[str]:
    """Flags of a single etcd that forgets nothing but does not wait for the disk."""
    client, peer = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{peers}"
    flags = ["--name=e2e", f"--data-dir={folder / 'etcd'}", "--unsafe-no-fsync", "--log-level=warn"]
    flags += [f"--listen-client-urls={client}", f"--advertise-client-urls={client}", f"--listen-peer-urls={peer}"]
    return [*flags, f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=e2e={peer}"]


def apiserver_flags(folder: Path, authority: Authority, etcd: int, port: int) -> list[str]:
    """Flags of an API server with RBAC, token issuing and an audit log that is written before the answer."""
    server, accounts = authority.server("apiserver"), authority.key_pair("accounts")
    to_kubelets = authority.client("apiserver-kubelet-client", ("system:masters",))
    issuer = "https://kubernetes.default.svc"
    return [
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        "--advertise-address=192.0.2.1",  # loopback is refused here; nothing ever connects to it
        "--endpoint-reconciler-type=none",
        f"--etcd-servers=http://127.0.0.1:{etcd}",
        "--service-cluster-ip-range=10.96.0.0/16",
        f"--tls-cert-file={server.certificate}",
        f"--tls-private-key-file={server.key}",
        f"--client-ca-file={authority.certificate}",
        f"--kubelet-client-certificate={to_kubelets.certificate}",
        f"--kubelet-client-key={to_kubelets.key}",
        f"--kubelet-certificate-authority={authority.certificate}",
        "--kubelet-preferred-address-types=InternalIP",
        "--allow-privileged",
        "--authorization-mode=Node,RBAC",
        "--anonymous-auth=false",
        # No controller makes `default` accounts, and pods would wait for theirs.
        "--disable-admission-plugins=ServiceAccount",
        f"--service-account-issuer={issuer}",
        f"--api-audiences={issuer},kwit",
        f"--service-account-key-file={accounts.certificate}",
        f"--service-account-signing-key-file={accounts.key}",
        f"--audit-policy-file={HERE / 'audit-policy.yaml'}",
        f"--audit-log-path={folder / 'audit.json'}",
        "--audit-log-mode=blocking",
        "--profiling=false",
    ]


def free_ports(count: int) -> tuple[int, ...]:
    """Ports free just now, all different because all are held until the last is known."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return tuple(one.getsockname()[1] for one in sockets)


def is_ready(port: int, context: ssl.SSLContext) -> bool:
    """Whether /readyz answers 200; every failure to connect is a no."""
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=5, context=context)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except OSError:
        return False
    finally:
        connection.close()


def tail(path: Path, lines: int = 8) -> str:
    """Return the last lines of a log."""
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])


def build() -> Path:
    """Return the folder with etcd, kube-apiserver and kubectl, built if need be; raises Unavailable without Go."""
    done = subprocess.run([str(HERE / "build")], check=False, capture_output=True, text=True)
    if done.returncode == NO_GO:
        raise Unavailable(done.stderr.strip())
    done.check_returncode()
    return Path(done.stdout.strip())


def up(folder: Path) -> None:
    """Start a plane that outlives this process; prints its admin kubeconfig's path. `down` ends it."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with ControlPlane(build(), folder) as plane:
        (folder / "pids.json").write_text(json.dumps(plane.pids))
        plane.leave_running()
        print(plane.kubeconfig)


def down(folder: Path) -> None:
    """Kill what `up` started in this folder, and delete it. A process that is not ours any more is left alone."""
    for pid in json.loads((folder / "pids.json").read_text()):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if str(folder).encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(pid, signal.SIGKILL)
    shutil.rmtree(folder)


if __name__ == "__main__":
    verb, *rest = sys.argv[1:]
    try:
        {"up": up, "down": down}[verb](Path(rest[0] if rest else tempfile.mkdtemp(prefix="kwit-cluster-")).resolve())
    except Unavailable as reason:
        print(reason, file=sys.stderr)
        sys.exit(NO_GO)

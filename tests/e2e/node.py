"""A real node beside the real API server: the kubelet, containerd, runc and CNI, on a bridge of their own.

It needs root, and containerd, runc, the CNI plugins and static busybox; `Unavailable` names what is missing. Everything
lies in `folder`; what it makes outside (a bridge, the pods' containers) goes with it.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import yaml

from tests.e2e.busybox_image import BUSYBOX, IMAGE, write_image
from tests.e2e.cluster import ControlPlane, Unavailable, free_ports, tail

NAME = "e2e-node"
CNI = Path("/usr/lib/cni")
PACKAGES = "containerd runc containernetworking-plugins busybox-static iptables"
READY_WITHIN = 120.0
POLL_EVERY = 0.2
SUBNET = "10.231.{}.0/24"


class Node:
    """From entering, which returns when the node is Ready, to leaving."""

    def __init__(self, programs: Path, plane: ControlPlane, folder: Path, admin: Callable[..., str]) -> None:
        check()
        self._programs, self._plane, self._folder, self._admin = programs, plane, folder, admin
        number = os.getpid() % 200 + 20
        self._bridge = f"kwe2e{number}"
        self._subnet = SUBNET.format(number)
        self._address = self._subnet.replace("0/24", "1")
        self._processes: list[subprocess.Popen[bytes]] = []
        self._socket = folder / "containerd.sock"

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _start(self) -> None:
        for name in ("kubelet", "cni", "log"):
            (self._folder / name).mkdir()
        _run("ip", "link", "add", self._bridge, "type", "bridge")
        _run("ip", "addr", "add", f"{self._address}/24", "dev", self._bridge)
        _run("ip", "link", "set", self._bridge, "up")
        self._write_configuration()
        self._launch("containerd", "containerd", "--config", str(self._folder / "containerd.toml"))
        self._wait(lambda: self._ctr("version") == 0, "containerd")
        write_image(self._folder / "image.tar")
        assert self._ctr("images", "import", str(self._folder / "image.tar")) == 0
        kubeconfig = self._plane.person(f"system:node:{NAME}", ("system:nodes",))
        self._launch(
            "kubelet",
            str(self._programs / "kubelet"),
            f"--config={self._folder / 'kubelet.yaml'}",
            f"--kubeconfig={kubeconfig}",
            f"--root-dir={self._folder / 'kubelet'}",
            f"--cert-dir={self._folder / 'kubelet' / 'pki'}",
            f"--hostname-override={NAME}",
            f"--node-ip={self._address}",
        )
        self._wait(self._is_ready, "kubelet")

    def _is_ready(self) -> bool:
        with contextlib.suppress(AssertionError):
            path = '{.status.conditions[?(@.type=="Ready")].status}'
            return self._admin("get", "node", NAME, f"-o=jsonpath={path}") == "True"
        return False

    def _launch(self, name: str, *command: str) -> None:
        with (self._folder / "log" / f"{name}.log").open("wb") as log:
            self._processes.append(
                subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
                )
            )

    def _wait(self, holds: Callable[[], bool], name: str) -> None:
        end = time.monotonic() + READY_WITHIN
        while not holds():
            if self._processes[-1].poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{name} is not ready:\n{tail(self._folder / 'log' / f'{name}.log', 20)}")
            time.sleep(POLL_EVERY)

    def _ctr(self, *arguments: str) -> int:
        command = ["ctr", "--address", str(self._socket), "--namespace", "k8s.io", *arguments]
        return subprocess.run(command, check=False, capture_output=True).returncode

    def _write_configuration(self) -> None:
        (self._folder / "containerd.toml").write_text(
            CONTAINERD.format(folder=self._folder, socket=self._socket, image=IMAGE, cni=CNI)
        )
        network = {
            "cniVersion": "0.4.0",
            "name": "e2e",
            "plugins": [
                {
                    "type": "bridge",
                    "bridge": self._bridge,
                    "isGateway": True,
                    "ipMasq": False,
                    "ipam": {
                        "type": "host-local",
                        "dataDir": str(self._folder / "cni" / "addresses"),
                        "ranges": [[{"subnet": self._subnet, "gateway": self._address}]],
                    },
                }
            ],
        }
        (self._folder / "cni" / "10-e2e.conflist").write_text(json.dumps(network))
        (port,) = free_ports(1)
        server = self._plane.serving("kubelet", self._address)
        nothing_evicts = dict.fromkeys(
            ("memory.available", "nodefs.available", "imagefs.available", "nodefs.inodesFree", "imagefs.inodesFree"),
            "0%",
        )
        kubelet = {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": self._address,
            "port": port,
            "healthzPort": 0,
            "readOnlyPort": 0,
            "containerRuntimeEndpoint": f"unix://{self._socket}",
            "tlsCertFile": str(server.certificate),
            "tlsPrivateKeyFile": str(server.key),
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": True},
                "x509": {"clientCAFile": str(self._plane.authority)},
            },
            "authorization": {"mode": "Webhook"},
            "cgroupDriver": "cgroupfs",
            "failCgroupV1": False,
            "failSwapOn": False,
            "cgroupsPerQOS": False,
            "enforceNodeAllocatable": [],
            "localStorageCapacityIsolation": False,
            "volumePluginDir": str(self._folder / "kubelet" / "plugins"),
            "podLogsDir": str(self._folder / "log" / "pods"),
            "clusterDomain": "cluster.local",
            "clusterDNS": ["10.96.0.10"],
            "resolvConf": "",
            "imageGCHighThresholdPercent": 100,
            "evictionHard": nothing_evicts,
            "nodeStatusUpdateFrequency": "5s",
        }
        (self._folder / "kubelet.yaml").write_text(yaml.safe_dump(kubelet))

    def _end(self) -> None:
        """The kubelet first, so that nothing is started again; then containers, containerd, the bridge."""
        for process in reversed(self._processes[1:]):
            process.kill()
            process.wait()
        self._end_containers()
        for process in self._processes[:1]:
            process.kill()
            process.wait()
        self._processes.clear()
        subprocess.run(["ip", "link", "delete", self._bridge], check=False, capture_output=True)
        mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
        for mount in sorted((one for one in mounts if one.startswith(str(self._folder))), reverse=True):
            subprocess.run(["umount", "-l", mount], check=False, capture_output=True)

    def _end_containers(self) -> None:
        """Processes of the pods are children of shims of ours: each names our socket on its command line."""
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            with contextlib.suppress(OSError):
                words = (entry / "cmdline").read_bytes().split(b"\0")
                if words[0].endswith(b"containerd-shim-runc-v2") and str(self._socket).encode() in words:
                    for child in (entry / "task" / entry.name / "children").read_text().split():
                        os.kill(int(child), 9)
                    os.kill(int(entry.name), 9)


def check() -> None:
    """Raises Unavailable with the sentence to show."""
    if sys.platform != "linux" or os.geteuid() != 0:
        raise Unavailable("a node needs root on Linux; streams were tried with the sandbox only")
    wanted = {"containerd": "containerd", "runc": "runc", "ip": "ip"}
    missing = [name for name, program in wanted.items() if shutil.which(program) is None]
    missing += [str(path) for path in (BUSYBOX, CNI / "bridge", CNI / "host-local") if not path.exists()]
    if missing:
        raise Unavailable(f"a node needs {', '.join(missing)}; on Debian: apt-get install {PACKAGES}")


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


CONTAINERD = """\
version = 2
root = "{folder}/containerd/root"
state = "{folder}/containerd/state"
disabled_plugins = [
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.zfs",
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.internal.v1.opt",
]
[grpc]
  address = "{socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{image}"
  netns_mounts_under_state_dir = true
  disable_apparmor = true
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{cni}"
    conf_dir = "{folder}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
"""

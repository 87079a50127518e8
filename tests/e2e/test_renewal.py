"""A client-go program that lives as long as k9s does loses to the renewal of its certificate what client-go takes from
it, its watches, and nothing else: through kwit as with another plugin that renews in front of the API server itself.
"""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest

from recordings.recorder.directory import RecordingDirectory
from recordings.recorder.moment import Kind
from recordings.recorder.reader import open_recording
from tests.e2e.clients.programs import built
from tests.e2e.cluster import Cluster, ControlPlane, Unavailable
from tests.e2e.conftest import GROUPS
from tests.e2e.installation import Installation
from tests.e2e.story import Person
from tests.e2e.way import carried

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1200)]  # the first run builds a program with client-go
TIMEOUT_SECONDS = 180.0
LIFETIME_SECONDS = 60
"""The shortest that kwit issues; client-go is told six seconds less."""
HURRIED = f"""\
apiVersion: kubewitness.dev/v1
kind: Role
metadata: {{name: hurried}}
spec:
  allow: [{{nonResourceURLs: [/version], verbs: [get]}}]
  options: {{certificateTTL: {LIFETIME_SECONDS}s}}
---
apiVersion: kubewitness.dev/v1
kind: RoleBinding
metadata: {{name: hurried}}
spec: {{role: hurried, subjects: [{{kind: Group, connector: corp, name: hurried}}]}}
"""
PLUGIN = """\
import datetime, json, pathlib, sys
seconds, given = int(sys.argv[1]), pathlib.Path(sys.argv[2])
count = len(given.read_text()) if given.exists() else 0
given.write_text("." * (count + 1))
certificate, key = (pathlib.Path(path).read_text() for path in sys.argv[3 + 2 * (count % 2):][:2])
ends = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
status = {"expirationTimestamp": ends.strftime("%Y-%m-%dT%H:%M:%SZ")}
status |= {"clientCertificateData": certificate, "clientKeyData": key}
print(json.dumps({"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status}))
"""
"""Two certificates in turn, each as long as kwit's: what kwit's own plugin would be without kwit."""
SHOWN = ["shell before", "forward before", "shell after", "forward after", "another connection"]
TOLD = {
    "before": {"whole": 3, "watches": 0, "unauthorized": 0},  # three informers
    "renewals": 1,
    "after": {"again": 3, "unauthorized": 0},  # each goes on, most often where it was
    "failed": 0,  # of the questions that were asked every half second meanwhile
    "heard": {"websocket": SHOWN, "spdy": SHOWN},  # a connection that was open all the time, and a new one
}
"""What client-go itself loses: it closes the connections of its watches, and no other."""


def renewing(cluster: ControlPlane, person: Person) -> None:
    """Give the person a plugin in place of a certificate."""
    config = json.loads(person.kubeconfig.read_text())
    pairs = []
    for number in (1, 2):
        user = json.loads(cluster.person(person.username, GROUPS).read_text())["users"][0]["user"]
        for kind in ("client-certificate", "client-key"):
            pairs.append(person.home / f"{number}-{kind}")
            pairs[-1].write_bytes(Path(user[kind]).read_bytes())
    plugin = person.home / "plugin.py"
    plugin.write_text(PLUGIN)
    arguments = list(map(str, (plugin, LIFETIME_SECONDS - 6, person.home / "given", *pairs)))
    config["users"][0]["user"] = {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": sys.executable,
            "args": arguments,
            "interactiveMode": "Never",
        }
    }
    person.kubeconfig.write_text(json.dumps(config))


@pytest.fixture
def hurried(
    people: dict[str, Person], installation: Installation, cluster: Cluster, tmp_path: Path
) -> dict[str, Person]:
    """The two people, their certificates good for a minute."""
    assert isinstance(cluster, ControlPlane)  # there is a node, so it is ours
    renewing(cluster, people["direct"])
    count = len(installation.records("--type", "role.change"))
    (installation.folder / "roles" / "hurried.yaml").write_text(HURRIED)
    installation.wait_for("role.change", count + 1)
    namespace = people["kwit"].namespace
    return people | {"kwit": installation.sign_in("streamer", namespace, tmp_path, groups=("eng", "hurried"))}


def comparable(told: dict[str, Any]) -> dict[str, Any]:
    """Whether an informer watches on or lists anew is client-go's choice: it was seen to do either without kwit."""
    after = told["after"]
    again = after["whole"] + after["watches"]
    return told | {"after": {"again": again, "unauthorized": after["unauthorized"]}}


def test_a_renewal_costs_watches_and_no_shell_no_forward_and_no_refusal(
    hurried: dict[str, Person], installation: Installation
) -> None:
    try:
        program = built("go") / "console"
    except Unavailable as reason:
        pytest.skip(str(reason))
    mark, since = f"mark-{uuid.uuid4().hex[:8]}", dt.datetime.now(dt.UTC).isoformat()
    running = {
        way: subprocess.Popen(
            [str(program), str(person.kubeconfig), person.namespace, "p", mark],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=person.environment(),
        )
        for way, person in hurried.items()
    }
    told: dict[str, dict[str, Any]] = {}
    try:
        for way, process in running.items():
            out, err = process.communicate(timeout=TIMEOUT_SECONDS)
            assert process.returncode == 0, err
            told[way] = comparable(json.loads(out))
    finally:
        for process in running.values():
            process.kill()
    assert told == {"kwit": TOLD, "direct": TOLD}
    asked = [one for one in installation.records("--user", "streamer", "--type", "kube.request") if one["time"] > since]
    assert [one for one in asked if one["outcome"] == "refused"] == []
    certificates = {one["event"]["user"]["extra"]["kubewitness.dev/certificate"][0] for one in asked}
    assert len(certificates) == 2
    directory = RecordingDirectory(installation.folder / "data" / "recordings")
    shells = sorted(directory.paths(), key=lambda path: path.stat().st_mtime_ns)[-2:]
    installation.wait_until(lambda: all(is_sealed(path) for path in shells), "a shell's recording is not sealed")
    for path in shells:
        with open_recording(path) as reader:
            assert carried(reader, Kind.STDOUT).endswith(b"shell before\nshell after\n")


def is_sealed(path: Path) -> bool:
    with open_recording(path) as reader:
        return reader.footer is not None

"""The same commands, run as one person on one way to the cluster; what they said, made comparable."""

import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

COMMAND_TIMEOUT = 60.0  # seconds for one kubectl; the slowest measured takes 3
DIFF = Path(__file__).with_name("plain-diff")
CHUNKED = 60  # config maps in the list that is read in chunks of 25

APP = """
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, labels: {app: shop}}
data: {colour: one}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop, labels: {app: shop}}
spec:
  replicas: 1
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec: {containers: [{name: main, image: "shop:1"}]}
"""

# (name, arguments, manifest on stdin). In order: each finds what the ones before it left.
STEPS: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("an empty list", ("get", "configmaps"), ""),
    ("apply creates", ("apply", "-f", "-"), APP),
    ("apply again changes nothing", ("apply", "-f", "-"), APP),
    ("get as a table", ("get", "deployments,configmaps"), ""),
    ("get wide with labels", ("get", "deployments", "-o", "wide", "--show-labels"), ""),
    ("get by jsonpath", ("get", "configmap", "settings", "-o", "jsonpath={.data.colour}"), ""),
    ("get as YAML", ("get", "configmap", "settings", "-o", "yaml"), ""),
    ("get by a label nobody has", ("get", "configmaps", "-l", "app=none"), ""),
    ("get by a field", ("get", "configmaps", "--field-selector", "metadata.name=settings", "-o", "name"), ""),
    ("get what is not there", ("get", "configmap", "absent"), ""),
    ("get a type that is not there", ("get", "unicorns"), ""),
    ("describe", ("describe", "deployment", "shop"), ""),
    ("patch, strategic", ("patch", "configmap", "settings", "-p", '{"data":{"size":"big"}}'), ""),
    (
        "patch, JSON",
        ("patch", "configmap", "settings", "--type=json", "-p", '[{"op":"remove","path":"/data/size"}]'),
        "",
    ),
    ("patch, merge, refused as invalid", ("patch", "configmap", "settings", "--type=merge", "-p", '{"data":1}'), ""),
    ("edit", ("edit", "configmap", "settings"), ""),
    ("the edit took", ("get", "configmap", "settings", "-o", "jsonpath={.data.colour}"), ""),
    ("diff", ("diff", "-f", "-"), APP),
    ("dry run", ("apply", "--dry-run=server", "-f", "-"), APP),
    ("server-side apply conflicts", ("apply", "--server-side", "--field-manager=other", "-f", "-"), APP),
    ("server-side apply, forced", ("apply", "--server-side", "--force-conflicts", "-f", "-"), APP),
    ("scale", ("scale", "deployment", "shop", "--replicas=3"), ""),
    ("wait", ("wait", "deployment/shop", "--for=jsonpath={.spec.replicas}=3", "--timeout=10s"), ""),
    ("wait in vain", ("wait", "deployment/shop", "--for=condition=Available", "--timeout=1s"), ""),
    ("label and annotate", ("label", "configmap", "settings", "tier=web"), ""),
    ("explain", ("explain", "deployment.spec.strategy"), ""),
    ("api-resources", ("api-resources", "--sort-by=name"), ""),
    ("api-versions", ("api-versions",), ""),
    ("can-i, yes", ("auth", "can-i", "create", "configmaps"), ""),
    ("can-i, no", ("auth", "can-i", "delete", "nodes"), ""),
    ("whoami", ("auth", "whoami", "-o", "jsonpath={.status.userInfo.username}"), ""),
    ("top has no metrics", ("top", "pods"), ""),
    ("forbidden", ("get", "secrets"), ""),
    ("--as is refused", ("get", "configmaps", "--as=mallory"), ""),
    ("a raw path", ("get", "--raw", "/version"), ""),
    ("a raw path that is not there", ("get", "--raw", "/nothing"), ""),
    ("many at once", ("create", "-f", "-"), json.dumps({
        "apiVersion": "v1", "kind": "List",
        "items": [
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"many-{n:03}", "labels": {"set": "many"}}}
            for n in range(CHUNKED)
        ],
    })),
    ("a large list in chunks", ("get", "configmaps", "-l", "set=many", "--chunk-size=25", "-o", "name"), ""),
    ("a collection deleted", ("delete", "configmaps", "-l", "set=many"), ""),
    ("delete", ("delete", "deployment", "shop", "--wait=false"), ""),
    ("delete, awaited", ("delete", "configmap", "settings"), ""),
    ("delete what is gone", ("delete", "configmap", "settings"), ""),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command left: exit code and both outputs, normalised."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Person:
    """One way to the cluster: a kubeconfig, the name that the cluster sees, a namespace, a folder of one's own."""

    kubeconfig: Path
    username: str
    namespace: str
    home: Path

    def run(self, kubectl: Path, arguments: tuple[str, ...], stdin: str = "") -> Outcome:
        """Run one command; nothing of this machine's own kubectl configuration or cache takes part."""
        done = subprocess.run(
            self.command(kubectl, arguments),
            check=False,
            capture_output=True,
            text=True,
            input=stdin,
            env=self.environment(),
            timeout=COMMAND_TIMEOUT,
        )
        return Outcome(done.returncode, self.normalise(done.stdout), self.normalise(done.stderr))

    def watch(self, kubectl: Path, lines: int) -> list[str]:
        """Watch config maps, make and delete one, and return so many lines of what the watch printed."""
        watching = self.command(kubectl, ("get", "configmaps", "--watch", "--output-watch-events", "--no-headers"))
        self.run(kubectl, ("create", "configmap", "first"))
        with subprocess.Popen(watching, stdout=subprocess.PIPE, text=True, env=self.environment()) as process:
            assert process.stdout is not None
            seen = [process.stdout.readline()]  # the watch is open: it has shown what is there already
            self.run(kubectl, ("create", "configmap", "second", "--from-literal=a=b"))
            self.run(kubectl, ("delete", "configmap", "first", "second"))
            seen += [process.stdout.readline() for _ in range(lines - 1)]
            process.kill()
        return [self.normalise(line) for line in seen]

    def command(self, kubectl: Path, arguments: tuple[str, ...]) -> list[str]:
        """Return the whole command line."""
        return [str(kubectl), f"--kubeconfig={self.kubeconfig}", f"--namespace={self.namespace}", *arguments]

    def environment(self) -> dict[str, str]:
        """Return an environment with an editor that changes one word."""
        editor = "sed -i s/one/two/"
        settings = {"KUBE_EDITOR": editor, "KUBECTL_EXTERNAL_DIFF": str(DIFF), "LC_ALL": "C"}
        return {"PATH": os.environ["PATH"], "HOME": str(self.home), **settings}

    def normalise(self, text: str) -> str:
        """Replace what must differ between two runs: who, where, when, and the marks of objects made anew."""
        text = text.replace(self.namespace, "NAMESPACE").replace(self.username, "USER")
        for pattern, name in VARYING:
            text = pattern.sub(name, text)
        return text


VARYING = (
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "UID"),
    (re.compile(r"resourceVersion(\\*\"?: ?|\\*\":)\\*\"\d+\\*\""), "resourceVersion N"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?( [+-]\d{4}|Z)?"), "TIME"),
    (re.compile(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}"), "TIME"),
    (re.compile(r"^@@ .*\n|^[-+] +time: \"TIME\"\n", re.MULTILINE), ""),
    (re.compile(r"^[IWE]\d{4} \d\d:\d\d:\d\d\.\d+ +\d+", re.MULTILINE), "LOG"),
    (re.compile(r"/tmp/(LIVE|MERGED)-\d+"), r"/tmp/\1"),
    (re.compile(r"\b\d+s\b( +|$)", re.MULTILINE), "AGE "),
)  # fmt: skip

"""Pin the module that builds the control plane: `pin.py v1.36.3` writes kube/go.mod and kube/go.sum beside itself.

Kubernetes' own go.mod is the source, so that each dependency has the version that Kubernetes is tested with. It
replaces its staging modules by folders of its own tree; here each becomes the module published with the same release
(v1.36.3 is v0.36.3 there). Run by hand when the version changes; `build` then needs no resolution (-mod=readonly).
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

STAGING = re.compile(r"^\s*(\S+) => \./staging/src/")
# Not published with every release, and nothing here imports them. kube-proxy is not among them on purpose: without its
# line the toolchain takes the newest one, and lifts half of the dependency tree with it.
UNPUBLISHED = ("k8s.io/sample-apiserver", "k8s.io/sample-cli-plugin", "k8s.io/sample-controller")


def translate(theirs: str, version: str) -> str:
    """Kubernetes' go.mod as ours: published staging modules, its own release required, samples left out."""
    staging_version = "v0." + version.split(".", 1)[1]
    lines = []
    for line in theirs.splitlines():
        words = line.split()
        if words and words[0] in UNPUBLISHED:
            continue
        if line.startswith("module "):
            lines.append("module kube")
        elif match := STAGING.match(line):
            lines.append(f"\t{match[1]} => {match[1]} {staging_version}")
        else:
            lines.append(line)
    lines.append(f"require k8s.io/kubernetes {version}")
    lines += [f"exclude {name} v0.0.0" for name in UNPUBLISHED]
    return "\n".join(lines) + "\n"


def versions(module: str) -> dict[str, str]:
    """The required modules of a go.mod and their versions."""
    return dict(re.findall(r"^\t(\S+) (v\S+)", module, re.MULTILINE))


def main(version: str) -> None:
    """Write both files, then let the toolchain add the staging modules' sums, and refuse a lifted dependency."""
    folder = Path(__file__).parent / "kube"
    command = ["go", "mod", "download", "-json", f"k8s.io/kubernetes@{version}"]
    answer = subprocess.run(command, check=True, capture_output=True, text=True, cwd="/")
    theirs = Path(json.loads(answer.stdout)["Dir"])
    ours = translate((theirs / "go.mod").read_text(), version)
    (folder / "go.mod").write_text(ours)
    (folder / "go.sum").write_bytes((theirs / "go.sum").read_bytes())
    environment = {**os.environ, "CGO_ENABLED": "0"}
    resolve = ["go", "list", "-mod=mod", "-deps", "."]
    subprocess.run(resolve, check=True, stdout=subprocess.DEVNULL, cwd=folder, env=environment)
    before, after = versions(ours), versions((folder / "go.mod").read_text())
    if lifted := [name for name, kept in before.items() if kept != "v0.0.0" and after.get(name) != kept]:
        sys.exit(f"not at the version that Kubernetes {version} has: {lifted}")


if __name__ == "__main__":
    main(sys.argv[1])

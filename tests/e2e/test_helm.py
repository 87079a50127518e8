"""helm installs, upgrades, rolls back and removes a chart through kwit as without it; the log names the person, and
holds nothing of what a release's state or the chart's Secret hold, even where the policy asks for every body."""

from __future__ import annotations

import base64
import json
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from tests.e2e.clients.programs import built
from tests.e2e.cluster import Cluster, Unavailable
from tests.e2e.conftest import GROUPS
from tests.e2e.installation import Installation
from tests.e2e.story import Outcome, Person

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1200)]  # the first run builds helm
TIMEOUT_SECONDS = 60.0
SECRET = b"nobody-may-read-this"
CHART = {
    "Chart.yaml": "{apiVersion: v2, name: tiny, version: 0.1.0}\n",
    "values.yaml": "colour: none\n",
    "templates/settings.yaml": """\
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-settings}
data: {colour: {{ .Values.colour }}}
---
apiVersion: v1
kind: Secret
metadata: {name: {{ .Release.Name }}-hidden}
stringData: {innocent: nobody-may-read-this-{{ .Values.colour }}}
""",
}
EVERYTHING = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: RequestResponse}]\n"
MAY_KEEP_RELEASES = f"""\
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{name: releases}}
rules: [{{apiGroups: [""], resources: [secrets], verbs: ["*"]}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: releases}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: releases}}
subjects: [{{apiGroup: rbac.authorization.k8s.io, kind: Group, name: {GROUPS[0]}}}]
"""
BEFORE: tuple[tuple[str, ...], ...] = (
    ("list", "-o", "json"),
    ("install", "tiny", "CHART", "--set", "colour=red", "-o", "json"),
    ("install", "tiny", "CHART"),  # the name is taken
    ("upgrade", "tiny", "CHART", "--set", "colour=green", "--wait", "-o", "json"),
    ("upgrade", "absent", "CHART"),
    ("rollback", "tiny", "1"),
    ("status", "tiny", "-o", "json"),
    ("history", "tiny", "-o", "json"),
    ("get", "values", "tiny"),
    ("get", "manifest", "tiny"),
    ("list", "-o", "json"),
)
AFTER = (("uninstall", "tiny"), ("list", "-o", "json"), ("status", "tiny"))


class Wordy(Installation):
    """Keeps every body that there is."""

    namespace = "kwit-wordy"

    def _configure(self) -> None:
        super()._configure()
        (self.folder / "policy.yaml").write_text(EVERYTHING)
        config = self.folder / "kwit.yaml"
        document = yaml.safe_load(config.read_text())
        document["audit"]["policy_file"] = "policy.yaml"
        config.write_text(yaml.safe_dump(document))


@pytest.fixture(scope="module")
def wordy(
    cluster: Cluster, admin: Callable[..., str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    with Wordy(tmp_path_factory.mktemp("wordy"), cluster, admin) as wordy:
        yield wordy


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    for name, text in CHART.items():
        path = tmp_path / "tiny" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "tiny"


@pytest.fixture(scope="module")
def helm() -> Path:
    try:
        return built("helm", "helm.sh/helm/v4/cmd/helm") / "helm"
    except Unavailable as reason:
        pytest.skip(f"helm: {reason}")


def told(helm: Path, person: Person, chart: Path, steps: tuple[tuple[str, ...], ...]) -> list[Outcome]:
    """What it said to each step."""
    outcomes = []
    for step in steps:
        command = [str(helm), f"--kubeconfig={person.kubeconfig}", f"--namespace={person.namespace}"]
        command += [str(chart) if word == "CHART" else word for word in step]
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, env=person.environment(), timeout=TIMEOUT_SECONDS
        )
        outcomes.append(Outcome(done.returncode, person.normalise(done.stdout), person.normalise(done.stderr)))
    return outcomes


def test_a_release_comes_and_goes_as_without_us_and_the_log_names_the_person_and_holds_no_secret(
    wordy: Installation,
    direct: Callable[[str], Person],
    admin: Callable[..., str],
    helm: Path,
    chart: Path,
    tmp_path: Path,
) -> None:
    without = direct("steersman")
    through = wordy.sign_in("steersman", direct("steersman").namespace, tmp_path)
    for person in (without, through):
        admin("apply", f"--namespace={person.namespace}", "-f", "-", stdin=MAY_KEEP_RELEASES)
    assert told(helm, through, chart, BEFORE) == told(helm, without, chart, BEFORE)
    found = json.loads(admin("get", "secrets", f"--namespace={through.namespace}", "-o", "json"))["items"]
    assert {one["metadata"]["name"] for one in found} == {
        "tiny-hidden",
        *(f"sh.helm.release.v1.tiny.v{revision}" for revision in (1, 2, 3)),
    }
    ended = told(helm, through, chart, AFTER)
    assert ended == told(helm, without, chart, AFTER)
    assert [one.code for one in ended] == [0, 0, 1]

    log = b"".join(path.read_bytes() for path in wordy.audit.rglob("*") if path.is_file())
    assert b'\\"colour\\":\\"green\\"' in log or b'"colour":"green"' in log  # bodies are in it
    for value in (value for one in found for value in one["data"].values()):
        assert value.encode() not in log
        assert base64.b64decode(value) not in log
    assert SECRET not in log
    release = "sh.helm.release.v1.tiny.v"
    written = Counter(
        (record["event"]["verb"], record["event"]["objectRef"].get("name", ""), record["event"]["user"]["username"])
        for record in wordy.records("--user", "steersman", "--type", "kube.request")
        if record["outcome"] == "done" and record["event"]["verb"] not in ("get", "list", "watch")
    )
    assert written == {
        ("create", "", "steersman"): 3,  # each revision; a creation's name is in its body
        **{("patch", f"tiny-{name}", "steersman"): 3 for name in ("settings", "hidden")},
        ("update", f"{release}1", "steersman"): 2,
        ("update", f"{release}2", "steersman"): 2,
        ("update", f"{release}3", "steersman"): 2,
        **{("delete", f"tiny-{name}", "steersman"): 1 for name in ("settings", "hidden")},
        **{("delete", f"{release}{revision}", "steersman"): 1 for revision in (1, 2, 3)},
    }

"""The sandbox's API beside the real API server: the same commands, the same requests, the same answers.

The sandbox runs without its controllers here, as the real API server does. What differs on purpose is left out by name:
what is served, what Kubernetes' own descriptions say, and the text of what a patch would have made.
"""

import asyncio
import json
import re
import ssl
import time
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from deploy.sandbox.apiserver import SandboxAPIServer
from deploy.sandbox.apiserver.access import Attributes
from deploy.sandbox.apiserver.caller import MASTERS, Caller
from tests.e2e.cluster import Cluster
from tests.e2e.conftest import GROUPS, HERE
from tests.e2e.kubectls import WHEELS
from tests.e2e.story import STEPS, Outcome, Person

pytestmark = [pytest.mark.cluster, pytest.mark.kubectl, pytest.mark.timeout(600)]
DIFFERS = {"explain", "api-resources", "api-versions", "a raw path", "patch, merge, refused as invalid"}
MARKS = (
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "UID"),
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z"), "TIME"),
    (re.compile(r"10\.96\.\d+\.\d+"), "ADDRESS"),
    (re.compile(r"(resource version: )\d+(, current: )\d+"), r"\1N\2N"),
)
CASES = Path(__file__).with_name("answers.yaml")


def developer(caller: Caller, asked: Attributes) -> bool:
    """What developer.yaml says."""
    roles = yaml.safe_load_all((HERE / "developer.yaml").read_text())
    rules = next(one["rules"] for one in roles if one["kind"] == "ClusterRole")
    return set(GROUPS) <= set(caller.groups) and any(
        asked.group in rule["apiGroups"]
        and asked.resource in rule["resources"]
        and {"*", asked.verb} & set(rule["verbs"])
        for rule in rules
    )


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[SandboxAPIServer]:
    sandbox = SandboxAPIServer(tmp_path / "sandbox", clock=time.time, access=developer, controllers=False)
    await sandbox.start()
    yield sandbox
    await sandbox.stop()


@dataclass(frozen=True, slots=True)
class Server:
    """A way to ask one of the two as its administrator."""

    url: str
    context: ssl.SSLContext

    async def ask(self, case: dict[str, Any], namespace: str) -> tuple[int, str | None, list[str], Any]:
        """Status, type, warnings and what was said, marks of this run taken out."""
        body = case.get("body")
        data = body if body is None or isinstance(body, str) else json.dumps(body).replace("NAMESPACE", namespace)
        headers = {"Content-Type": case.get("type", "application/json")} if body is not None else {}
        async with (
            aiohttp.ClientSession(
                headers={"User-Agent": "e2e"}, connector=aiohttp.TCPConnector(ssl=self.context)
            ) as way,
            way.request(
                case["method"],
                f"{self.url}{case['path'].replace('NAMESPACE', namespace)}",
                data=data,
                headers=headers | case.get("headers", {}),
            ) as answer,
        ):
            text = (await answer.text()).replace(namespace or "NAMESPACE", "NAMESPACE")
            for pattern, mark in MARKS:
                text = pattern.sub(mark, text)
            warnings = answer.headers.getall("Warning", [])
            return answer.status, answer.headers.get("Content-Type"), warnings, comparable(text)


def comparable(text: str) -> Any:
    """JSON without versions, ages, descriptions and who manages what; other text as it is."""
    try:
        return stripped(json.loads(text))
    except ValueError:
        return text


def stripped(value: Any) -> Any:
    if isinstance(value, dict):
        gone = ("managedFields", "description", "resourceVersion")
        return {key: stripped(one) for key, one in value.items() if key not in gone}
    if isinstance(value, list):
        return [stripped(one) for one in value]
    return "AGE" if isinstance(value, str) and re.fullmatch(r"\d+s", value) else value


def context(ca: str, certificate: Path, key: Path) -> ssl.SSLContext:
    made = ssl.create_default_context(cadata=ca)
    made.load_cert_chain(certificate, key)
    return made


@pytest.fixture
def both(sandbox: SandboxAPIServer, cluster: Cluster, tmp_path: Path) -> tuple[Server, Server]:
    """(the sandbox, the real one)."""
    config = yaml.safe_load(cluster.kubeconfig.read_text())
    user, real = config["users"][0]["user"], config["clusters"][0]["cluster"]
    if "client-key" not in user:
        pytest.skip("the cluster that KWIT_E2E_KUBECONFIG names is not asked without kubectl")
    for name, text in zip(("crt", "key"), sandbox.client_certificate("admin", (MASTERS,)), strict=True):
        (tmp_path / f"admin.{name}").write_text(text)
    ours = context(sandbox.ca_pem, tmp_path / "admin.crt", tmp_path / "admin.key")
    authority = Path(real["certificate-authority"]).read_text()
    theirs = context(authority, user["client-certificate"], user["client-key"])
    return Server(sandbox.url, ours), Server(real["server"], theirs)


async def test_every_request_is_answered_alike(both: tuple[Server, Server]) -> None:
    namespace = f"kwit-e2e-{uuid.uuid4().hex[:8]}"
    answers = []
    for server in both:
        said = {}
        for number, case in enumerate(yaml.safe_load(CASES.read_text())):
            about = f"{number}: {case['method']} {case['path']} {json.dumps(case.get('body'))[:200]}"
            said[about] = await server.ask(case, namespace)
        answers.append(said)
    assert answers[0] == answers[1]


async def stranger(sandbox: SandboxAPIServer, server: Server, folder: Path) -> Person:
    """Alice, as the sandbox knows her, with an empty namespace of hers."""
    namespace = f"kwit-e2e-{uuid.uuid4().hex[:8]}"
    await server.ask({"method": "POST", "path": "/api/v1/namespaces", "body": {"metadata": {"name": namespace}}}, "")
    names = ("ca.crt", "alice.crt", "alice.key")
    for name, text in zip(names, (sandbox.ca_pem, *sandbox.client_certificate("alice", GROUPS)), strict=True):
        (folder / name).write_text(text)
    authority, certificate, key = (str(folder / name) for name in names)
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": sandbox.url, "certificate-authority": authority}}],
        "users": [{"name": "u", "user": {"client-certificate": certificate, "client-key": key}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    (folder / "kubeconfig").write_text(json.dumps(config))
    return Person(folder / "kubeconfig", "alice", namespace, folder)


def tell(person: Person, kubectl: Path) -> dict[str, Outcome]:
    return {name: person.run(kubectl, words, stdin) for name, words, stdin in STEPS if name not in DIFFERS}


@pytest.mark.parametrize("minor", [wheel.minor for wheel in WHEELS])
async def test_every_command_says_the_same(
    minor: int,
    kubectls: dict[int, Path],
    direct: Callable[[str], Person],
    sandbox: SandboxAPIServer,
    both: tuple[Server, Server],
    tmp_path: Path,
) -> None:
    ours = await asyncio.to_thread(tell, await stranger(sandbox, both[0], tmp_path), kubectls[minor])
    theirs = await asyncio.to_thread(tell, direct("alice"), kubectls[minor])
    assert ours == theirs

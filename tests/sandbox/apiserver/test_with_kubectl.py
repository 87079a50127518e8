"""What people see of the sandbox: real kubectl, the newest that is at hand."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from deploy.sandbox.apiserver import SandboxAPIServer
from tests.e2e.kubectls import cache

pytestmark = [pytest.mark.kubectl]
LIMIT = 60.0  # seconds for one command; the slowest takes one
DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop, labels: {app: shop}}
spec:
  replicas: 2
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec: {containers: [{name: main, image: "shop:1"}]}
"""


def kubectl() -> Path:
    """The newest of the e2e suite's that is cached, else the one on PATH: nothing is downloaded here."""
    cached = sorted(cache().glob("kubectl-1.*/kubectl"), key=lambda path: int(path.parent.name.split("-")[1][2:]))
    found = str(cached[-1]) if cached else shutil.which("kubectl")
    if found is None:
        pytest.skip("there is no kubectl on PATH, and `make e2e` has fetched none")
    return Path(found)


@dataclass(frozen=True, slots=True)
class Said:
    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a kubeconfig; commands run in the namespace `shop-dev` where they name no other."""

    program: Path
    home: Path
    kubeconfig: Path

    async def start(self, *arguments: str, **environment: str) -> asyncio.subprocess.Process:
        command = [str(self.program), f"--kubeconfig={self.kubeconfig}", *arguments]
        environ = {"HOME": str(self.home), "PATH": os.environ["PATH"], "LC_ALL": "C"} | environment
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe, env=environ)

    async def run_bytes(self, *arguments: str, stdin: bytes = b"", **environment: str) -> tuple[int, bytes, bytes]:
        process = await self.start(*arguments, **environment)
        async with asyncio.timeout(LIMIT):
            out, err = await process.communicate(stdin)
        assert process.returncode is not None
        return process.returncode, out, err

    async def run(self, *arguments: str, stdin: str = "", **environment: str) -> Said:
        process = await self.start(*arguments, **environment)
        async with asyncio.timeout(LIMIT):
            out, err = await process.communicate(stdin.encode())
        assert process.returncode is not None
        return Said(process.returncode, out.decode(), err.decode())

    async def out(self, *arguments: str, stdin: str = "", **environment: str) -> str:
        said = await self.run(*arguments, stdin=stdin, **environment)
        assert said.code == 0, (arguments, said)
        return said.out

    async def table(self, *arguments: str) -> list[list[str]]:
        """The lines of a table, without its headings, in words."""
        return [line.split() for line in (await self.out(*arguments, "--no-headers")).splitlines()]


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[SandboxAPIServer]:
    sandbox = SandboxAPIServer(tmp_path / "sandbox", clock=time.time, log_line_seconds=0.05)
    await sandbox.start()
    sandbox.seed()
    yield sandbox
    await sandbox.stop()


@pytest.fixture
def person(sandbox: SandboxAPIServer, tmp_path: Path) -> Callable[..., Person]:
    """Make somebody who comes by impersonation, as through the proxy."""
    (tmp_path / "ca.crt").write_text(sandbox.ca_pem)

    def make(user: str, *groups: str) -> Person:
        kubeconfig = tmp_path / f"{user}.kubeconfig"
        cluster = {"server": sandbox.url, "certificate-authority": str(tmp_path / "ca.crt")}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": cluster}],
            "users": [{"name": "u", "user": {"token": sandbox.token, "as": user, "as-groups": list(groups)}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u", "namespace": "shop-dev"}}],
            "current-context": "x",
        }
        kubeconfig.touch(mode=0o600)
        kubeconfig.write_text(json.dumps(config))
        return Person(kubectl(), tmp_path, kubeconfig)

    return make


@pytest.fixture
def alice(person: Callable[..., Person]) -> Person:
    return person("alice", "eng")


async def test_get_shows_the_seeds_as_a_cluster_would(alice: Person) -> None:
    namespaces = ["default", "kube-node-lease", "kube-public", "kube-system", "shop-dev", "shop-prod"]
    assert [row[:2] for row in await alice.table("get", "namespaces")] == [[name, "Active"] for name in namespaces]
    pods = await alice.table("get", "pods", "-o", "wide")
    assert [(row[0].split("-")[0], *row[1:4], row[6]) for row in pods] == [
        ("cart", "1/1", "Running", "0", "sandbox"),
        ("nightly", "1/1", "Running", "0", "sandbox"),
        ("payments", "1/1", "Running", "0", "sandbox"),
    ]
    assert [row[:4] for row in await alice.table("get", "deployments", "-A")] == [
        ["shop-dev", "cart", "1/1", "1"],
        ["shop-dev", "payments", "1/1", "1"],
        ["shop-prod", "cart", "3/3", "3"],
        ["shop-prod", "payments", "3/3", "3"],
    ]
    assert [row[:2] for row in await alice.table("get", "secrets", "-n", "shop-prod")] == [["card-key", "Opaque"]]
    assert [row[:2] for row in await alice.table("get", "nodes")] == [["sandbox", "Ready"]]
    as_json = json.loads(await alice.out("get", "configmap", "settings", "-o", "json"))
    assert as_json["data"] == {"colour": "blue", "currency": "EUR"}
    assert "  colour: blue\n" in await alice.out("get", "configmap", "settings", "-o", "yaml")
    everything = await alice.out("get", "all")
    assert {row.partition("-")[0] for row in everything.split() if "/" in row} >= {
        "pod/cart", "service/cart", "deployment.apps/cart", "replicaset.apps/cart",
    }  # fmt: skip


async def test_describe_tells_of_events_and_conditions(alice: Person) -> None:
    deployment = await alice.out("describe", "deployment", "cart")
    assert "Replicas:               1 desired | 1 updated | 1 total | 1 available | 0 unavailable\n" in deployment
    assert "Scaled up replica set cart-" in deployment
    pod = await alice.out("describe", "pod", "nightly-report")
    assert "Successfully assigned shop-dev/nightly-report to sandbox" in pod
    assert "Container started: main" in pod


async def test_objects_are_made_changed_and_deleted(alice: Person) -> None:
    assert await alice.out("create", "configmap", "c", "--from-literal=a=b") == "configmap/c created\n"
    assert await alice.out("create", "secret", "generic", "s", "--from-literal=a=b") == "secret/s created\n"
    again = await alice.run("create", "configmap", "c")
    assert (again.code, again.err) == (
        1,
        'error: failed to create configmap: configmaps "c" already exists\n',
    )
    merge = ("patch", "configmap", "c", "--type=merge", "-p", '{"data":{"a":"c"}}')
    assert await alice.out(*merge) == "configmap/c patched\n"
    assert await alice.out(*merge) == "configmap/c patched (no change)\n"
    operations = '[{"op":"add","path":"/data/d","value":"e"}]'
    assert await alice.out("patch", "configmap", "c", "--type=json", "-p", operations) == "configmap/c patched\n"
    assert await alice.out("patch", "configmap", "c", "-p", '{"data":{"a":null}}') == "configmap/c patched\n"
    assert await alice.out("get", "configmap", "c", "-o", "jsonpath={.data}") == '{"d":"e"}'
    edited = await alice.out("edit", "configmap", "c", KUBE_EDITOR="sed -i '/^..d:/s/e$/f/'")
    assert edited == "configmap/c edited\n"
    assert await alice.out("get", "configmap", "c", "-o", "jsonpath={.data.d}") == "f"
    assert await alice.out("delete", "configmap", "c") == 'configmap "c" deleted from shop-dev namespace\n'
    gone = await alice.run("get", "configmap", "c")
    assert (gone.code, gone.err) == (1, 'Error from server (NotFound): configmaps "c" not found\n')


async def test_apply_diff_and_server_side_apply(alice: Person) -> None:
    apply = ("apply", "-f", "-")
    assert await alice.out(*apply, stdin=DEPLOYMENT) == "deployment.apps/shop created\n"
    assert await alice.out(*apply, stdin=DEPLOYMENT) == "deployment.apps/shop unchanged\n"
    newer = DEPLOYMENT.replace("shop:1", "shop:2")
    different = await alice.run("diff", "-f", "-", stdin=newer)
    assert different.code == 1
    assert "\n-      - image: shop:1\n+      - image: shop:2\n" in different.out.replace("        ", "      ")
    assert await alice.out(*apply, "--dry-run=server", stdin=newer) == (
        "deployment.apps/shop configured (server dry run)\n"
    )
    assert await alice.out(*apply, stdin=newer) == "deployment.apps/shop configured\n"
    other = ("--server-side", "--field-manager=other")
    conflict = await alice.run(*apply, *other, stdin=DEPLOYMENT)
    assert conflict.code == 1
    assert conflict.err.startswith(
        'error: Apply failed with 1 conflict: conflict with "kubectl-client-side-apply" using apps/v1: '
        '.spec.template.spec.containers[name="main"].image\n'
    )
    forced = await alice.out(*apply, *other, "--force-conflicts", stdin=DEPLOYMENT)
    assert forced == "deployment.apps/shop serverside-applied\n"
    typo = await alice.run(*apply, stdin=DEPLOYMENT.replace("replicas", "replcas"))
    assert (typo.code, 'strict decoding error: unknown field "spec.replcas"' in typo.err) == (1, True)


async def test_a_deployment_is_scaled_rolled_out_and_rolled_back(alice: Person) -> None:
    await alice.out("create", "deployment", "web", "--image=web:1", "--replicas=2")
    assert await alice.out("rollout", "status", "deployment/web") == 'deployment "web" successfully rolled out\n'
    assert await alice.out("scale", "deployment", "web", "--replicas=4") == "deployment.apps/web scaled\n"
    assert len(await alice.table("get", "pods", "-l", "app=web")) == 4
    assert await alice.out("set", "image", "deployment/web", "web=web:2") == "deployment.apps/web image updated\n"
    images = ("get", "pods", "-l", "app=web", "-o", "jsonpath={.items[*].spec.containers[*].image}")
    assert await alice.out(*images) == "web:2 web:2 web:2 web:2"
    assert await alice.out("rollout", "undo", "deployment/web") == "deployment.apps/web rolled back\n"
    assert await alice.out(*images) == "web:1 web:1 web:1 web:1"
    history = await alice.out("rollout", "history", "deployment/web")
    assert [line.split()[0] for line in history.splitlines()[2:] if line] == ["2", "3"]
    waited = await alice.out("wait", "deployment/web", "--for=condition=Available", "--timeout=20s")
    assert waited == "deployment.apps/web condition met\n"
    pod = (await alice.table("get", "pods", "-l", "app=web"))[0][0]
    await alice.out("delete", "pod", pod)
    names = {row[0] for row in await alice.table("get", "pods", "-l", "app=web")}
    assert (len(names), pod in names) == (4, False)
    await alice.out("delete", "deployment", "web")
    assert await alice.table("get", "pods,replicasets", "-l", "app=web") == []
    assert "Scaled up" in await alice.out("events")


async def test_a_namespace_goes_with_all_that_is_in_it(alice: Person) -> None:
    assert await alice.out("delete", "namespace", "shop-prod") == 'namespace "shop-prod" deleted\n'
    assert [row for row in await alice.table("get", "pods", "-A") if row[0] == "shop-prod"] == []
    kept = await alice.run("delete", "namespace", "default")
    assert (kept.code, kept.err) == (
        1,
        'Error from server (Forbidden): namespaces "default" is forbidden: this namespace may not be deleted\n',
    )


async def test_logs_are_read_and_followed(alice: Person) -> None:
    first = (await alice.out("logs", "nightly-report")).splitlines()
    assert first[:3] == ["main: starting", "main: configuration read", "main: listening on :8080"]
    assert len((await alice.out("logs", "deployment/cart", "--tail=2")).splitlines()) == 2
    following = await alice.start("logs", "-f", "--tail=1", "nightly-report")
    assert following.stdout is not None
    async with asyncio.timeout(LIMIT):
        lines = [await following.stdout.readline() for _ in range(4)]
        await alice.out("delete", "pod", "nightly-report")
        await following.stdout.read()  # the log ends with its pod
        assert await following.wait() == 0
    assert all(line.startswith(b"main: ") for line in lines)
    assert len(set(lines)) == 4


async def test_a_watch_shows_what_happens(alice: Person) -> None:
    watching = await alice.start("get", "configmaps", "--watch", "--output-watch-events", "--no-headers")
    assert watching.stdout is not None
    async with asyncio.timeout(LIMIT):
        seen = [await watching.stdout.readline()]
        await alice.out("create", "configmap", "fresh")
        await alice.out("label", "configmap", "fresh", "a=b")
        await alice.out("delete", "configmap", "fresh")
        seen += [await watching.stdout.readline() for _ in range(3)]
        watching.terminate()
        await watching.wait()
    assert [line.split()[:2] for line in seen] == [
        [b"ADDED", b"settings"],
        [b"ADDED", b"fresh"],
        [b"MODIFIED", b"fresh"],
        [b"DELETED", b"fresh"],
    ]


async def test_a_large_list_comes_in_chunks(alice: Person, sandbox: SandboxAPIServer) -> None:
    items = [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"c-{n}", "labels": {"many": ""}}}
        for n in range(7)
    ]
    await alice.out("create", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    sandbox.seen.clear()
    names = await alice.out("get", "configmaps", "-l", "many", "--chunk-size=3", "-o", "name")
    assert names.splitlines() == [f"configmap/c-{n}" for n in range(7)]
    lists = [one.target for one in sandbox.seen if "/configmaps?" in one.target]
    assert [("limit=3" in target, "continue=" in target) for target in lists] == [
        (True, False),
        (True, True),
        (True, True),
    ]
    assert len((await alice.out("delete", "configmaps", "-l", "many")).splitlines()) == 7


async def test_who_one_is_and_what_one_may(person: Callable[..., Person]) -> None:
    alice, reader = person("alice", "eng"), person("rita", "kwit:readonly")
    said = json.loads(await alice.out("auth", "whoami", "-o", "json"))
    assert said["status"]["userInfo"] == {"username": "alice", "groups": ["eng", "system:authenticated"]}
    assert await alice.out("auth", "can-i", "delete", "pods") == "yes\n"
    assert (await reader.run("auth", "can-i", "delete", "pods")).out == "no\n"
    refused = await reader.run("delete", "pod", "nightly-report")
    assert refused.code == 1
    assert refused.err == (
        'Error from server (Forbidden): pods "nightly-report" is forbidden: User "rita" cannot delete resource "pods" '
        'in API group "" in the namespace "shop-dev"\n'
    )


async def test_what_is_served_is_listed_and_explained(alice: Person) -> None:
    resources = await alice.table("api-resources", "-o", "name")
    assert {"pods", "configmaps", "deployments.apps", "selfsubjectreviews.authentication.k8s.io"} <= {
        row[0] for row in resources
    }
    explained = await alice.out("explain", "pods")
    assert "KIND:       Pod\nVERSION:    v1\n" in explained
    assert "  spec\t<PodSpec>\n    What is wanted.\n" in explained
    deeper = await alice.out("explain", "deployment.spec.template.spec.containers")
    assert "  image\t<string>\n    Where the container's file system comes from.\n" in deeper
    unknown = await alice.run("get", "unicorns")
    assert (unknown.code, unknown.err) == (1, 'error: the server doesn\'t have a resource type "unicorns"\n')


async def test_whom_each_request_was_for_is_remembered(alice: Person, sandbox: SandboxAPIServer) -> None:
    await alice.out("get", "pods")
    listed = next(one for one in sandbox.seen if "/pods?" in one.target)
    assert (listed.user, listed.groups, listed.uid, listed.extra) == ("alice", ("eng", "system:authenticated"), "", ())


WAYS = {"websocket": "true", "spdy": "false"}
"""What a kubectl from 1.30 on is told; older ones know SPDY only."""
KUBECTLS = [(24, "spdy"), *((minor, way) for minor in (30, 37) for way in WAYS)]


@pytest.fixture(params=KUBECTLS, ids=lambda one: f"1.{one[0]}-{one[1]}")
def program(request: pytest.FixtureRequest) -> tuple[Path, str]:
    """Each kubectl that is cached, in each way that it has for streams."""
    minor, way = request.param
    found = next(cache().glob(f"kubectl-1.{minor}-*/kubectl"), None)
    if found is None:
        pytest.skip(f"`make e2e` has fetched no kubectl 1.{minor}")
    return found, way


@pytest.fixture
def streaming(alice: Person, program: tuple[Path, str]) -> Callable[..., Any]:
    """Run a command."""
    found, way = program
    variables: dict[str, Any] = dict.fromkeys(
        ("KUBECTL_REMOTE_COMMAND_WEBSOCKETS", "KUBECTL_PORT_FORWARD_WEBSOCKETS"), WAYS[way]
    )
    person = replace(alice, program=found)
    return lambda *arguments, **more: person.run_bytes(*arguments, **more, **variables)


BINARY = bytes(range(256)) * 4000
"""1 MB in which every byte stands."""


async def test_exec_passes_every_byte_both_ways(streaming: Callable[..., Any]) -> None:
    assert await streaming("exec", "-i", "nightly-report", "--", "cat", stdin=BINARY) == (0, BINARY, b"")


async def test_exec_ends_as_its_command_did(streaming: Callable[..., Any]) -> None:
    both = ("exec", "nightly-report", "--", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert await streaming(*both) == (7, b"out\n", b"err\ncommand terminated with exit code 7\n")
    killed = await streaming("exec", "nightly-report", "--", "sh", "-c", "kill -9 $$")
    assert killed == (137, b"", b"command terminated with exit code 137\n")
    code, _, said = await streaming("exec", "nightly-report", "--", "no-such-program")
    assert code == 1
    assert b'exec: "no-such-program": executable file not found in $PATH' in said


async def test_exec_ends_though_its_input_was_not_read(streaming: Callable[..., Any]) -> None:
    head = ("exec", "-i", "nightly-report", "--", "head", "-c", "5")
    assert (await streaming(*head, stdin=BINARY))[:2] == (0, BINARY[:5])  # some kubectls say that they were cut short


async def test_files_are_copied_there_and_back(streaming: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "there").write_bytes(BINARY)
    assert (await streaming("cp", str(tmp_path / "there"), "nightly-report:copied"))[0] == 0
    assert (await streaming("cp", "nightly-report:copied", str(tmp_path / "back")))[0] == 0
    assert (tmp_path / "back").read_bytes() == BINARY


async def test_a_forwarded_port_answers_for_its_pod(alice: Person, program: tuple[Path, str]) -> None:
    """Over and over; and a port on which nothing listens ends it with a sentence."""
    person = replace(alice, program=program[0])
    (pod,) = [row[0] for row in await alice.table("get", "pods") if row[0].startswith("cart-")]
    process = await person.start("port-forward", pod, ":8080", ":1", KUBECTL_PORT_FORWARD_WEBSOCKETS=WAYS[program[1]])
    assert process.stdout is not None
    ports: dict[str, int] = {}
    async with asyncio.timeout(LIMIT):
        while len(ports) < 2:
            words = (await process.stdout.readline()).decode().split()  # Forwarding from 127.0.0.1:1234 -> 8080
            ports[words[4]] = int(words[2].rpartition(":")[2])
        for _ in range(3):
            assert await fetched(ports["8080"]) == f"{pod}:8080 heard GET / HTTP/1.1\n"
        assert await fetched(ports["1"]) == ""
        _, err = await process.communicate()
    assert f"error forwarding port 1 to pod {pod}" in err.decode()


async def fetched(port: int) -> str:
    """What a web server says, without its head."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nHost: pod\r\n\r\n")
    try:
        return (await reader.read()).decode().partition("\r\n\r\n")[2]
    except ConnectionResetError:
        return ""
    finally:
        writer.close()

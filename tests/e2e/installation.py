"""A kwit of its own for the suite: `kwit serve` in front of the cluster, and people who signed in with `kwit login`.

Everything goes through the commands that an operator and an engineer type: the manifest is applied by kubectl, the
cluster is registered by `kwit cluster add`, the person's kubeconfig is what `kwit login` wrote.
"""

import asyncio
import contextlib
import http.cookiejar
import json
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from tests.auth.connectors.provider import CLIENT_ID, CLIENT_SECRET, Provider
from tests.e2e.cluster import Cluster, free_ports
from tests.e2e.story import Person

CLUSTER = "e2e"
ROOT = Path(__file__).parents[2]
KWIT = Path(sys.executable).with_name("kwit")
COMMAND_TIMEOUT = 60.0  # seconds for one kwit command
POLL_EVERY = 0.05  # seconds between two looks at what `kwit serve` says
STARTED = "kwit: operators"  # the last line that `kwit serve` says before it waits

# Everything that the cluster's own RBAC may be asked: what it refuses must read the same with and without us.
ROLES = """\
apiVersion: kubewitness.dev/v1
kind: Role
metadata: {name: developer}
spec:
  as: {groups: [kwit-e2e-developers]}
  allow:
    - {apiGroups: ["*"], resources: ["*"], verbs: ["*", exec, attach, portforward, proxy, debug]}
    - {nonResourceURLs: ["*"], verbs: ["*"]}
---
apiVersion: kubewitness.dev/v1
kind: RoleBinding
metadata: {name: developers}
spec: {role: developer, subjects: [{kind: Group, connector: corp, name: eng}]}
"""


class RunningProvider:
    """The strict test provider in a thread of its own; `claims` are whoever signs in next."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="provider", daemon=True)
        self._provider: Provider

    def __enter__(self) -> Provider:
        self._thread.start()
        self._provider = asyncio.run_coroutine_threadsafe(Provider().start(), self._loop).result(10)
        return self._provider

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._provider.stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


class Installation:
    """`kwit serve` from entering to leaving, its files in `folder`. Raises RuntimeError with its words if it ends."""

    namespace = "kubewitness"
    manifest: tuple[str, ...] = ()
    """More options for `kwit cluster manifest`."""
    roles = ROLES

    def __init__(self, folder: Path, cluster: Cluster, admin: Callable[..., str]) -> None:
        self.folder = folder
        self.audit = folder / "data" / "audit"
        self._cluster, self._admin = cluster, admin
        self._held = contextlib.ExitStack()
        self.kube_port, self._web, self._operations = free_ports(3)
        self._provider: Provider
        self._process: subprocess.Popen[bytes]

    def __enter__(self) -> Self:
        with self._held:
            self._provider = self._held.enter_context(RunningProvider())
            self._configure()
            self._prepare_cluster()
            self._serve()
            self._held = self._held.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held.close()

    # -- the operator

    def _configure(self) -> None:
        for name in ("roles", "clusters", "data"):
            (self.folder / name).mkdir(mode=0o700)
        (self.folder / "roles" / "roles.yaml").write_text(self.roles)
        (self.folder / "secret").write_text(CLIENT_SECRET)
        connector = {"type": "oidc", "name": "corp", "issuer": self._provider.issuer, "client_id": CLIENT_ID}
        more = {"client_secret_file": "secret", "scopes": ["openid", "email", "groups"], "algorithms": ["RS256"]}
        document = {
            "installation": "e2e",
            "data_dir": "data",
            "kube": {"address": f"127.0.0.1:{self.kube_port}", "url": f"https://localhost:{self.kube_port}"},
            "web": {"address": f"127.0.0.1:{self._web}", "url": f"https://localhost:{self._web}"},
            "operations": {"address": f"127.0.0.1:{self._operations}"},
            "audit": {"segment_bytes": "16MiB"},
            "connectors": [connector | more | {"mapping": {"username": "claims.preferred_username"}}],
        }
        (self.folder / "kwit.yaml").write_text(yaml.safe_dump(document))

    def _prepare_cluster(self) -> None:
        self._apply_manifest()
        (self.folder / "token").write_text(self._admin("create", "token", "kwit", f"--namespace={self.namespace}"))
        entry = json.loads(self._cluster.kubeconfig.read_text())["clusters"][0]["cluster"]
        place = ("--server", entry["server"], "--ca-file", entry["certificate-authority"])
        config = ("-c", self.folder / "kwit.yaml")
        kwit("cluster", "add", CLUSTER, *config, *place, "--token-file", self.folder / "token")

    def _apply_manifest(self) -> None:
        options = ("--roles", self.folder / "roles", "--namespace", self.namespace, *self.manifest)
        self._admin("apply", "-f", "-", stdin=kwit("cluster", "manifest", CLUSTER, *options))

    def _serve(self) -> None:
        log = self.folder / "serve.log"
        with log.open("w") as said:
            command = [str(KWIT), "serve", "-c", str(self.folder / "kwit.yaml")]
            self._process = subprocess.Popen(command, stderr=said, cwd=self.folder)
        self._held.callback(self._end)
        end = time.monotonic() + COMMAND_TIMEOUT
        while STARTED not in log.read_text():
            if self._process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(log.read_text())
            time.sleep(POLL_EVERY)

    def _end(self) -> None:
        self._process.terminate()
        try:
            code = self._process.wait(COMMAND_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise
        if code:
            raise RuntimeError((self.folder / "serve.log").read_text())

    # -- the engineer

    @property
    def web_url(self) -> str:
        return f"https://localhost:{self._web}"

    def sign_in(self, username: str, namespace: str, home: Path, groups: Sequence[str] = ("eng",)) -> Person:
        """What `kwit login` leaves a person with, the browser being an HTTP client that says yes."""
        self._provider.claims = {
            "sub": f"sub-{username}",
            "preferred_username": username,
            "email": f"{username}@example.com",
            "email_verified": True,
            "groups": list(groups),
        }
        person = Person(home / "kubeconfig", username, namespace, home)
        ca = self.folder / "data" / "ca" / "servers.crt"
        options = ("--print-url", "--ca-file", ca, "--kubeconfig", person.kubeconfig)
        login = subprocess.Popen(
            [str(KWIT), "login", self.web_url, *map(str, options)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=person.environment(),
        )
        assert login.stderr is not None
        try:
            browse(next(found for line in login.stderr if (found := url_in(line))), ca)
            out, err = login.communicate(timeout=COMMAND_TIMEOUT)
        finally:
            login.kill()
        assert login.returncode == 0, err
        who = f"{username} ({', '.join(groups)})" if groups else username
        assert f"Signed in to e2e as {who} until " in out
        if person.kubeconfig.exists():
            config = yaml.safe_load(person.kubeconfig.read_text()) | {"current-context": f"kwit-{CLUSTER}"}
            person.kubeconfig.write_text(yaml.safe_dump(config))
        return person

    def embed(self, person: Person, path: Path) -> Path:
        """`kwit kubeconfig --embed`: a file that needs no kwit beside it."""
        command = [str(KWIT), "kubeconfig", "--embed", "--cluster", CLUSTER]
        path.write_bytes(subprocess.run(command, check=True, capture_output=True, env=person.environment()).stdout)
        return path

    def add_roles(self, name: str, text: str) -> None:
        """Put a file of roles beside the others, and return once it is obeyed here and its groups in the cluster."""
        before = len(self.records("--type", "role.change"))
        written = self.folder / f"{name}.yaml"
        written.write_text(text)
        written.replace(self.folder / "roles" / written.name)
        self.wait_for("role.change", before + 1)
        self._apply_manifest()

    def wait_for(self, record_type: str, count: int) -> None:
        """Until there are so many records of a type: the server looks at its files each second."""
        self.wait_until(lambda: len(self.records("--type", record_type)) >= count, f"fewer than {count} {record_type}")

    def wait_until(self, holds: Callable[[], bool], otherwise: str) -> None:
        """Raises RuntimeError(otherwise) if it does not come to hold."""
        end = time.monotonic() + COMMAND_TIMEOUT
        while not holds():
            if time.monotonic() > end:
                raise RuntimeError(otherwise)
            time.sleep(POLL_EVERY)

    def records(self, *question: str) -> list[dict[str, Any]]:
        """What `kwit audit search` finds, oldest first."""
        text = kwit("audit", "search", "--dir", self.audit, "-o", "json", "--limit", "100000", *question)
        return [json.loads(line) for line in text.splitlines()]


def kwit(*arguments: object) -> str:
    """Run one command of ours; a failure is an error with its own words."""
    command = [str(KWIT), *map(str, arguments)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=COMMAND_TIMEOUT, cwd=ROOT)
    assert done.returncode == 0, (arguments, done.stderr)
    return done.stdout


def url_in(line: str) -> str:
    """The sign-in address in a line, or nothing."""
    return next((word for word in line.split() if word.startswith("https://") and "/login?" in word), "")


def browse(url: str, ca: Path) -> None:
    """Open `url` as a browser would: redirects and cookies, and our CA installed."""
    context = ssl.create_default_context(cafile=ca)
    opener = urllib.request.build_opener(
        urllib.request.HTTPSHandler(context=context),
        urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()),
        urllib.request.ProxyHandler({}),
    )
    opener.open(url, timeout=COMMAND_TIMEOUT).read()

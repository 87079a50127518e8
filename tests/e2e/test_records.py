"""What is left of a person's commands: our records, and the API server's own, name the same person and request."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from proxy.object_before import SUFFIX
from tests.e2e.cluster import Cluster
from tests.e2e.conftest import GROUPS
from tests.e2e.installation import Installation
from tests.e2e.story import STEPS, Person

pytestmark = [pytest.mark.cluster, pytest.mark.kubectl, pytest.mark.timeout(600)]
ACCOUNT = "system:serviceaccount:kubewitness:kwit"
ENDS = {"done", "refused", "aborted", "failed", "unknown-after-crash"}


@pytest.fixture(scope="module")
def told(
    installation: Installation, proxied: Callable[[str], Person], kubectls: dict[int, Path]
) -> tuple[Person, list[dict[str, Any]]]:
    """A person who did everything that the story has, and all the records of requests that left."""
    person = proxied("dora")
    for _, arguments, stdin in STEPS:
        person.run(kubectls[max(kubectls)], arguments, stdin)
    records = installation.records("--user", "dora")
    return person, [record for record in records if record["type"] == "kube.request"]


def test_every_request_has_one_outcome_and_each_write_an_intent_before_it(
    told: tuple[Person, list[dict[str, Any]]],
) -> None:
    _, records = told
    outcomes: dict[str, list[str]] = {}
    for record in records:
        outcomes.setdefault(record["event"]["auditID"], []).append(record["outcome"])
    kinds = Counter(tuple(one) for one in outcomes.values())
    assert all(sum(outcome in ENDS for outcome in one) == 1 and one[-1] in ENDS for one in kinds), kinds
    writes = [r for r in records if r["event"]["verb"] in ("create", "update", "patch", "delete", "deletecollection")]
    assert writes
    assert {tuple(outcomes[r["event"]["auditID"]]) for r in writes} == {("intent", "done")}


def test_every_record_names_person_login_certificate_role_and_rule(told: tuple[Person, list[dict[str, Any]]]) -> None:
    _, records = told
    assert {r["actor"]["username"] for r in records} == {"dora"}
    assert {r["actor"]["subject"] for r in records} == {"sub-dora"}
    assert len({r["login"] for r in records}) == 1
    assert {len(r["event"]["user"]["extra"]["kubewitness.dev/certificate"]) for r in records} == {1}
    allowed = [r for r in records if r["outcome"] != "refused"]
    assert {r["event"]["annotations"]["kubewitness.dev/role"] for r in allowed} == {"developer"}
    assert all(r["event"]["annotations"]["kubewitness.dev/rule"] for r in allowed)
    refused = [r for r in records if r["outcome"] == "refused"]
    assert {r["event"]["annotations"]["kubewitness.dev/refused"] for r in refused} == {"impersonation_denied"}


def test_the_api_servers_own_log_has_each_request_once_under_our_audit_id(
    told: tuple[Person, list[dict[str, Any]]], cluster: Cluster
) -> None:
    if cluster.audit_log is None:
        pytest.skip("the audit log of the cluster that KWIT_E2E_KUBECONFIG names cannot be read from here")
    _, records = told
    ours = Counter(r["event"]["auditID"] for r in records if r["outcome"] in ("done", "aborted"))
    events = [json.loads(line) for line in cluster.audit_log.read_text().splitlines()]
    theirs = [
        e
        for e in events
        if e["stage"] == "ResponseComplete" and e.get("impersonatedUser", {}).get("username") == "dora"
    ]
    theirs = [e for e in theirs if not e["auditID"].endswith(SUFFIX)]  # what a write changes is read beside it
    assert Counter(e["auditID"] for e in theirs) == ours
    assert {e["user"]["username"] for e in theirs} == {ACCOUNT}
    (login,) = {r["login"] for r in records}
    (serial,) = {r["event"]["user"]["extra"]["kubewitness.dev/certificate"][0] for r in records}
    (uid,) = {r["event"]["user"]["uid"] for r in records}
    assert [json.loads(one) for one in {json.dumps(e["impersonatedUser"], sort_keys=True) for e in theirs}] == [
        {
            "username": "dora",
            "uid": uid,
            "groups": [*GROUPS, "system:authenticated"],
            "extra": {"kubewitness.dev/login": [login], "kubewitness.dev/certificate": [serial]},
        }
    ]


def test_what_we_say_of_a_request_is_what_the_api_server_says(
    told: tuple[Person, list[dict[str, Any]]], cluster: Cluster
) -> None:
    if cluster.audit_log is None:
        pytest.skip("the audit log of the cluster that KWIT_E2E_KUBECONFIG names cannot be read from here")
    _, records = told
    events = [json.loads(line) for line in cluster.audit_log.read_text().splitlines()]
    theirs = {e["auditID"]: e for e in events if e["stage"] == "ResponseComplete"}

    def facts(event: dict[str, Any]) -> dict[str, Any]:
        reference = event.get("objectRef") or {}
        kept = {
            key: reference.get(key, "") for key in ("resource", "namespace", "apiGroup", "apiVersion", "subresource")
        }
        # they take the name of what is created from its body, we have not read it
        name = "" if event["verb"] == "create" else reference.get("name", "")
        return {
            "verb": event["verb"],
            "uri": event["requestURI"],
            "code": event["responseStatus"]["code"],
            "name": name,
        } | kept

    done = [r["event"] for r in records if r["outcome"] == "done"]
    assert len(done) > len(STEPS)
    assert [facts(event) for event in done] == [facts(theirs[event["auditID"]]) for event in done]


def test_the_account_itself_can_do_nothing(
    installation: Installation, cluster: Cluster, kubectls: dict[int, Path]
) -> None:
    token = (installation.folder / "token").read_text()
    entry = json.loads(cluster.kubeconfig.read_text())["clusters"][0]["cluster"]
    command = [
        str(kubectls[max(kubectls)]),
        f"--server={entry['server']}",
        f"--token={token}",
        "--kubeconfig=/dev/null",
    ]
    command += [f"--certificate-authority={entry['certificate-authority']}", "auth", "can-i", "--list", "--no-headers"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    rows = {tuple(line.split()) for line in done.stdout.splitlines()}
    granted = {row for row in rows if "[impersonate]" in row}
    # what is left is what every authenticated account may: reviews of itself, discovery, health
    assert {row[0] for row in rows - granted} <= {
        "selfsubjectreviews.authentication.k8s.io",
        "selfsubjectaccessreviews.authorization.k8s.io",
        "selfsubjectrulesreviews.authorization.k8s.io",
        *(row[0] for row in rows if row[0].startswith("[/")),
    }
    assert {row[0] for row in granted} == {
        "users",
        "groups",
        "uids.authentication.k8s.io",
        "userextras.authentication.k8s.io/kubewitness.dev/login",
        "userextras.authentication.k8s.io/kubewitness.dev/certificate",
        "userextras.authentication.k8s.io/kubewitness.dev/original-user",
    }

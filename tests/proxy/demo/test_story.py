"""The story's steps, and how what was said is judged."""

from __future__ import annotations

import json

import pytest
import yaml

from proxy.demo.engineer import Said
from proxy.demo.story import MANIFEST, Request, Step, judge, reading_story, sandbox_story

STEP = Step("", "", ("get", "pods"), Request("GET", "/pods", 200, ("web-1",)), ("web-1", "web-2"), ())
REFUSED = Step("", "", ("get", "secrets"), Request("GET", "/secrets", 403, ("denied",)), ("denied",), (), code=1)


@pytest.mark.parametrize(
    ("step", "said", "with_kubectl", "problem"),
    [
        (STEP, Said(0, "web-1\nweb-2\n"), True, ""),
        (STEP, Said(0, "web-1\n"), True, "does not say 'web-2'"),
        (STEP, Said(1, "web-1\nweb-2\n"), True, "exit code 1 instead of 0"),
        (STEP, Said(0, "200 OK: web-1\n"), False, ""),
        (STEP, Said(0, "201 Created: web-1\n"), False, "does not say '200 '"),
        (REFUSED, Said(1, "", "denied"), True, ""),
        (REFUSED, Said(0, "", "denied"), True, "exit code 0 instead of 1"),
        (REFUSED, Said(1, "", "403 Forbidden: denied"), False, ""),
        (REFUSED, Said(1, "", "404 Not Found: denied"), False, "does not say '403 '"),
    ],
)
def test_exit_code_and_every_word_are_compared(step: Step, said: Said, with_kubectl: bool, problem: str) -> None:
    assert judge(step, said, with_kubectl=with_kubectl) == problem


def test_the_request_makes_the_same_as_the_manifest() -> None:
    (request,) = [step.request for step in sandbox_story("sandbox") if step.kubectl[0] == "apply"]
    assert json.loads(request.body) == yaml.safe_load(MANIFEST)


def test_somebodys_own_cluster_is_only_read() -> None:
    changing = {step.request.method for step in reading_story("theirs")} - {"GET"}
    reviews = {step.request.path for step in reading_story("theirs") if step.request.method == "POST"}
    assert changing == {"POST"}
    assert reviews == {"/apis/authentication.k8s.io/v1/selfsubjectreviews"}
    assert {step.kubectl[0] for step in reading_story("theirs")} == {"auth", "get"}


def test_the_refusals_name_the_cluster_the_role_and_the_rule() -> None:
    secrets, posing = sandbox_story("sandbox")[-2:]
    denied = '"list" of secrets in namespace "shop" on cluster "sandbox" is denied by role developer, deny[0]'
    assert secrets.says == (f"Error from server (Forbidden): {denied}",)
    assert (secrets.code, posing.code, posing.kubectl[-1]) == (1, 1, "--as=bob")

"""Server-side apply: wishes that agree, wishes that conflict, wishes that are given up."""

from __future__ import annotations

import json
from typing import Any

import pytest

from deploy.sandbox.apiserver.kinds import POD
from deploy.sandbox.apiserver.managed_fields import Manager
from deploy.sandbox.apiserver.problem import Problem
from deploy.sandbox.apiserver.server_side_apply import applied
from tests.sandbox.apiserver.conftest import Call

APPLY = "application/apply-patch+yaml"
PATH = "/api/v1/namespaces/a/configmaps/c"
DEPLOYMENT = "/apis/apps/v1/namespaces/a/deployments/d"


def wish(call: Call, manager: str, *, force: bool = False, **data: str) -> dict[str, Any]:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": data}
    answer = call("PATCH", f"{PATH}?fieldManager={manager}&force={str(force).lower()}", body, APPLY)
    found: dict[str, Any] = answer.object.get("data", {})
    return found


def test_wishes_that_agree_are_shared_and_the_last_who_gives_one_up_takes_it_away(call: Call) -> None:
    assert wish(call, "one", a="1", b="2") == {"a": "1", "b": "2"}
    assert wish(call, "two", a="1") == {"a": "1", "b": "2"}
    assert wish(call, "one") == {"a": "1"}
    assert wish(call, "two") == {}


def test_a_conflict_is_refused_and_names_manager_and_field(call: Call) -> None:
    wish(call, "one", a="1", b="2")
    with pytest.raises(Problem) as caught:
        wish(call, "two", a="x", b="y")
    assert str(caught.value) == 'Apply failed with 2 conflicts: conflicts with "one":\n- .data.a\n- .data.b'
    assert caught.value.status["details"]["causes"] == [
        {"reason": "FieldManagerConflict", "message": 'conflict with "one"', "field": f".data.{key}"} for key in "ab"
    ]
    assert call("GET", PATH).object["data"] == {"a": "1", "b": "2"}


def test_who_insists_owns_it_and_the_other_conflicts_then(call: Call) -> None:
    wish(call, "one", a="1")
    assert wish(call, "two", force=True, a="x") == {"a": "x"}
    with pytest.raises(Problem, match=r'conflict with "two": \.data\.a'):
        wish(call, "one", a="1")
    assert wish(call, "one") == {"a": "x"}


def test_an_update_conflicts_with_its_version_named(call: Call) -> None:
    wish(call, "one", a="1")
    call("PATCH", f"{PATH}?fieldManager=edit", {"data": {"a": "2"}}, "application/merge-patch+json")
    with pytest.raises(Problem, match=r'^Apply failed with 1 conflict: conflict with "edit" using v1: \.data\.a$'):
        wish(call, "one", a="1")


def container(**fields: Any) -> bytes:
    spec = {
        "selector": {"matchLabels": {"a": "b"}},
        "template": {
            "metadata": {"labels": {"a": "b"}},
            "spec": {"containers": [{"name": "m", "image": "i"} | fields]},
        },
    }
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": spec}
    return json.dumps(body).encode()


def test_items_of_lists_are_told_apart_by_their_keys(call: Call) -> None:
    env, port = [{"name": "X", "value": "1"}], [{"containerPort": 80}]
    call("PATCH", f"{DEPLOYMENT}?fieldManager=one", container(env=env, ports=port), APPLY)
    answer = call(
        "PATCH", f"{DEPLOYMENT}?fieldManager=two", container(env=[{"name": "Y", "value": "2"}], ports=port), APPLY
    )
    (found,) = answer.object["spec"]["template"]["spec"]["containers"]
    assert found["env"] == [*env, {"name": "Y", "value": "2"}]
    assert found["ports"] == [{"containerPort": 80, "protocol": "TCP"}]
    answer = call("PATCH", f"{DEPLOYMENT}?fieldManager=one", container(ports=port), APPLY)
    (found,) = answer.object["spec"]["template"]["spec"]["containers"]
    assert found["env"] == [{"name": "Y", "value": "2"}]
    with pytest.raises(Problem, match=r'conflict with "one": \.spec\.template\.spec\.containers\[name="m"\]\.image$'):
        call("PATCH", f"{DEPLOYMENT}?fieldManager=two", container(image="other").replace(b'"ports"', b'"args"'), APPLY)


def test_atomic_values_and_sets() -> None:
    one, two = Manager("one", "Apply", "v1"), Manager("two", "Apply", "v1")
    live = {"metadata": {"name": "p", "finalizers": ["x"]}, "spec": {"nodeSelector": {"a": "b"}}}
    wanted = {"metadata": {"finalizers": ["y"]}, "spec": {"nodeSelector": {"c": "d"}}}
    first = applied(POD, wanted, live, one, "t", force=False)
    assert (first["metadata"]["finalizers"], first["spec"]["nodeSelector"]) == (["x", "y"], {"c": "d"})
    second = applied(POD, {"metadata": {"finalizers": ["z"]}}, first, two, "t", force=False)
    third = applied(POD, {"spec": {"nodeSelector": {"c": "d"}}}, second, one, "t", force=False)
    assert third["metadata"]["finalizers"] == ["x", "z"]


@pytest.mark.parametrize(
    ("query", "body", "code", "said"),
    [
        ("", b"{}", 422, "fieldManager: Required value: is required for apply patch"),
        ("?fieldManager=one", b"{}", 400, "invalid object type: /, Kind="),
        ("?fieldManager=one", b"a: [", 400, "error decoding patch: "),
        ("?fieldManager=one", b"[]", 400, "error decoding patch: "),
        (
            "?fieldManager=one",
            b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"managedFields":[{}]}}',
            400,
            "metadata.managedFields must be nil",
        ),
    ],
)
def test_what_is_no_wish_is_refused(call: Call, query: str, body: bytes, code: int, said: str) -> None:
    with pytest.raises(Problem, match=said) as caught:
        call("PATCH", PATH + query, body, APPLY)
    assert caught.value.code == code

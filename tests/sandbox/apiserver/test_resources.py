"""The verbs, beyond what tests/e2e/answers.yaml compares with a real server: formats, chunks, preconditions."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from deploy.sandbox.apiserver.kinds import CONFIG_MAP, SERVICE
from deploy.sandbox.apiserver.objects import Objects
from deploy.sandbox.apiserver.problem import Problem
from tests.sandbox.apiserver.conftest import Call
from tests.sandbox.apiserver.test_protobuf import SENT

MAPS = "/api/v1/namespaces/a/configmaps"
MERGE = "application/merge-patch+json"


def config_map(name: str = "c", **data: str) -> dict[str, Any]:
    return {"metadata": {"name": name}, "data": data}


def problem(call: Call, *request: Any) -> tuple[int, str]:
    with pytest.raises(Problem) as caught:
        call(*request)
    return caught.value.code, caught.value.status.get("reason", "")


def test_json_yaml_and_protobuf_are_read_alike(call: Call) -> None:
    call("POST", "/api/v1/namespaces", {"metadata": {"name": "cap"}})
    bodies: list[tuple[Any, str]] = [
        ({"metadata": {"name": "c"}, "data": {"a": "b"}}, "application/json"),
        (b"metadata: {name: c}\ndata: {a: b}", "application/yaml"),
        (base64.b64decode(SENT["ConfigMap"][0]), "application/vnd.kubernetes.protobuf"),
    ]
    for body, media_type in bodies:
        answer = call("POST", "/api/v1/namespaces/cap/configmaps", body, media_type)
        assert (answer.status, answer.object["data"]) == (201, {"a": "b"})
        call("DELETE", "/api/v1/namespaces/cap/configmaps/c")
    assert problem(call, "POST", MAPS, b"{}", "text/plain") == (415, "UnsupportedMediaType")
    assert problem(call, "POST", MAPS, b"k8s\x00\xff", "application/vnd.kubernetes.protobuf") == (400, "BadRequest")
    assert problem(call, "POST", MAPS, b"[" * 5000, "application/json") == (400, "BadRequest")
    assert problem(call, "POST", MAPS, b"\xff", "application/json") == (400, "BadRequest")
    assert problem(call, "POST", MAPS, [1]) == (400, "BadRequest")


def test_chunks_show_one_moment_whatever_happens_meanwhile(call: Call) -> None:
    for name in "abcde":
        call("POST", MAPS, config_map(name))
    first = call("GET", f"{MAPS}?limit=2")
    call("DELETE", f"{MAPS}/c")
    call("POST", MAPS, config_map("cc"))
    call("PATCH", f"{MAPS}/d", {"data": {"new": ""}}, MERGE)
    rest = call("GET", f"{MAPS}?limit=9&continue={first.object['continue']}")
    assert first.items is not None
    assert rest.items is not None
    assert [o["metadata"]["name"] for o in first.items + rest.items] == ["a", "b", "c", "d", "e"]
    assert "data" not in rest.items[1]
    assert (first.object["remainingItemCount"], rest.object["resourceVersion"]) == (3, first.object["resourceVersion"])
    selected = call("GET", f"{MAPS}?limit=2&labelSelector=!x")
    assert "remainingItemCount" not in selected.object


def test_a_chunk_of_a_moment_that_is_forgotten_is_refused(call: Call, objects: Objects) -> None:
    for name in "abc":
        call("POST", MAPS, config_map(name))
    token = call("GET", f"{MAPS}?limit=2").object["continue"]
    objects.history._forgotten = objects.version + 1
    assert problem(call, "GET", f"{MAPS}?limit=2&continue={token}") == (410, "Expired")


def test_a_list_is_of_its_namespace_or_of_all(call: Call) -> None:
    call("POST", MAPS, config_map())
    call("POST", MAPS.replace("/a/", "/b/"), config_map())
    for path, count in ((MAPS, 1), ("/api/v1/configmaps", 2)):
        found = call("GET", path).items
        assert found is not None
        assert len(found) == count


def test_preconditions_of_a_deletion(call: Call) -> None:
    made = call("POST", MAPS, config_map()).object["metadata"]
    for wrong in ({"uid": "x"}, {"resourceVersion": "1"}):
        assert problem(call, "DELETE", f"{MAPS}/c", {"preconditions": wrong}) == (409, "Conflict")
    right = {key: made[key] for key in ("uid", "resourceVersion")}
    assert call("DELETE", f"{MAPS}/c", {"preconditions": right}).object["status"] == "Success"


def test_dry_runs_say_what_would_be_and_do_nothing(call: Call, objects: Objects) -> None:
    call("POST", MAPS, config_map())
    before = objects.version
    dry = "?dryRun=All"
    assert call("POST", MAPS + dry, config_map("d")).status == 201
    assert call("PATCH", f"{MAPS}/c{dry}", {"data": {"a": "b"}}, MERGE).object["data"] == {"a": "b"}
    assert call("DELETE", f"{MAPS}/c{dry}").object["status"] == "Success"
    assert call("DELETE", f"{MAPS}/c", {"dryRun": ["All"]}).object["status"] == "Success"
    assert call("DELETE", MAPS + dry).items is not None
    assert (objects.version, len(objects.all(CONFIG_MAP))) == (before, 1)


def test_status_and_the_rest_are_changed_apart(call: Call) -> None:
    pods = "/api/v1/namespaces/a/pods"
    call("POST", pods, {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}})
    both = {"metadata": {"labels": {"x": "y"}}, "status": {"phase": "Failed"}}
    whole = call("PATCH", f"{pods}/p", both, MERGE).object
    assert (whole["metadata"]["labels"], whole["status"]["phase"]) == ({"x": "y"}, "Pending")
    status = call("PATCH", f"{pods}/p/status", both | {"metadata": {"labels": {"x": "z"}}}, MERGE).object
    assert (status["metadata"]["labels"], status["status"]["phase"]) == ({"x": "y"}, "Failed")
    assert call("GET", f"{pods}/p/status").object == status
    again = call("PUT", f"{pods}/p/status", status | {"status": {"phase": "Running"}}).object
    assert again["status"] == {"phase": "Running", "qosClass": "BestEffort"}


def test_services_keep_their_addresses_which_are_all_different(call: Call, objects: Objects) -> None:
    services = "/api/v1/namespaces/a/services"
    for name in "xyz":
        call("POST", services, {"metadata": {"name": name}, "spec": {"ports": [{"port": 80}]}})
    addresses = {o["spec"]["clusterIP"] for o in objects.all(SERVICE)}
    assert len(addresses) == 3
    body = {"metadata": {"name": "x"}, "spec": {"ports": [{"port": 81}]}}
    assert call("PUT", f"{services}/x", body).object["spec"]["clusterIP"] in addresses


def test_unknown_fields_are_refused_warned_of_or_left_out(call: Call) -> None:
    body = config_map() | {"daat": {}}
    assert problem(call, "POST", f"{MAPS}?fieldValidation=Strict", body) == (400, "BadRequest")
    warned = call("POST", f"{MAPS}?fieldValidation=Warn", body)
    assert (warned.warnings, "daat" in warned.object) == (('unknown field "daat"',), False)
    assert call("PUT", f"{MAPS}/c", body).warnings == ()
    assert problem(call, "PATCH", f"{MAPS}/c?fieldValidation=Strict", {"daat": 1}, MERGE) == (422, "Invalid")


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("PUT", "/api/v1/configmaps", 405),
        ("POST", "/api/v1/configmaps", 405),
        ("DELETE", "/api/v1/namespaces", 405),
        ("POST", f"{MAPS}/c", 201),
        ("GET", f"{MAPS}/c/nope", 404),
        ("DELETE", "/api/v1/namespaces/a/pods/p/log", 405),
        ("GET", "/apis/apps/v1/namespaces/a/deployments/d/scale", 404),
    ],
)
def test_what_there_is_no_verb_for(call: Call, method: str, path: str, code: int) -> None:
    if code == 201:
        assert call(method, path, config_map()).status == code
    else:
        assert problem(call, method, path, {})[0] == code

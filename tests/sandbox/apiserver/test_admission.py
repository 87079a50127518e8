"""Admission: what a client may not say of a new object, and objects of the wrong kind."""

from __future__ import annotations

import pytest

from deploy.sandbox.apiserver.admission import admitted, shaped
from deploy.sandbox.apiserver.kinds import CONFIG_MAP, DEPLOYMENT, POD
from deploy.sandbox.apiserver.problem import Problem
from deploy.sandbox.apiserver.shape import shape


def test_a_new_objects_status_is_not_the_clients_to_say() -> None:
    spec = {"containers": [{"name": "c", "image": "i"}]}
    said = {"metadata": {"name": "p"}, "spec": spec, "status": {"phase": "Running", "podIP": "192.0.2.7"}}
    assert admitted(POD, shape("Pod", said).object)["status"] == {"phase": "Pending", "qosClass": "BestEffort"}


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(Problem) as caught:
        admitted(DEPLOYMENT, shape("Deployment", {"metadata": {"name": "d"}}).object)
    assert caught.value.code == 422
    assert [cause["field"] for cause in caught.value.status["details"]["causes"]] == [
        "spec.selector",
        "spec.template.metadata.labels",
        "spec.template.spec.containers",
    ]


@pytest.mark.parametrize("header", [{"kind": "Pod"}, {"apiVersion": "v2"}, {"kind": "Pod", "apiVersion": "v1"}])
def test_another_kind_or_version_is_refused(header: dict[str, str]) -> None:
    with pytest.raises(Problem, match="cannot be handled as a ConfigMap") as caught:
        shaped(CONFIG_MAP, header | {"metadata": {"name": "c"}})
    assert caught.value.code == 400


def test_a_patch_that_spoils_a_sound_object_is_invalid_and_not_a_bad_request() -> None:
    for is_patched, code in ((False, 400), (True, 422)):
        with pytest.raises(Problem, match="json: cannot unmarshal") as caught:
            shaped(CONFIG_MAP, {"data": 1}, is_patched=is_patched)
        assert caught.value.code == code

from recordings.audit.policy.event_attributes import attributes_of
from recordings.audit.policy.rule import PolicyAttributes


def test_a_resource_request():
    event = {
        "verb": "create",
        "requestURI": "/api/v1/namespaces/shop/pods/web/exec?command=sh",
        "user": {"username": "ann", "groups": ["dev", "ops"]},
        "objectRef": {
            "resource": "pods",
            "subresource": "exec",
            "namespace": "shop",
            "name": "web",
            "apiVersion": "v1",
        },
    }
    assert attributes_of(event) == PolicyAttributes(
        "ann",
        frozenset({"dev", "ops"}),
        "create",
        is_resource_request=True,
        path="/api/v1/namespaces/shop/pods/web/exec",
        resource="pods",
        subresource="exec",
        namespace="shop",
        name="web",
    )


def test_another_path_and_an_event_with_little_in_it():
    assert attributes_of({"verb": "get", "requestURI": "/healthz?verbose"}) == PolicyAttributes(
        "", frozenset(), "get", is_resource_request=False, path="/healthz"
    )
    assert attributes_of({"user": 3, "objectRef": "x"}) == PolicyAttributes(
        "", frozenset(), "", is_resource_request=False
    )

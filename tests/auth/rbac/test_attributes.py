"""What is asked: a person, a cluster and an act put together."""

from dataclasses import dataclass

from auth.identity import Identity
from auth.rbac import Attributes

ANN = Identity("corp", "https://idp", "1", "ann", ("eng",), claims={"team": "a"})


@dataclass(frozen=True)
class Deed:
    verb: str = "get"
    api_group: str = "apps"
    resource: str = "deployments"
    subresource: str = "scale"
    namespace: str = "shop"
    name: str = "web"


def test_an_act_on_a_resource_is_asked_with_who_and_where_and_without_a_path() -> None:
    asked = Attributes.of(ANN, "prod", {"env": "prod"}, Deed())
    expected = Attributes(
        connector="corp", username="ann", groups=("eng",), claims={"team": "a"}, cluster="prod",
        cluster_labels={"env": "prod"}, verb="get", api_group="apps", resource="deployments", subresource="scale",
        namespace="shop", name="web", path="", is_resource_request=True,
    )  # fmt: skip
    assert asked == expected
    assert asked.claims is ANN.claims
    assert asked.cluster_labels == expected.cluster_labels


def test_a_path_makes_it_a_request_about_no_resource_even_the_root() -> None:
    asked = [Attributes.of(ANN, "prod", {}, Deed("get", "", "", "", "", ""), path=path) for path in ("/metrics", "")]
    assert [(a.path, a.is_resource_request) for a in asked] == [("/metrics", False), ("", False)]

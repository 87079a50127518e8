import pytest

from proxy.cluster_credentials import CredentialError, Credentials, Fixed, Material
from proxy.cluster_probe import probe
from proxy.clusters import Cluster
from proxy.finding import Finding, Level
from tests.fakes.probed_apiserver import ProbedAPIServer


def cluster(server: ProbedAPIServer, token: str = "good") -> Cluster:
    credentials = Credentials(Fixed(Material(token=token)))
    return Cluster("staging", {}, server.url, server.ca_pem, None, credentials)


async def levels(server: ProbedAPIServer, token: str = "good") -> list[tuple[Level, str]]:
    return [(finding.level, finding.message) for finding in await probe(cluster(server, token), 0.0)]


async def test_an_account_that_can_only_impersonate_is_in_order():
    with ProbedAPIServer() as server:
        assert await probe(cluster(server), 0.0) == [
            Finding(Level.OK, "cluster staging", f"{server.url} answers, Kubernetes v1.36.3"),
            Finding(Level.OK, "cluster staging", "without impersonation kwit's account is refused, as it should be"),
            Finding(Level.OK, "cluster staging", "kwit's account may impersonate users"),
        ]


async def test_no_question_carries_an_impersonation_or_changes_anything():
    with ProbedAPIServer() as server:
        await probe(cluster(server), 0.0)
    writes = {path for method, path in server.seen if method != "GET"}
    assert writes == {"/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"}


@pytest.mark.parametrize("more", [("*", "*", "*"), ("list", "", "pods")])
async def test_an_account_that_can_do_more_is_a_warning(more):
    with ProbedAPIServer(rights={("impersonate", "", "users"), more}) as server:
        found = await levels(server)
    assert found[1][0] is Level.WARN
    assert "can do more than impersonate" in found[1][1]


async def test_an_account_that_may_not_impersonate_fails():
    with ProbedAPIServer(rights=set()) as server:
        assert (await levels(server))[2] == (Level.FAIL, "kwit's account may not impersonate users")


async def test_the_constrained_form_counts_as_the_right():
    with ProbedAPIServer(rights={("impersonate:user-info", "authentication.k8s.io", "users")}) as server:
        assert (await levels(server))[2] == (Level.OK, "kwit's account may impersonate:user-info users")


async def test_a_cluster_that_answers_no_reviews_leaves_the_right_open():
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    with ProbedAPIServer(status={path: 403, "/version": 403}) as server:
        found = [level for level, _ in await levels(server)]
    assert found == [Level.WARN, Level.OK, Level.WARN]


async def test_a_review_that_makes_no_sense_is_no_permission():
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    for body in (b"{}", b"no json", b'{"status": {"allowed": "true"}}', b'{"status": []}'):
        with ProbedAPIServer(bodies={path: body}) as server:
            assert (await levels(server))[2][0] in {Level.WARN, Level.FAIL}


@pytest.mark.parametrize(("status", "level"), [(401, Level.FAIL), (500, Level.FAIL)])
async def test_what_is_no_api_server_for_us_ends_the_probe(status, level):
    with ProbedAPIServer(status={"/version": status}) as server:
        assert [found[0] for found in await levels(server)] == [level]


async def test_a_wrong_token_is_named():
    with ProbedAPIServer() as server:
        assert "does not accept kwit's credential (401)" in (await levels(server, "bad"))[0][1]


async def test_an_unreachable_cluster_and_a_wrong_ca_are_named():
    with ProbedAPIServer() as server, ProbedAPIServer() as other:
        stranger = Cluster("s", {}, server.url, other.ca_pem, None, Credentials(Fixed(Material(token="t"))))
        assert "certificate is not accepted" in (await probe(stranger, 0.0))[0].message
        gone = cluster(server)
    assert "cannot be reached" in (await probe(gone, 0.0))[0].message


async def test_a_credential_that_cannot_be_had_is_named():
    class Broken:
        def fetch(self) -> Material:
            raise CredentialError("the plugin is gone")

    with ProbedAPIServer() as server:
        broken = Cluster("s", {}, server.url, server.ca_pem, None, Credentials(Broken()))
        assert (await probe(broken, 0.0))[0].message == "no credential: the plugin is gone"
    assert server.seen == []


async def test_a_version_cannot_carry_escapes_into_a_terminal():
    with ProbedAPIServer(bodies={"/version": b'{"gitVersion": "v1\\u001b[2J"}'}) as server:
        assert (await levels(server))[0][1].endswith("Kubernetes v1[2J")
    with ProbedAPIServer(bodies={"/version": b"[]"}) as server:
        assert (await levels(server))[0][1].endswith("of unknown version")

"""Ways around the roles, out of the cluster and in from a web page: each is refused, or means what it says.

The attacks are security R11, X1, X2, X4, B1, B2 and N1. The person has a role with every verb and resource by `*`.
"""

from __future__ import annotations

import itertools

import pytest

from tests.proxy.dataplane import CLUSTER, HOST, ORIGIN, OTHER_CLUSTER, plane, request

API = b"/api/v1"
UPGRADE = (b"Connection: Upgrade", b"Upgrade: SPDY/3.1", b"X-Stream-Protocol-Version: v4.channel.k8s.io")
METHODS = [b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE"]


def code(answer: bytes) -> int:
    return int(answer[9:12] or b"0")


# -- X1: proxies

NODES = [
    b"n",
    b"n:10250",
    b"https:n:10250",
    b"http:n:10255",
    b":n:",
    b"https%3An%3A10250",
    b"n:%31%30250",
    b"127.0.0.1",
]
SERVICES = [b"s", b"s:80", b"s:http", b"https:s:443", b"http:s:", b":s:80", b"https%3As%3A443"]
BEHIND = [
    b"",
    b"/",
    b"/exec/ns/p/c?command=id",
    b"/run/ns/p/c",
    b"/attach/ns/p/c",
    b"/portForward/ns/p",
    b"/cri/exec/x",
]
PROXIED = [
    *(API + b"/nodes/" + name + b"/proxy" + rest for name, rest in itertools.product(NODES, BEHIND)),
    *(API + b"/namespaces/a/services/" + name + b"/proxy" + rest for name, rest in itertools.product(SERVICES, BEHIND)),
    *(API + b"/namespaces/a/pods/" + name + b"/proxy" + b"/" for name in SERVICES),
    *(b"/apis/x.io/v1/namespaces/a/widgets/w/proxy" + rest for rest in (b"", b"/x")),
]


@pytest.mark.parametrize("method", METHODS)
async def test_a_star_in_a_role_reaches_no_proxy_however_it_is_spelled(method):
    async with plane() as it:
        for target in PROXIED:
            answer = await it.client().ask(request(method, target))
            assert code(answer) in (400, 403), (target, answer)
        assert (it.server.seen, it.pool.dialled) == ([], [])


@pytest.mark.parametrize("legacy", [b"proxy", b"watch"])
async def test_the_prefixes_of_old_are_refused(legacy):
    async with plane() as it:
        for rest in (b"nodes/n", b"namespaces/a/pods", b"namespaces/a/pods/p", b"namespaces/a/services/s"):
            assert code(await it.client().ask(request(b"GET", API + b"/" + legacy + b"/" + rest))) in (400, 403)
        assert it.server.seen == []


# -- X2: streams of other APIs

CONSOLES = [
    b"/apis/subresources.kubevirt.io/v1/namespaces/a/virtualmachineinstances/v/console",
    b"/apis/subresources.kubevirt.io/v1/namespaces/a/virtualmachineinstances/v/vnc",
    b"/apis/subresources.kubevirt.io/v1/namespaces/a/virtualmachineinstances/v/portforward/22",
    b"/apis/x.io/v1/namespaces/a/pods/p/exec?command=sh",
    b"/apis/cluster.x.io/v1/clusters/c/proxy/api/v1/namespaces/a/pods/p/exec",
    API + b"/namespaces/a/pods/p/log?follow=1",
    API + b"/namespaces/a/pods/p",
    API + b"/namespaces/a/pods?watch=1",
    API + b"/namespaces/a/services/s/portforward",
    API + b"/nodes/n/exec",
    API + b"/namespaces/a/replicationcontrollers/r/attach",
    b"/healthz",
]


@pytest.mark.parametrize("target", CONSOLES)
@pytest.mark.parametrize("method", [b"GET", b"POST"])
async def test_only_streams_that_are_understood_are_joined(tmp_path, target, method):
    async with plane(recordings=tmp_path) as it:
        client = it.client()
        answer = await client.ask(request(method, target, *UPGRADE))
        assert code(answer) in (400, 403), answer
        assert (client.closed, it.server.streams, it.server.seen) == (True, [], [])


# -- X4: credentials that know nothing of us

MINTED = [
    (b"POST", API + b"/namespaces/a/serviceaccounts/s/token"),
    (b"POST", b"/apis/certificates.k8s.io/v1/certificatesigningrequests"),
    (b"PUT", b"/apis/certificates.k8s.io/v1/certificatesigningrequests/c"),
    (b"PATCH", b"/apis/certificates.k8s.io/v1/certificatesigningrequests/c"),
    (b"PUT", b"/apis/certificates.k8s.io/v1/certificatesigningrequests/c/approval"),
    (b"PATCH", b"/apis/certificates.k8s.io/v1/certificatesigningrequests/c/approval"),
    (b"PUT", b"/apis/certificates.k8s.io/v1/certificatesigningrequests/c/status"),
    (b"POST", b"/apis/certificates.k8s.io/v1alpha1/namespaces/a/podcertificaterequests"),
    (b"POST", b"/apis/certificates.k8s.io/v1beta1/namespaces/a/podcertificaterequests"),
    (b"PATCH", b"/apis/certificates.k8s.io/v1beta1/namespaces/a/podcertificaterequests/p/status"),
    (b"POST", b"/apis/rbac.authorization.k8s.io/v1/clusterroles"),
    (b"PATCH", b"/apis/rbac.authorization.k8s.io/v1/clusterroles/admin"),
    (b"PUT", b"/apis/rbac.authorization.k8s.io/v1/namespaces/a/roles/r"),
    (b"POST", b"/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"),
    (b"PUT", b"/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/b"),
    (b"PATCH", b"/apis/rbac.authorization.k8s.io/v1/namespaces/a/rolebindings/b"),
    (b"PATCH", API + b"/namespaces/a/pods/p/ephemeralcontainers"),
    (b"PUT", API + b"/namespaces/a/pods/p/ephemeralcontainers"),
]


@pytest.mark.parametrize(("method", "target"), MINTED)
async def test_a_star_in_a_role_makes_no_credential_right_or_debug_container(method, target):
    async with plane() as it:
        answer = await it.client().ask(request(method, target, b"Content-Type: application/json", body=b"{}"))
        assert code(answer) == 403, answer
        assert it.server.seen == []


# -- R11: another cluster

PODS = b"/api/v1/namespaces/shop/pods"
OTHER = OTHER_CLUSTER.encode()
PATHS = [
    b"/clusters/" + OTHER + PODS,
    b"/clusters/" + OTHER,
    b"/clusters/" + OTHER + b"/",
    b"/clusters/" + OTHER + b"/?x=1",
    b"//clusters/" + OTHER + PODS,
    b"/Clusters/" + OTHER + PODS,
    b"/clusters//" + OTHER + PODS,
    b"/clusters/" + CLUSTER.encode() + b"/../" + OTHER + PODS,
    b"/clusters/" + CLUSTER.encode() + b"/clusters/" + OTHER + PODS,
    b"/clusters/" + CLUSTER.encode() + b"%2f.." + PODS,
    b"/clusters/%65%6csewhere" + PODS,
    b"/clusters/elsewher%65" + PODS,
    b"/clusters/Elsewhere" + PODS,
    b"/clusters/elsewhere." + PODS,
    b"/clusters/elsewhere%00" + PODS,
    b"/clusters/c1,elsewhere" + PODS,
    b"/clusters/*" + PODS,
    b"/./clusters/elsewhere" + PODS,
    b"/x/../clusters/elsewhere" + PODS,
    b"/clusters;elsewhere" + PODS,
    PODS + b"?cluster=elsewhere",
    PODS + b"#/clusters/elsewhere",
    b"https://elsewhere.example" + PODS,
    b"https://kwit.example/clusters/elsewhere" + PODS,
]
HOSTS = [
    b"elsewhere",
    b"elsewhere.example",
    b"elsewhere.kwit.example",
    b"kwit.example.elsewhere",
    b"elsewhere@kwit.example",
    b"kwit.example:elsewhere",
]
LINES = [
    b"X-Cluster: elsewhere",
    b"X-Forwarded-Host: elsewhere.example",
    b"Forwarded: host=elsewhere.example",
    b"X-Original-Url: /clusters/elsewhere" + PODS,
    b"X-Rewrite-Url: /clusters/elsewhere" + PODS,
    b"X-Forwarded-Prefix: /clusters/elsewhere",
    b"Kubewitness-Cluster: elsewhere",
    b"Impersonate-Extra-kubewitness.dev%2fcluster: elsewhere",
    b"Cookie: cluster=elsewhere",
    b"Referer: https://kwit.example/clusters/elsewhere",
]


@pytest.mark.parametrize(
    "asked",
    [request(b"GET", path) for path in PATHS]
    + [request().replace(HOST, host) for host in HOSTS]
    + [request(b"GET", PODS, line) for line in LINES],
    ids=lambda asked: ascii(asked.decode())[5:60],
)
async def test_the_cluster_is_that_of_the_certificate_whatever_a_request_names(asked):
    async with plane() as it:
        answer = await it.client().ask(asked)
        assert OTHER_CLUSTER not in it.pool.dialled
        if code(answer) == 200:
            (seen,) = it.server.seen
            assert (seen.method, seen.get(b"host")) == (b"GET", [b"api"])
            assert not seen.target.startswith(b"/clusters/elsewhere")
            assert b"elsewhere" not in b"".join(value for _, value in seen.headers)
        else:
            assert (code(answer) in (400, 403, 404), it.server.seen) == (True, [])


# -- B1, B2: web pages

ORIGINS = [
    b"null",
    b"https://evil.example",
    b"http://kwit.example",
    b"https://kwit.example:8443",
    b"https://kwit.example:443",
    b"https://kwit.example.",
    b"https://kwit.example.evil.example",
    b"https://evilkwit.example",
    b"https://kwit.example@evil.example",
    b"https://user@kwit.example",
    b"https://kwit.example/",
    b"https://kwit.example/path",
    b"https://kwit.example?x",
    b"https://kwit.example#x",
    b"https://kwit.example https://evil.example",
    b"https://kwit.example, https://evil.example",
    b"https://xn--kwit-.example",
    b"kwit.example",
    b"//kwit.example",
    b"wss://kwit.example",
    b"file://",
    b"chrome-extension://abcdef",
    b"https://127.0.0.1",
    b"",
]
EXEC = b"/api/v1/namespaces/n/pods/p/%b?command=sh"
ENDPOINTS = [PODS, *(EXEC % stream for stream in (b"exec", b"attach", b"portforward"))]


@pytest.mark.parametrize("origin", ORIGINS)
async def test_a_page_of_another_origin_reaches_nothing(tmp_path, origin):
    assert len(ORIGINS) == 24
    async with plane(recordings=tmp_path) as it:
        for target in ENDPOINTS:
            lines = (b"Origin: " + origin, *(UPGRADE if target != PODS else ()))
            assert code(await it.client().ask(request(b"GET", target, *lines))) in (400, 403)
        assert (it.pool.dialled, it.server.seen, it.server.streams) == ([], [], [])


@pytest.mark.parametrize("line", [b"Sec-Fetch-Site: cross-site", b"Sec-Fetch-Site: same-site", b"Sec-Fetch-Site: x"])
async def test_a_browser_that_says_so_is_believed(line):
    async with plane() as it:
        assert code(await it.client().ask(request(b"GET", PODS, line))) == 403
        assert code(await it.client().ask(request(b"GET", PODS, b"Origin: " + ORIGIN, line))) == 403
        assert it.server.seen == []


FOREIGN = [
    b"", b" ", b"evil.example", b"kwit.example:8443", b"kwit.example:", b"kwit.example.", b".kwit.example",
    b"kwit.example/", b"kwit.example, evil.example", b"127.0.0.1", b"localhost", b"[::1]", b"169.254.169.254",
    b"kwit.example@evil.example", b"evil.example#kwit.example", b"kwit.example%00", b"k%77it.example",
    b"https://kwit.example", b"kwit_example", b"xn--kwit-.example",
]  # fmt: skip


@pytest.mark.parametrize("host", FOREIGN)
async def test_another_name_than_ours_reaches_nothing(host):
    async with plane() as it:
        assert code(await it.client().ask(request().replace(HOST, host))) in (400, 403)
        assert it.server.seen == []


# -- N1: redirects


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 305, 307, 308])
@pytest.mark.parametrize("method", [b"GET", b"POST"])
async def test_a_redirect_of_the_api_server_is_the_clients_to_follow(status, method):
    location = b"https://169.254.169.254/latest"
    async with plane() as it:
        it.server.answer = lambda _: b"HTTP/1.1 %d X\r\nLocation: %b\r\nContent-Length: 0\r\n\r\n" % (status, location)
        answer = await it.client().ask(request(method, PODS))
        assert code(answer) == status
        assert b"\r\nlocation: " + location + b"\r\n" in answer
        assert (it.pool.dialled, len(it.server.seen)) == ([CLUSTER], 1)

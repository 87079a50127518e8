"""What is open to everybody on the web listener is a closed list of paths; all else asks for a proof. Security R5."""

from __future__ import annotations

import http

import pytest
from yarl import URL

from proxy.web.app import build_web_app
from tests.proxy.web.conftest import Installation

OPEN = {
    ("GET", "/"),
    ("GET", "/login"),
    ("GET", "/callback/{connector}"),
    ("POST", "/confirm"),
    ("GET", "/api/v1/installation"),
    ("POST", "/api/v1/logins"),
    ("GET", "/static/kwit.css"),
}
"""Pages of a sign-in, each with a check of its own (test_login.py), and what the command line asks before it."""
NEAR = [
    *(path + end for path in ("/api/v1/installation", "/login", "/static/kwit.css") for end in ("/", "//", "%00")),
    *(start + "/api/v1/logins/current" for start in ("/", "/.", "/..", "/static", "/login", "/callback/corp")),
    "/api/v1/installation/../logins/current", "/static/../api/v1/logins/current", "/static/kwit.css/../../api/v1/can-i",
    "/API/V1/logins/current", "/api/v1/logins/current/", "/api/v1/logins/current%2f", "/api/v1/logins%2fcurrent",
    "/api/v1/logins/current;x", "/api/v1/logins/current?/api/v1/installation", "/api//v1/logins/current",
    "/api/v1/recordings", "/api/v1/recordings/", "/api/v1/recordings/..", "/api/v1/recordings/%2e%2e%2finstallation",
    "/api/v1/recordings/x/moments", "/api/v1/recordings/../installation/x", "/static/", "/static", "/static/..",
    "/static/%2e%2e/app.py", "/static/../templates/base.html", "/templates/base.html", "/metrics", "/readyz", "/livez",
    "/debug", "/.git/config", "/favicon.ico", "/robots.txt", "/healthz", "/api", "/api/v1", "/clusters/staging-eu/api",
]  # fmt: skip
AGENTS = ["kube-probe/1.36", "GoogleHC/1.0", "ELB-HealthChecker/2.0", "kwit"]


async def test_the_closed_list_is_all_that_needs_no_proof(at: Installation) -> None:
    app = build_web_app(at.deps)
    routes = [(route.method, route.resource.canonical) for route in app.router.routes() if route.resource is not None]
    assert set(routes) >= OPEN
    for method, path in set(routes) - OPEN:
        for headers in ({}, {"Content-Type": "application/json"}, *({"User-Agent": agent} for agent in AGENTS)):
            url = at.deps.url + path.replace("{id}", "a" * 26)
            answer = await at.browser.request(method, url, headers=headers, data=b"{}" if method == "POST" else None)
            assert answer.status == http.HTTPStatus.UNAUTHORIZED, (method, path)
    assert at.records == []


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE", "OPTIONS"])
async def test_nothing_near_to_an_open_path_is_open(at: Installation, method: str) -> None:
    for path in NEAR:
        url = URL(at.deps.url + path, encoded=True)
        async with at.browser.request(method, url, allow_redirects=False) as answer:
            assert answer.status in (400, 401, 404, 405), (method, path)
    assert at.records == []

"""Claims about who may not speak to the kube listener: web pages, and whoever calls it by another name."""

from __future__ import annotations

import pytest

from auth.errors import Reason
from auth.identity import Credential, LoginID
from proxy.context import RequestContext
from proxy.filters import origin
from proxy.filters.origin import OriginFilter
from proxy.http1 import parse_request_head
from proxy.status import Refusal

CREDENTIAL = Credential("demo", "c1", LoginID("a" * 26), "1", 0.0, 1.0, "f")
OURS = OriginFilter(frozenset((b"kube.example.com:8443",)), frozenset((b"https://kube.example.com:8443",)))


def asked(lines: str, host: str = "kube.example.com:8443", by: OriginFilter = OURS) -> Refusal | None:
    head = parse_request_head(f"GET /api HTTP/1.1\r\nHost: {host}\r\n{lines}\r\n".encode())
    return by(RequestContext(head, CREDENTIAL, "127.0.0.1", 0.0, 0.0, "id"))


@pytest.mark.parametrize("host", ["kube.example.com:8443", "KUBE.example.com:8443"])
@pytest.mark.parametrize(
    "lines", ["", "Origin: https://kube.example.com:8443\r\n", "Sec-Fetch-Site: none\r\n", "User-Agent: k\r\n"]
)
def test_our_own_names_pass_each_time(host: str, lines: str) -> None:
    assert [asked(lines, host) for _ in range(2)] == [None, None]


@pytest.mark.parametrize("host", ["evil.example.com", "kube.example.com", "kube.example.com:8444"])
def test_another_host_is_refused_each_time_even_with_an_origin_that_agrees(host: str) -> None:
    for _ in range(2):
        refusal = asked(f"Origin: https://{host}\r\n", host)
        assert refusal is not None
        assert refusal.reason is Reason.ORIGIN_REFUSED


@pytest.mark.parametrize(
    "lines", ["Origin: https://evil.example.com\r\n", "Origin: null\r\n", "Sec-Fetch-Site: cross-site\r\n"]
)
def test_a_web_page_is_refused_each_time(lines: str) -> None:
    for _ in range(2):
        refusal = asked(lines)
        assert refusal is not None
        assert refusal.reason is Reason.ORIGIN_REFUSED


def test_what_passed_is_remembered_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(origin, "KEPT_FIELDS", 2)
    ours = OriginFilter(frozenset((b"a",)), frozenset())
    for n in range(5):
        assert asked(f"User-Agent: {n}\r\n", "a", ours) is None
        assert len(ours._passed) <= 2

"""Promise 7, secret-safe: what a request carries in its query is not in the log."""

import pytest

from auth.identity import Credential, LoginID
from proxy.context import RequestContext
from proxy.filters.audit import _facts
from proxy.http1 import parse_request_head

KEY = b"k" * 32
CREDENTIAL = Credential("demo", "c1", LoginID("a" * 26), "1", 0.0, 1.0, "f")


def uri(target):
    head = parse_request_head(f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    return _facts(RequestContext(head, CREDENTIAL, "127.0.0.1", 0.0, 0.0, "id"), KEY).request_uri


@pytest.mark.parametrize("name", ["token", "TOKEN", "%74oken", "access_token", "password", "Client_Secret"])
def test_a_credential_in_the_query_is_recorded_as_its_keyed_hash(name):
    recorded = uri(f"/api/v1/pods?a=1&{name}=canary&b=2")
    assert "canary" not in recorded
    assert recorded.startswith(f"/api/v1/pods?a=1&{name}=hmac:")
    assert recorded.endswith("&b=2")


def test_an_execs_command_is_evidence_and_stays():
    target = "/api/v1/namespaces/a/pods/p/exec?command=ls&command=/tmp"
    assert uri(target) == target

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings.audit.bodies.redaction import LAST_APPLIED, Redaction, is_sensitive_name
from recordings.audit.redact import keyed_hash

KEY = b"k" * 32
CANARY = "canary-5f1d"
HASHED = f"hmac:{keyed_hash(CANARY, KEY)}"
ENCODED = base64.b64encode(CANARY.encode()).decode()


def of(value, resource="pods", **rest):
    return Redaction(KEY, **rest).of(value, resource)


def test_a_secrets_values_are_hashed_alike_in_data_and_string_data():
    secret = {
        "kind": "Secret",
        "metadata": {"name": "s"},
        "data": {"a": ENCODED, "b": None},
        "stringData": {"c": CANARY},
        "type": "Opaque",
    }
    assert of(secret, "secrets") == {
        "kind": "Secret",
        "metadata": {"name": "s"},
        "data": {"a": HASHED, "b": None},
        "stringData": {"c": HASHED},
        "type": "Opaque",
    }


@pytest.mark.parametrize(
    ("resource", "body"),
    [
        ("secrets", {"data": {"a": ENCODED}}),  # a merge patch says no kind
        ("secrets", {"items": [{"data": {"a": ENCODED}}]}),  # nor do a list's items
        ("pods", {"kind": "List", "items": [{"kind": "Secret", "data": {"a": ENCODED}}]}),
        ("secrets", {"stringData": {"a": CANARY}}),
        ("secrets", {"data": CANARY}),
        ("secrets", [{"op": "add", "path": "/data/a", "value": ENCODED}]),
        ("secrets", [{"op": "replace", "path": "/data", "value": {"a": ENCODED}}]),
        ("secrets", [{"op": "replace", "path": "/stringData/a", "value": CANARY}]),
        ("secrets", [{"op": "replace", "path": "", "value": {"kind": "Secret", "data": {"a": ENCODED}}}]),
        ("configmaps", [{"op": "test", "path": "/data/db-password", "value": CANARY}]),
        ("configmaps", {"data": {"db.password": CANARY, "API_TOKEN": CANARY}}),
        ("serviceaccounts", {"kind": "TokenRequest", "status": {"token": CANARY}}),
        ("tokenreviews", {"spec": {"token": CANARY}}),
        ("pods", {"spec": {"containers": [{"env": [{"name": "DB_PASSWORD", "value": CANARY}]}]}}),
        ("pods", {"spec": {"containers": [{"args": ["--password", CANARY]}]}}),
        ("pods", {"spec": {"containers": [{"args": [f"--db-password={CANARY}"]}]}}),
        ("pods", {"spec": {"containers": [{"command": ["sh", "-c", f"mysql --password {CANARY}"]}]}}),
        ("pods", {"spec": {"containers": [{"command": ["sh", "-c", f"PGPASSWORD='{CANARY}' psql"]}]}}),
        ("pods", {"metadata": {"annotations": {"url": f"postgres://u:{CANARY}@db/x"}}}),
        ("pods", {"metadata": {"annotations": {"key": f"-----BEGIN RSA PRIVATE KEY-----\n{CANARY}"}}}),
        ("pods", {"metadata": {"annotations": {LAST_APPLIED: json.dumps({"kind": "Secret", "data": {"a": ENCODED}})}}}),
        ("secrets", {"metadata": {"annotations": {LAST_APPLIED: json.dumps({"data": {"a": ENCODED}})}}}),
        ("pods", {"metadata": {"annotations": {LAST_APPLIED: "{" + CANARY}}}),
        ("widgets", {"spec": {"clientSecret": CANARY, "pin": {"apiKey": 1234567890123}}}),
    ],
)
def test_no_secret_passes(resource, body):
    text = json.dumps(of(body, resource))
    assert CANARY not in text
    assert ENCODED not in text
    assert "1234567890123" not in text
    assert "hmac:" in text


def test_a_json_web_token_is_hashed_wherever_it_stands():
    token = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl"
    assert of({"spec": {"note": f"see {token}."}}) == {"spec": {"note": f"see hmac:{keyed_hash(token, KEY)}."}}


INNOCENT = {
    "kind": "Pod",
    "metadata": {"name": "web", "labels": {"app": "token-service"}},
    "spec": {
        "automountServiceAccountToken": False,
        "volumes": [{"name": "v", "secret": {"secretName": "s", "defaultMode": 420}}],
        "imagePullSecrets": [{"name": "pull"}],
        "containers": [
            {
                "name": "c",
                "args": ["--verbose", "--replicas=3", "-x", "a=b"],
                "env": [
                    {"name": "LEVEL", "value": "3"},
                    {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "s", "key": "password"}}},
                ],
            }
        ],
        "big": 2**63,
        "ratio": 0.5,
        "none": None,
    },
}


def test_what_holds_no_secret_stays_as_it_is():
    assert of(INNOCENT) == INNOCENT


def test_fields_that_the_configuration_names_are_hashed():
    redaction = Redaction(KEY, (("spec", "users", "*", "pin"),))
    body = {"spec": {"users": [{"name": "a", "pin": CANARY}, {"name": "b", "pin": {"x": 1}}], "pin": 3}}
    hashed = redaction.of(body, "widgets")
    assert hashed["spec"]["users"][0] == {"name": "a", "pin": HASHED}
    assert hashed["spec"]["users"][1]["pin"].startswith("hmac:")
    assert hashed["spec"]["pin"] == 3


def test_managed_fields_are_left_out_where_the_policy_says_so():
    body = {"metadata": {"name": "x", "managedFields": [{}]}, "spec": {"managedFields": 1}}
    assert of(body, omit_managed_fields=True) == {"metadata": {"name": "x"}, "spec": {"managedFields": 1}}


def test_what_is_nested_beyond_reason_is_hashed():
    deep: dict = {"x": CANARY}
    for _ in range(100):
        deep = {"x": deep}
    assert CANARY not in json.dumps(of(deep))


@pytest.mark.parametrize("name", ["password", "DB_PASSWORD", "client-secret", "--token", "api_key", "secretAccessKey"])
def test_names_of_secrets(name):
    assert is_sensitive_name(name)


@pytest.mark.parametrize("name", ["secretName", "tokens-used", "automountServiceAccountToken", "name", ""])
def test_names_of_no_secrets(name):
    assert not is_sensitive_name(name)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=20,
)


@given(JSON, st.sampled_from(["secrets", "pods", "tokenreviews"]))
def test_any_body_is_taken_and_the_same_body_gives_the_same(value, resource):
    assert of(value, resource) == of(json.loads(json.dumps(value)), resource)


@given(JSON, st.sampled_from(["data", "stringData"]))
def test_nothing_of_a_secrets_values_is_left(value, field):
    hashed = of({"kind": "Secret", field: {"k": value}}, "secrets")[field]["k"]
    assert hashed is None if value is None else hashed.startswith("hmac:")

"""Claims about editing somebody's kubeconfig."""

from __future__ import annotations

import base64
import json

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from auth.kubeconfig import (
    KubeconfigError,
    Target,
    current_cluster,
    embedded_user,
    exec_credential,
    exec_user,
    merge,
    ours,
    remove,
    safe_name,
    whole,
)

SERVER = "https://kwit.example.com"
USER = exec_user("kwit", ["credential", "--cluster", "prod", "--server", SERVER])
PROD = Target("prod", "https://kube.example.com:8443/clusters/prod", "PEM\n", USER)
STAGING = Target("staging", "https://kube.example.com:8443/clusters/staging", "PEM\n", USER, "kube.internal")

KUBECTL = """\
# mine, do not touch
apiVersion: v1
clusters:   # where things are
# the oldest of all
- cluster:
    insecure-skip-tls-verify: true
    server: https://1.2.3.4
  name: old   # trailing

contexts:
- context: {cluster: old, user: me, namespace: "a b"}
  name: old
current-context: old
kind: Config
preferences: {}
users:
  - name: me
    user:
      token: |
        several
        lines

  # the end
"""
FLOW = "{apiVersion: v1, clusters: [ {name: a, cluster: {server: x}} ], users: [], contexts: [ ], current-context: a}"
PARTS = {f"{kind}s": [{"name": "a", kind: {}}] for kind in ("cluster", "user", "context")}
JSON = json.dumps({"kind": "Config", **PARTS, "current-context": "c"}, indent=4)
INDENTED = "  kind: Config\n  current-context: x\n  users:\n     - name: u\n       user: {}\n"
NO_LAST_NEWLINE = "current-context: x\nclusters:\n- name: a\n  cluster: {}"


def entries(text: str) -> dict[str, dict[str, dict[str, object]]]:
    data = yaml.safe_load(text)
    return {s: {item["name"]: item[s[:-1]] for item in data[s]} for s in ("clusters", "users", "contexts")}


@pytest.mark.parametrize("text", [KUBECTL, FLOW, JSON, INDENTED, NO_LAST_NEWLINE], ids=list("kfjin"))
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_what_was_merged_can_be_removed_and_every_byte_is_as_before(text: str, newline: str) -> None:
    text = text.replace("\n", newline)
    merged = merge(text, [PROD, STAGING])
    assert entries(merged)["users"]["kwit-prod"] == USER
    if {"clusters", "users", "contexts"} <= yaml.safe_load(text).keys() or text[0] != "{":
        assert remove(merged, ["kwit-prod", "kwit-staging"]) == text
    assert ("\r\n" in merged) == (newline == "\r\n" and "\n" in text)
    assert merged.count("\n") == merged.count(newline)


@pytest.mark.parametrize("text", [KUBECTL, FLOW, JSON])
def test_merging_twice_changes_nothing_the_second_time(text: str) -> None:
    once = merge(text, [PROD])
    assert merge(once, [PROD]) == once


@pytest.mark.parametrize("text", ["", "\n", "# only a comment\n", "{}", "---\n", "null\n"])
def test_an_empty_file_becomes_a_whole_one_with_a_current_context(text: str) -> None:
    merged = merge(text, [PROD, STAGING])
    assert yaml.safe_load(merged)["current-context"] == "kwit-prod"
    assert entries(merged)["clusters"]["kwit-staging"] == {
        "certificate-authority-data": base64.b64encode(b"PEM\n").decode(),
        "server": STAGING.server,
        "tls-server-name": "kube.internal",
    }


@pytest.mark.parametrize("empty", ["clusters: null", "clusters:", "clusters: []", "clusters: ~ # none", "kind: Config"])
def test_sections_that_are_missing_or_null_are_filled(empty: str) -> None:
    merged = merge(f"{empty}\nusers: []\n", [PROD])
    assert entries(merged)["contexts"] == {"kwit-prod": {"cluster": "kwit-prod", "user": "kwit-prod"}}


def test_a_namespace_and_a_proxy_set_by_the_person_survive_a_new_login() -> None:
    data = yaml.safe_load(merge("", [PROD]))
    data["contexts"][0]["context"]["namespace"] = "shop"
    data["clusters"][0]["cluster"] |= {
        "proxy-url": "socks5://x",
        "insecure-skip-tls-verify": True,
        "server": "https://old",
    }
    data["users"][0]["user"]["token"] = "planted"
    merged = entries(merge(yaml.safe_dump(data), [PROD]))
    assert merged["contexts"]["kwit-prod"] == {"cluster": "kwit-prod", "user": "kwit-prod", "namespace": "shop"}
    assert merged["clusters"]["kwit-prod"]["proxy-url"] == "socks5://x"
    assert "insecure-skip-tls-verify" not in merged["clusters"]["kwit-prod"]
    assert merged["users"]["kwit-prod"] == USER


def test_removing_the_current_context_leaves_none() -> None:
    assert yaml.safe_load(remove(merge("", [PROD, STAGING]), ["kwit-prod"]))["current-context"] == ""


def test_only_contexts_that_ask_our_plugin_for_this_server_are_ours() -> None:
    merged = merge(KUBECTL, [PROD, Target("x", "s", "c", embedded_user("c", "k"))])
    assert ours(merged, SERVER) == ["kwit-prod"]
    assert ours(merged, "https://other") == []


def test_the_current_cluster_is_told_only_where_it_is_ours() -> None:
    assert current_cluster(whole([PROD])) == "prod"
    assert current_cluster(KUBECTL) is None


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("clusters: [", "line 1, column 12"),
        ("a: b\n\tc: d", "line 2"),
        ("- a\n- b", "not a mapping"),
        ("clusters: {a: b}", "clusters: expected a list"),
        ("clusters: [a]", "clusters: expected a list"),
        ("users: []\nusers: []", "line 2: 'users' stands there twice"),
        ("a: b\n---\nc: d", "line 2"),
        ("a: !!python/object:os.system x", "line 1"),
        ("a: \x00", "unacceptable"),
        ("? {a: b}\n: c", "line 1"),
        ("[" * 1000, "nested"),
    ],
)
def test_a_broken_file_is_refused_with_the_place(text: str, place: str) -> None:
    with pytest.raises(KubeconfigError) as caught:
        merge(text, [PROD])
    assert place in str(caught.value)


def test_a_file_too_large_is_refused() -> None:
    with pytest.raises(KubeconfigError, match="larger than"):
        merge("#" * (4 * 1024 * 1024 + 1), [PROD])


@pytest.mark.parametrize(
    "text",
    [
        "extra: &x []\nclusters: *x\n",
        "extra: &x [{name: a, cluster: {}}]\nclusters: *x\n",
        "clusters: &x [{name: a}]\nusers: *x\ncontexts: *x\n",
        "clusters:\n- &x {name: kwit-prod, cluster: {server: s}}\nextra: *x\n",
    ],
)
def test_a_form_in_which_an_edit_would_reach_further_is_refused(text: str) -> None:
    with pytest.raises(KubeconfigError, match=r"cannot be (edited safely|parsed)"):
        merge(text, [PROD])


@pytest.mark.parametrize("name", ["", "a b", "$(id)", "`id`", "a\nb", "ä", "../x", "a/b", "x" * 254, "a;b", "'"])
def test_a_hostile_cluster_name_never_gets_into_the_file(name: str) -> None:
    with pytest.raises(KubeconfigError, match="only letters"):
        merge("", [Target(name, "s", "c", USER)])
    with pytest.raises(KubeconfigError):
        safe_name(name)


def test_the_plugin_answers_in_the_form_of_client_go() -> None:
    assert json.loads(exec_credential("CERT", "KEY", "2026-01-01T00:00:00Z")) == {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {
            "expirationTimestamp": "2026-01-01T00:00:00Z",
            "clientCertificateData": "CERT",
            "clientKeyData": "KEY",
        },
    }


scalars = st.one_of(
    st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_characters="\x7f"), max_size=12),
    st.booleans(), st.none(), st.integers(),
)  # fmt: skip
trees = st.recursive(
    scalars, lambda c: st.lists(c, max_size=3) | st.dictionaries(st.sampled_from("abcd"), c, max_size=3), max_leaves=6
)
names = st.sampled_from(["a", "b b", "kwit-other", "ü", "- x", "#"])


@st.composite
def configs(draw: st.DrawFn) -> str:
    keys = draw(st.permutations(["kind", "clusters", "users", "contexts", "current-context", "extra"]))
    data: dict[str, object] = {}
    for key in keys[: draw(st.integers(1, 6))]:
        if key.endswith("s"):
            kind = key[:-1]
            items = draw(st.lists(st.tuples(names, trees), max_size=3))
            data[key] = [{"name": n, kind: t} if draw(st.booleans()) else {kind: t, "name": n} for n, t in items]
        else:
            data[key] = "x" if key == "current-context" else draw(trees)
    style = draw(st.sampled_from([None, True, False]))
    text = yaml.safe_dump(
        data, default_flow_style=style, sort_keys=False, allow_unicode=True, indent=draw(st.integers(2, 4))
    )
    if draw(st.booleans()):
        text = json.dumps(data, indent=draw(st.sampled_from([None, 2])))
    elif style is False and draw(st.booleans()):
        text = "# head\n" + text + "# tail\n\n"
    return text.replace("\n", "\r\n") if draw(st.booleans()) else text


@given(configs())
@settings(max_examples=40, deadline=None)
@example(KUBECTL)
def test_any_file_keeps_all_that_is_not_ours(text: str) -> None:
    merged = merge(text, [PROD, STAGING])
    assert {n: entries(merged)["users"][n] for n in ("kwit-prod", "kwit-staging")} == {
        "kwit-prod": USER, "kwit-staging": USER,
    }  # fmt: skip
    before = yaml.safe_load(text)
    after = yaml.safe_load(remove(merged, ["kwit-prod", "kwit-staging"]))
    assert {k: v for k, v in after.items() if k in before or v} == before | (
        {} if before.get("current-context") else {k: after[k] for k in ["current-context"] if after.get(k)}
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("x: !!timestamp x", "a value that its tag does not have"),
        ("!!set {a, b}", "not a mapping"),
        ("a: &a [*a]", "holds itself"),
    ],
)
def test_what_yaml_alone_allows_is_refused_with_a_sentence(text, why):
    with pytest.raises(KubeconfigError, match=why):
        remove(text, ["kwit-c1"])

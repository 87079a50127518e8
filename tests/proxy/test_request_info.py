"""RequestInfo: the real API server's answers as vectors, and a second reading of its algorithm as an oracle."""

import json
import re
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, unquote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.request_info import SINGLE_VALUED, RequestInfo, parse
from proxy.target import RefusedTarget, canonical

VECTORS = json.loads((Path(__file__).parents[1] / "vectors/request_info.json").read_text())


def info(method: str, target: str) -> RequestInfo:
    return parse(method, canonical(target.encode()))


def _as_info(fields: dict[str, Any]) -> RequestInfo:
    return RequestInfo(**{**fields, "parts": tuple(fields.get("parts", ()))})


@pytest.mark.parametrize("row", VECTORS, ids=lambda row: f"{row['method']} {row['target']}")
def test_what_the_real_api_server_answers_is_what_we_read_or_refuse(row: dict[str, Any]) -> None:
    if "refused" in row:
        with pytest.raises(RefusedTarget) as caught:
            info(row["method"], row["target"])
        assert str(caught.value) == row["refused"]
    else:
        assert info(row["method"], row["target"]) == _as_info(row["apiserver"])


@pytest.mark.parametrize("name", sorted(SINGLE_VALUED))
def test_a_parameter_of_one_value_is_refused_when_given_twice(name: str) -> None:
    with pytest.raises(RefusedTarget, match=f"^the parameter {name} is given twice$"):
        info("POST", f"/api/v1/namespaces/a/pods/p/exec?{name}=1&x=2&{name}=1")


def test_commands_and_ports_repeat_and_a_proxied_query_is_its_servers_own() -> None:
    assert info("POST", "/api/v1/namespaces/a/pods/p/exec?command=a&command=b&ports=1&ports=2").name == "p"
    assert info("GET", "/api/v1/namespaces/a/services/s/proxy/x?limit=1&limit=2").subresource == "proxy"


def test_names_of_parameters_are_case_sensitive() -> None:
    assert info("GET", "/api/v1/pods?watch=0&Watch=1").verb == "list"


@pytest.mark.parametrize(
    ("method", "target", "long_running", "watch"),
    [
        ("GET", "/api/v1/pods?watch=1", True, True),
        ("GET", "/api/v1/pods", False, False),
        ("GET", "/api/v1/namespaces/a/pods/p/log", True, False),
        ("POST", "/api/v1/namespaces/a/pods/p/exec", True, False),
        ("GET", "/api/v1/namespaces/a/pods/p/attach", True, False),
        ("GET", "/api/v1/namespaces/a/pods/p/portforward", True, False),
        ("DELETE", "/api/v1/nodes/n/proxy/x", True, False),
        ("GET", "/apis/example.com/v1/namespaces/a/widgets/w/log", True, False),
        ("GET", "/apis/example.com/v1/namespaces/a/widgets/w/console", False, False),
        ("GET", "/api/v1/namespaces/a/pods/p/status", False, False),
        ("GET", "/debug/pprof/profile", True, False),
        ("GET", "/debug/flags", False, False),
        ("WATCH", "/healthz", False, False),
    ],
)
def test_what_runs_long_and_what_watches(method: str, target: str, long_running: bool, watch: bool) -> None:
    found = info(method, target)
    assert (found.is_long_running, found.is_watch) == (long_running, watch)


@pytest.mark.parametrize(
    "selector",
    ["a", "!a", "a=b", "a==b", "a!=b", "a=", "a in (b)", "a notin (b, c)", "x.io/a=b,c", "a = b , !c", "a in (b,c),d"],
)
def test_label_selectors_that_people_write_leave_the_selected_name(selector: str) -> None:
    target = (
        f"/api/v1/pods?fieldSelector=metadata.name%3Dp&labelSelector={selector.replace(' ', '+').replace('=', '%3D')}"
    )
    assert info("GET", target).name == "p"


@pytest.mark.parametrize(
    "selector",
    ["=", ",", "a,", ",a", "a b", "a in b", "a in ()", "in=b", "a===b", "-a", "innotin (a)", "a&b", "(a)", "x" * 64],
)
def test_a_label_selector_in_doubt_is_refused_only_beside_a_selected_name(selector: str) -> None:
    encoded = "".join(f"%{ord(character):02X}" for character in selector)
    assert info("GET", f"/api/v1/pods?labelSelector={encoded}").verb == "list"
    with pytest.raises(RefusedTarget, match="label selector"):
        info("GET", f"/api/v1/pods?fieldSelector=metadata.name%3Dp&labelSelector={encoded}")


# -- the oracle: NewRequestInfo read a second time, over raw text, without canonical restrictions

VERBS = {"POST": "create", "GET": "get", "HEAD": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


def oracle(method: str, target: str) -> RequestInfo | None:
    """None for an error of the API server. Label selectors are taken to be readable."""
    raw_path, _, raw_query = target.partition("?")
    path = unquote(raw_path)
    query: dict[str, list[str]] = {}
    for piece in filter(None, raw_query.split("&")):
        if ";" not in piece and not re.search("%(?![0-9a-fA-F]{2})", piece):
            key, _, value = piece.partition("=")
            query.setdefault(unquote_plus(key), []).append(unquote_plus(value))
    blank = RequestInfo(is_resource_request=False, path=path, verb=method.lower())
    rest = path.strip("/").split("/")
    if len(rest) < 3 or rest[0] not in ("api", "apis"):
        return blank
    prefix = rest.pop(0)
    blank = replace(blank, api_prefix=prefix)
    group = ""
    if prefix == "apis":
        if len(rest) < 3:
            return blank
        group = rest.pop(0)
    version = rest.pop(0)
    by_prefix = rest[0] in ("watch", "proxy")
    if by_prefix and len(rest) < 2:
        return None
    verb = rest.pop(0) if by_prefix else VERBS.get(method, "")
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 1:
        namespace = rest[1]
        if len(rest) > 2 and rest[2] not in ("status", "finalize"):
            rest = rest[2:]
    resource, name, subresource = (*rest, "", "", "")[:3]
    if verb == "proxy":
        subresource = ""
    if not name and verb == "get":
        watch = query.get("watch", ["0"])[0].replace("\u017f", "s").lower()
        verb = "list" if watch in ("0", "false") else "watch"
        name = oracle_name(query)
    elif not name and verb == "delete":
        verb = "deletecollection"
    fields = labels = ""
    if verb in ("list", "watch", "deletecollection") and not by_prefix:
        fields, labels = query.get("fieldSelector", [""])[0], query.get("labelSelector", [""])[0]
    return RequestInfo(
        is_resource_request=True, path=path, verb=verb, api_prefix=prefix, api_group=group, api_version=version,
        namespace=namespace, resource=resource, subresource=subresource, name=name, parts=tuple(rest),
        field_selector=fields, label_selector=labels,
    )  # fmt: skip


def oracle_name(query: dict[str, list[str]]) -> str:
    for number in ("limit", "timeoutSeconds"):
        for value in query.get(number, [])[:1]:
            if not re.fullmatch("[+-]?[0-9]+", value) or not -(2**63) <= int(value) < 2**63:
                return ""
    found = ""
    terms = re.findall(r"((?:[^\\,]|\\.)*)(?:,|$)", query.get("fieldSelector", [""])[0])
    for term in sorted(filter(None, terms), reverse=True):
        parsed = re.fullmatch(r"([^=!]*)(!=|==|=)((?:[^\\,=]|\\[\\,=])*)", term)
        if parsed is None:
            return ""
        if parsed[1] == "metadata.name" and parsed[2] != "!=":
            found = re.sub(r"\\(.)", r"\1", parsed[3])
    return "" if found in (".", "..") or "/" in found or "%" in found else found


SEGMENTS = st.sampled_from(
    [
        "pods",
        "a",
        "namespaces",
        "services",
        "nodes",
        "status",
        "finalize",
        "exec",
        "proxy",
        "watch",
        "log",
        "token",
        "api",
        "apis",
        "v1",
        "..",
        "%2F",
        "%61",
        "%3A",
        "https:s:443",
        "x%C3%A4",
        "",
    ]
)
PARAMETERS = st.sampled_from(
    [
        "watch=1",
        "watch=",
        "watch=no",
        "watch=0",
        "watch=FALSE",
        "watch",
        "watch=1;y",
        "x=1",
        "labelSelector=a%3Db",
        "limit=5",
        "limit=x",
        "limit=9223372036854775808",
        "timeoutSeconds=-1",
        "timeoutSeconds=",
        "fieldSelector=metadata.name%3Dp",
        "fieldSelector=metadata.name=q,metadata.name=p",
        "fieldSelector=metadata.name!=p",
        "fieldSelector=a%5C%2Cb=c,metadata.name==p",
        "fieldSelector=x",
        "fieldSelector=",
        "fieldSelector=metadata.name%3D..",
        "fieldSelector=metadata.name%3Da%5C%5C",
    ]
)
HEADS = st.sampled_from(
    ["/api/v1/", "/apis/apps/v1/", "/api/v1/namespaces/a/", "/apis/apps/v1/namespaces/a/", "/", "/api/"]
)


@given(
    st.sampled_from([*VERBS, "OPTIONS", "GET", "GET"]),
    HEADS,
    st.lists(SEGMENTS, max_size=5),
    st.sampled_from(["", "", "/"]),
    st.lists(PARAMETERS, max_size=3),
)
def test_whatever_we_accept_we_read_as_the_api_server_does(
    method: str, head: str, segments: list[str], slash: str, parameters: list[str]
) -> None:
    target = head + "/".join(segments) + slash + ("?" + "&".join(parameters) if parameters else "")
    try:
        found = info(method, target)
    except RefusedTarget:
        return
    assert found == oracle(method, target)


MODELLED = [  # less what the oracle leaves out: bytes that are not UTF-8, other forms, unreadable labels, errors
    row
    for row in VECTORS
    if row["apiserver"] and not re.search("%[8-9a-fA-F]|#|in%20in|labelSelector=a%3D%3D%3D|://", row["target"])
]


@pytest.mark.parametrize("row", MODELLED, ids=lambda row: f"{row['method']} {row['target']}")
def test_the_oracle_itself_answers_as_the_real_api_server(row: dict[str, Any]) -> None:
    found = oracle(row["method"], row["target"])
    assert found is not None
    assert asdict(found) == asdict(_as_info(row["apiserver"]))

"""The canonical target: what passes, what is refused, and that what passes is one thing to every reader."""

from urllib.parse import quote, unquote_to_bytes

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proxy.target import MAX_QUERY_PAIRS, RefusedTarget, Target, canonical, cut_cluster_prefix


@pytest.mark.parametrize(
    ("raw", "cluster", "rest"),
    [
        (b"/clusters/prod/api/v1/pods?watch=1", "prod", b"/api/v1/pods?watch=1"),
        (b"/clusters/prod", "prod", b"/"),
        (b"/clusters/prod/", "prod", b"/"),
        (b"/clusters/prod?x=1", "prod", b"/?x=1"),
        (b"/clusters/prod//api", "prod", b"//api"),
        (b"/clusters/eu-1.prod_a/version", "eu-1.prod_a", b"/version"),
        (b"/api/v1/pods", None, b"/api/v1/pods"),
        (b"/clusters/", None, b"/clusters/"),
        (b"/clusters", None, b"/clusters"),
        (b"/Clusters/prod/api", None, b"/Clusters/prod/api"),
        (b"//clusters/prod/api", None, b"//clusters/prod/api"),
        (b"/clusters/../api", None, b"/clusters/../api"),
        (b"/clusters/pr%6Fd/api", None, b"/clusters/pr%6Fd/api"),
        (b"/clusters/prod\n", None, b"/clusters/prod\n"),
        (b"/clusters/-prod/api", None, b"/clusters/-prod/api"),
        (b"/clusters/" + b"a" * 64 + b"/api", None, b"/clusters/" + b"a" * 64 + b"/api"),
        (b"/x/clusters/prod/api", None, b"/x/clusters/prod/api"),
    ],
)
def test_only_the_exact_prefix_is_cut(raw: bytes, cluster: str | None, rest: bytes) -> None:
    assert cut_cluster_prefix(raw) == (cluster, rest)


@pytest.mark.parametrize(
    ("raw", "path", "query"),
    [
        (b"/", "/", ()),
        (b"/?", "/", ()),
        (b"/api/v1/pods/", "/api/v1/pods/", ()),
        (b"/api/v1/namespaces/a/pods/p.q", "/api/v1/namespaces/a/pods/p.q", ()),
        (b"/api/v1/namespaces/a/pods/.p", "/api/v1/namespaces/a/pods/.p", ()),
        (b"/api/v1/namespaces/a/services/https%3As%3A443/proxy", "/api/v1/namespaces/a/services/https:s:443/proxy", ()),
        (b"/x?a=1&&b=%2F%26+c&b=&d", "/x", (("a", "1"), ("b", "/& c"), ("b", ""), ("d", ""))),
        (b"/x?command=a%0Ab", "/x", (("command", "a\nb"),)),
        (b"/api/v1/nodes/n/proxy/a//b%2Fc;d/%C3%A4", "/api/v1/nodes/n/proxy/a//b/c;d/ä", ()),
        (b"/api/v1/nodes/n/proxy//", "/api/v1/nodes/n/proxy//", ()),
    ],
)
def test_a_canonical_target_is_read_and_kept_as_it_came(
    raw: bytes, path: str, query: tuple[tuple[str, str], ...]
) -> None:
    assert canonical(raw) == Target(raw, path, query)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "it does not begin with exactly one slash"),
        (b"*", "it does not begin with exactly one slash"),
        (b"https://other/api", "it does not begin with exactly one slash"),
        (b"//other/api", "it does not begin with exactly one slash"),
        (b"/%2Fapi", "an encoded slash, backslash, percent sign or NUL"),
        (b"/a\xc3\xa4", "it holds bytes that are not ASCII"),
        (b"/a b", "it holds #, a backslash, a blank or a control character"),
        (b"/a\tb", "it holds #, a backslash, a blank or a control character"),
        (b"/a\x7fb", "it holds #, a backslash, a blank or a control character"),
        (b"/a\n", "it holds #, a backslash, a blank or a control character"),
        (b"/a?b=c\x00", "it holds #, a backslash, a blank or a control character"),
        (b"/a#b", "it holds #, a backslash, a blank or a control character"),
        (b"/a?b#c", "it holds #, a backslash, a blank or a control character"),
        (b"/a\\b", "it holds #, a backslash, a blank or a control character"),
        (b"/a//b", "an empty or dot segment"),
        (b"/a//", "an empty or dot segment"),
        (b"/./a", "an empty or dot segment"),
        (b"/a/..", "an empty or dot segment"),
        (b"/a/../", "an empty or dot segment"),
        (b"/a/%2E%2e/b", "an empty or dot segment"),
        (b"/a/.%2e/b", "an empty or dot segment"),
        (b"/a%2fb", "an encoded slash, backslash, percent sign or NUL"),
        (b"/a%5Cb", "an encoded slash, backslash, percent sign or NUL"),
        (b"/a%25b", "an encoded slash, backslash, percent sign or NUL"),
        (b"/a%00", "an encoded slash, backslash, percent sign or NUL"),
        (b"/a%1Fb", "an encoded control character"),
        (b"/a%C2%85b", "an encoded control character"),
        (b"/a%FFb", "escapes that are not UTF-8"),
        (b"/a%C0%AFb", "escapes that are not UTF-8"),
        (b"/a%ED%A0%80b", "escapes that are not UTF-8"),
        (b"/a%", "a percent sign without two hexadecimal digits"),
        (b"/a%4", "a percent sign without two hexadecimal digits"),
        (b"/a%G0", "a percent sign without two hexadecimal digits"),
        (b"/a;b", "a semicolon in the path"),
        (b"/a%3Bb", "a semicolon in the path"),
        (b"/a/{b}", "a character that does not belong into a path"),
        (b"/a/%41{b}", "a character that does not belong into a path"),
        (b'/a/"', "a character that does not belong into a path"),
        (b"/a?b;c", "a semicolon in the query"),
        (b"/a?b=%", "a percent sign without two hexadecimal digits"),
        (b"/a?%zz=1", "a percent sign without two hexadecimal digits"),
        (b"/a?b=%FF", "escapes that are not UTF-8"),
        (b"/api/v1/nodes/n%2Fx/proxy/y", "an encoded slash, backslash, percent sign or NUL"),
        (b"/api/v1/nodes/../proxy/y", "an empty or dot segment"),
        (b"/api/v1/nodes/n/proxy/a/..", "a dot segment behind proxy/"),
        (b"/api/v1/nodes/n/proxy/a%2F%2e%2E%2Fb", "a dot segment behind proxy/"),
        (b"/api/v1/nodes/n/proxy/a%0D%0Ab", "an encoded control character"),
        (b"/api/v1/nodes/n/proxy/a%FF", "escapes that are not UTF-8"),
        (b"/api/v1/nodes/n/proxy/a%", "a percent sign without two hexadecimal digits"),
        (b"/apis/x/v1/nodes/n/proxy/a//b", "an empty or dot segment"),
        (b"/a?" + b"x&" * (MAX_QUERY_PAIRS + 1), "more than 1000 query parameters"),
    ],
)
def test_anything_else_is_refused_with_its_reason(raw: bytes, reason: str) -> None:
    with pytest.raises(RefusedTarget) as caught:
        canonical(raw)
    assert str(caught.value) == reason


def test_as_many_query_parameters_as_the_limit_pass() -> None:
    assert len(canonical(b"/a?" + b"x&" * MAX_QUERY_PAIRS).query) == MAX_QUERY_PAIRS


def test_the_first_value_and_all_values_of_a_parameter() -> None:
    target = canonical(b"/a?command=ls&x=1&command=-l")
    assert (target.first("command"), target.all("command"), target.first("none"), target.all("none")) == (
        "ls",
        ("ls", "-l"),
        None,
        (),
    )


_PIECES = st.sampled_from(
    [
        "/",
        "/",
        "/",
        "api",
        "v1",
        "namespaces",
        "a",
        "pods",
        "nodes",
        "proxy",
        ".",
        "..",
        "%2e",
        "%2F",
        "%41",
        "%3A",
        "%",
        "%C3%A4",
        "%FF",
        "%00",
        "%0a",
        "%25",
        "%5c",
        ";",
        "{",
        ":",
        "//",
        "?",
        "&",
        "=",
        "+",
        "#",
        "é",
        "\\",
        " ",
    ]
)
_TARGETS = st.lists(_PIECES, max_size=14).map(lambda pieces: ("/" + "".join(pieces)).encode())


@given(_TARGETS | st.binary(max_size=30).map(lambda tail: b"/" + tail))
@example(b"/api/v1/namespaces/a/pods/p%3Aq?x=%20")
def test_an_accepted_path_means_the_same_decoded_split_joined_and_encoded(raw: bytes) -> None:
    try:
        target = canonical(raw)
    except RefusedTarget:
        return
    assert target.raw == raw
    path = raw.partition(b"?")[0]
    assert target.path.encode() == unquote_to_bytes(path)
    if "/proxy/" not in target.path:
        again = "/".join(quote(segment, safe="") for segment in target.path.split("/"))
        assert canonical(again.encode()).path == target.path
        assert not {"", ".", ".."} & set(target.path.strip("/").split("/")) or target.path == "/"


@given(st.lists(st.tuples(st.text(st.characters(codec="utf-8")), st.text(st.characters(codec="utf-8"))), max_size=8))
def test_an_encoded_query_comes_back(pairs: list[tuple[str, str]]) -> None:
    query = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in pairs)
    assert canonical(b"/x?" + query.encode()).query == tuple(pairs)

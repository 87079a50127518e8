import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy import http1
from proxy.http1 import ChunkedBody, FixedBody, Malformed, parse_request_head, parse_response_head, request_body

HEAD = b"GET /api HTTP/1.1\r\nHost: a\r\n\r\n"


def test_a_plain_head_has_one_meaning():
    head = parse_request_head(HEAD)
    assert (head.method, head.target, head.fields.host, head.fields.has_body, head.fields.close) == (
        "GET",
        b"/api",
        b"a",
        False,
        False,
    )


@pytest.mark.parametrize(
    "data",
    [
        HEAD.replace(b"1.1", b"1.0"),
        HEAD.replace(b"Host: a\r\n", b""),
        HEAD.replace(b"Host: a", b"Host: a\r\nHost: b"),
        HEAD.replace(b"GET /api", b"GET  /api"),
        HEAD.replace(b"GET /api", b"GET http://x/api"),
        HEAD.replace(b"Host: a\r\n", b"Host: a\n"),
        HEAD.replace(b"Host: a", b"Host: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3"),
        HEAD.replace(b"Host: a", b"Host: a\r\nContent-Length: 3"),
        HEAD.replace(b"Host: a", b"Host: \xff"),
        b"\r\n" + HEAD,
    ],
)
def test_what_could_be_read_two_ways_is_refused(data):
    with pytest.raises(Malformed):
        parse_request_head(data)


BODY = b"5\r\nhello\r\nA\r\n0123456789\r\n0\r\n\r\n"


@pytest.mark.parametrize("cut", range(len(BODY)))
def test_chunks_are_matched_wherever_they_are_cut(cut):
    body = ChunkedBody()
    taken = body.feed(BODY[:cut])
    assert taken == cut
    assert body.feed(BODY[cut:] + b"GET") == len(BODY) - cut
    assert (body.done, body.payload) == (True, 15)


@pytest.mark.parametrize("data", [b"5;x\r\n", b"5\nhello", b"5\r\nhelloX", b"0\r\nTrailer: x", b"0x1\r\n", b"\r\n"])
def test_other_chunks_are_refused(data):
    with pytest.raises(Malformed):
        ChunkedBody().feed(data)


def test_heads_that_came_with_the_same_lines_share_what_was_read():
    one = parse_request_head(HEAD)
    other = parse_request_head(HEAD.replace(b"/api", b"/version"))
    assert other.target == b"/version"
    assert other.fields is one.fields


def test_a_body_is_refused_on_get_though_its_lines_were_fine_on_post():
    lines = b" /api HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n"
    assert parse_request_head(b"POST" + lines).fields.content_length == 3
    with pytest.raises(Malformed):
        parse_request_head(b"GET" + lines)


@pytest.mark.parametrize("name", [b"Authorization", b"Cookie", b"Proxy-Authorization"])
def test_a_credentials_value_is_dropped_and_its_lines_are_not_kept(name):
    data = HEAD.replace(b"Host: a", b"Host: a\r\n" + name + b": canary")
    one, other = parse_request_head(data), parse_request_head(data)
    assert one.fields is not other.fields
    assert not one.fields.kept
    assert one.fields.get(name.lower()) == b""
    assert not any(b"canary" in block for block in http1._known_fields)


def test_what_is_kept_is_bounded(monkeypatch):
    monkeypatch.setattr(http1, "KEPT_FIELDS", 2)
    monkeypatch.setattr(http1, "_known_fields", {})
    heads = [HEAD.replace(b"Host: a", b"Host: %d" % n) for n in range(3)]
    read = [parse_request_head(head).fields for head in heads]
    assert list(http1._known_fields.values()) == read[1:]
    parse_request_head(HEAD.replace(b"Host: a", b"Host: " + b"a" * http1.MAX_KEPT_BYTES))
    assert list(http1._known_fields.values()) == read[1:]


def test_a_request_without_a_body_has_one_that_is_done_and_takes_nothing():
    body = request_body(parse_request_head(HEAD))
    assert isinstance(body, FixedBody)
    assert (body.done, body.feed(b"GET"), body.done) == (True, 0, True)


ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Of:\t a:b \r\n\r\n"


@pytest.mark.parametrize("times", [1, 2])
def test_an_answers_head_is_read_the_same_each_time(times):
    for _ in range(times):
        head = parse_response_head(ANSWER, "GET")
        assert (head.status, head.headers, head.content_length, head.chunked, head.close, head.upgrade) == (
            200,
            ((b"content-length", b"2"), (b"x-of", b"a:b")),
            2,
            False,
            False,
            None,
        )


def test_an_answer_without_headers_ends_with_its_connection():
    head = parse_response_head(b"HTTP/1.1 200 OK\r\n\r\n", "GET")
    assert (head.headers, head.content_length, head.chunked, head.close) == ((), None, False, True)


@pytest.mark.parametrize(
    "line",
    [
        b" folded: x",
        b"no colon",
        b"name : x",
        b": x",
        b"a: x\ny: z",
        b"a: x\ry: z",
        b"a: \0",
        b"a\xff: x",
        b"",
        b"Content-Length: 2\r\nContent-Length: 2",
        b"Content-Length: +2",
        b"Content-Length: 2\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: gzip, chunked",
    ],
)
def test_an_answers_line_that_could_be_read_two_ways_is_refused(line):
    data = ANSWER.replace(b"Content-Length: 2", line)
    for _ in range(2):
        with pytest.raises(Malformed):
            parse_response_head(data, "GET")


@given(
    st.text(alphabet="abc-", min_size=1), st.text(alphabet="".join(map(chr, [9, *range(32, 127), *range(128, 256)])))
)
def test_any_field_that_rfc_9110_allows_is_read_without_its_outer_blanks(name, value):
    line = name.encode() + b":" + value.encode("latin-1")
    head = parse_response_head(b"HTTP/1.1 304 Not Modified\r\n" + line + b"\r\n\r\n", "GET")
    assert head.headers == ((name.encode(), value.encode("latin-1").strip(b" \t")),)


def test_somebodys_lines_and_those_that_are_new_each_time_are_not_kept():
    for name in (b"Audit-Id", b"Set-Cookie", b"Location", b"Warning"):
        parse_response_head(ANSWER.replace(b"X-Of", name), "GET")
        assert not any(line.startswith(name) for line in http1._known_lines)


def test_lines_that_are_kept_are_bounded(monkeypatch):
    monkeypatch.setattr(http1, "KEPT_LINES", 2)
    monkeypatch.setattr(http1, "_known_lines", {})
    for n in range(3):
        parse_response_head(b"HTTP/1.1 204 No Content\r\nx-of: %d\r\n\r\n" % n, "GET")
    assert list(http1._known_lines) == [b"x-of: 1", b"x-of: 2"]


def test_blanks_around_a_value_are_no_part_of_it():
    head = parse_request_head(b"GET / HTTP/1.1\r\nHost: a\r\nX-A: \t b c \t\r\n\r\n")
    assert head.fields.headers == ((b"host", b"a"), (b"x-a", b"b c"))

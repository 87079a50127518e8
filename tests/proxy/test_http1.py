import pytest

from proxy.http1 import ChunkedBody, Malformed, parse_request_head

HEAD = b"GET /api HTTP/1.1\r\nHost: a\r\n\r\n"


def test_a_plain_head_has_one_meaning():
    head = parse_request_head(HEAD)
    assert (head.method, head.target, head.host, head.has_body, head.close) == ("GET", b"/api", b"a", False, False)


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

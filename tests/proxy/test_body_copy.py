from hypothesis import given
from hypothesis import strategies as st

from proxy.body_copy import BodyCopy
from proxy.http1 import ChunkedBody
from recordings.audit.bodies.body import MAX_BODY_BYTES, Body


def framed(pieces: list[bytes]) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({place % (len(data) + 1) for place in places} | {len(data)})
    return [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=5), st.lists(st.integers(0, 400), max_size=6))
def test_a_chunked_body_is_copied_without_its_framing_however_it_is_cut(pieces, places):
    data = framed(pieces)
    assert ChunkedBody().feed(data) == len(data)
    copy = BodyCopy(b"application/json", None, chunked=True)
    for piece in cut(data, places):
        copy.feed(piece)
    whole = b"".join(pieces)
    assert copy.body() == Body(whole, len(whole), "application/json", "")


@given(st.binary(max_size=100), st.lists(st.integers(0, 100), max_size=4))
def test_another_body_is_copied_as_it_is(data, places):
    copy = BodyCopy(None, b"gzip", chunked=False)
    for piece in cut(data, places):
        copy.feed(piece)
    assert copy.body() == Body(data, len(data), "", "gzip")


def test_past_the_limit_nothing_is_kept_but_the_size():
    copy = BodyCopy(None, None, chunked=False)
    copy.feed(b"x" * MAX_BODY_BYTES)
    assert copy.body().payload == b"x" * MAX_BODY_BYTES
    copy.feed(b"x")
    copy.feed(b"x" * 1000)
    assert copy.body() == Body(None, MAX_BODY_BYTES + 1001, "")

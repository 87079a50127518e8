"""SPDY header blocks: the specification's dictionary, one context for a direction, and one way to read."""

import hashlib
import zlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings.streams.fault import Fault, StreamFaultError
from recordings.streams.header_block import DICTIONARY, MAX_INFLATED_BYTES, MAX_PAIRS, HeaderReader
from tests.recordings.streams.wire import Blocks, pairs

NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,12}", fullmatch=True).map(lambda name: f"x-{name}")
VALUES = st.text(st.characters(max_codepoint=255), max_size=20)


def fault_of(block: bytes) -> Fault:
    with pytest.raises(StreamFaultError) as raised:
        HeaderReader().read(block)
    return raised.value.fault


def test_the_dictionary_is_the_specifications():
    assert len(DICTIONARY) == 1423
    assert zlib.adler32(DICTIONARY) == 0xE3C6A7C2
    digest = "51d27341373f923f3cd88e1eb7162aeaa3723d7585ff2399201dc06498407f02"
    assert hashlib.sha256(DICTIONARY).hexdigest() == digest


def test_blocks_share_one_context():
    reader = HeaderReader()
    assert reader.read(bytes.fromhex("78f9e3c6a7c202a62346703a2b294a4dcc851625aca9a08006000000ffff")) == {
        "streamtype": "error"
    }
    assert reader.read(bytes.fromhex("c22a054ccc29f9a52500000000ffff")) == {"streamtype": "stdout"}


@given(st.lists(st.dictionaries(NAMES, VALUES, max_size=6), max_size=5))
def test_what_is_written_is_read(blocks):
    writer, reader = Blocks(), HeaderReader()
    for block in blocks:
        raw = pairs((name, value.encode("latin-1")) for name, value in block.items())
        assert reader.read(writer.raw(raw)) == block


@pytest.mark.parametrize(
    "headers",
    [
        [("streamtype", "stdin"), ("streamtype", "stdout")],
        [("streamType", "stdin")],
        [("", "stdin")],
        [(" streamtype", "stdin")],
        [("streamtype\0", "stdin")],
        [("strea\u00b5type", "stdin")],
        *([(name, "x")] for name in ("connection", "host", "keep-alive", "proxy-connection", "transfer-encoding")),
    ],
)
def test_a_name_is_a_lower_case_token_and_stands_once_and_is_none_of_the_forbidden(headers):
    assert fault_of(Blocks().raw(pairs(headers))) is Fault.HEADERS


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\0\0\0",
        b"\0\0\0\1",
        b"\0\0\0\1\0\0\0\1",
        b"\0\0\0\1\0\0\0\1a\0\0\0",
        b"\0\0\0\1\0\0\0\1a\0\0\0\2b",
        b"\0\0\0\1\xff\xff\xff\xffa",
        pairs([("a", "b")])[:-1],
        pairs([("a", "b")]) + b"\0",
        pairs([]) + pairs([("streamtype", "stdin")]),
    ],
)
def test_a_block_holds_exactly_its_pairs(raw):
    assert fault_of(Blocks().raw(raw)) is Fault.HEADERS


@pytest.mark.parametrize("count", [MAX_PAIRS + 1, 1 << 10, 1 << 16, (1 << 24) - 1, 1 << 31, (1 << 32) - 1])
def test_the_number_of_pairs_is_bounded_before_they_are_read(count):
    assert fault_of(Blocks().raw(count.to_bytes(4))) is Fault.HEADER_LIMIT


def test_the_bounds_themselves_are_allowed():
    assert (MAX_INFLATED_BYTES, MAX_PAIRS) == (65536, 100)
    many = {f"x-{number}": "y" for number in range(MAX_PAIRS)}
    assert HeaderReader().read(Blocks().raw(pairs(many.items()))) == many
    long = "y" * (MAX_INFLATED_BYTES - 13)
    assert HeaderReader().read(Blocks().raw(pairs([("x", long)]))) == {"x": long}
    assert fault_of(Blocks().raw(pairs([("x", long + "y")]))) is Fault.HEADER_LIMIT


def test_a_bomb_is_not_inflated():
    bomb = Blocks().raw(bytes(50_000_000))
    assert len(bomb) < 64 * 1024
    assert fault_of(bomb) is Fault.HEADER_LIMIT


def test_a_block_that_is_not_flushed_or_not_zlib_or_of_another_dictionary_is_a_fault():
    good = Blocks().raw(pairs([("a", "b")]))
    other = zlib.compressobj(zdict=b"another dictionary")
    for block in (
        b"",
        good[:-1],
        good[:-4],
        b"\0" + good,
        good[6:],
        good[:2] + b"\0" + good[3:],
        other.compress(pairs([("a", "b")])) + other.flush(zlib.Z_SYNC_FLUSH),
    ):
        assert fault_of(block) is Fault.COMPRESSION


def test_the_stream_of_blocks_does_not_end():
    ended = zlib.compressobj(zdict=DICTIONARY)
    block = ended.compress(pairs([("a", "b")])) + ended.flush() + b"\0\0\xff\xff"
    assert fault_of(block) is Fault.COMPRESSION


@given(st.binary(max_size=60), st.booleans())
def test_whatever_comes_only_the_declared_error_is_raised(block, flushed):
    with suppress(StreamFaultError):
        HeaderReader().read(block + b"\0\0\xff\xff" * flushed)


@given(st.binary(max_size=60))
def test_whatever_a_block_holds_only_the_declared_error_is_raised(raw):
    with suppress(StreamFaultError):
        headers = HeaderReader().read(Blocks().raw(raw))
        assert pairs((name, value.encode("latin-1")) for name, value in headers.items()) == raw

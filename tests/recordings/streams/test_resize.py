"""Sizes of a terminal: one way to write them, cut anywhere."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings.streams.fault import Fault, StreamFaultError
from recordings.streams.resize import MAX_SIZE_BYTES, ResizeReader, TerminalSize
from tests.recordings.streams.wire import bytewise

SIZES = st.lists(st.tuples(st.integers(0, 65535), st.integers(0, 65535)), max_size=5)


def read(pieces: list[bytes]) -> list[TerminalSize]:
    reader = ResizeReader()
    return [size for piece in pieces for size in reader.feed(piece)]


def test_kubectls_own_form_is_read():
    assert read([b'{"Width":99,"Height":33}\n']) == [TerminalSize(99, 33)]


@given(SIZES, st.sampled_from(["", "\n", " \r\n\t"]), st.integers(1, 9))
def test_what_is_written_is_read_however_it_is_cut(sizes, between, step):
    text = between.join(json.dumps({"Width": width, "Height": height}) for width, height in sizes).encode()
    expected = [TerminalSize(*size) for size in sizes]
    assert read([text]) == expected
    assert read([text[at : at + step] for at in range(0, len(text), step)]) == expected


@pytest.mark.parametrize(
    "text",
    [
        b'{"width":80,"height":24}',
        b'{"Width":80}',
        b'{"Width":80,"Height":24,"Depth":1}',
        b'{"Width":80,"Height":24,"Width":81}',
        b'{"Width":"80","Height":24}',
        b'{"Width":80.0,"Height":24}',
        b'{"Width":true,"Height":24}',
        b'{"Width":-1,"Height":24}',
        b'{"Width":65536,"Height":24}',
        b'{"Width":1e3,"Height":24}',
        b'{"Width":' + b"9" * 200 + b',"Height":24}',
        b'{"Width":[],"Height":24}',
        b'{"Width":{"a":1},"Height":24}',
        b'{"Width":{',
        b'{"Width":80,"Height":24',
        b'{"Width":{"Width":1}}',
        b'{"Width":80,"Height":\xff}',
        b"{}",
        b"[80,24]",
        b"80x24",
        b"\x00",
        b'\x0b{"Width":80,"Height":24}',
        b"}",
    ],
)
def test_every_other_form_is_a_fault(text):
    filled = text + b'{"x":' + b" " * MAX_SIZE_BYTES
    for pieces in ([filled], bytewise(filled)):
        with pytest.raises(StreamFaultError) as raised:
            read(pieces)
        assert raised.value.fault is Fault.RESIZE


def test_a_value_is_bounded_however_it_is_cut():
    longest = b'{"Width":80,"Height":24' + b" " * (MAX_SIZE_BYTES - 24) + b"}"
    assert read([longest]) == read(bytewise(longest)) == [TerminalSize(80, 24)]
    for pieces in ([longest[:-1] + b" }"], bytewise(longest[:-1] + b" }")):
        with pytest.raises(StreamFaultError):
            read(pieces)


def test_a_value_that_never_ends_is_bounded():
    reader = ResizeReader()
    assert reader.feed(b"{" + b" " * (MAX_SIZE_BYTES - 1)) == []
    with pytest.raises(StreamFaultError):
        reader.feed(b" ")


def test_blanks_between_sizes_are_not_kept():
    reader = ResizeReader()
    for _ in range(10):
        assert reader.feed(b"\n" * MAX_SIZE_BYTES) == []
    assert reader.feed(b'{"Width":1,"Height":2}') == [TerminalSize(1, 2)]


@given(st.binary(max_size=40))
def test_whatever_comes_only_the_declared_error_is_raised(text):
    heard = []
    for pieces in ([text], bytewise(text)):
        try:
            heard.append(read(pieces))
        except StreamFaultError as error:
            heard.append(error.fault)
    assert heard[0] == heard[1]


def test_a_size_inside_a_size_is_a_fault_at_once():
    with pytest.raises(StreamFaultError):
        read([b'{"Width":{"a":1},"Height":24}'])

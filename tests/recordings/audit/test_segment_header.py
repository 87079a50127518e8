"""Claims about a signed segment's first line."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings.audit.encode import encode
from recordings.audit.merkle import Tree
from recordings.audit.note import NoteError, PublicKey
from recordings.audit.segment_header import SegmentHeader, parse_header, signed_fields

KEY = PublicKey("acme/audit/n", bytes(range(32)))


def a_line(size: int) -> bytes:
    tree = Tree()
    for number in range(size):
        tree.add(b"%d" % number)
    return encode({"header": {"v": 1, "first_seq": 5, **signed_fields("acme/audit/n", tree, KEY)}})[:-1]


@given(st.integers(0, 70))
def test_what_is_written_is_read(size: int) -> None:
    header = parse_header(a_line(size))
    assert header == SegmentHeader(5, "acme/audit/n", size, header.tree.frontier, KEY)
    assert header.tree.size == size


def edited(**members: Any) -> bytes:
    return json.dumps({"header": {**json.loads(a_line(3))["header"], **members}}).encode()


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"[]",
        b"7",
        b'{"header":7}',
        b'{"header":{"v":1,"first_seq":1}}',
        edited(first_seq="5"),
        edited(first_seq=True),
        edited(origin=7),
        edited(key=7),
        edited(key="x+y+z"),
        edited(tree=None),
        edited(tree={"size": 3}),
        edited(tree={"size": 3, "frontier": 7}),
        edited(tree={"size": 3, "frontier": [7, 8]}),
        edited(tree={"size": 3, "frontier": ["?", "?"]}),
        edited(tree={"size": 3, "frontier": ["AAAA"]}),
        edited(tree={"size": -1, "frontier": []}),
        edited(tree={"size": 3.0, "frontier": []}),
    ],
)
def test_what_is_no_signed_header_is_refused(line: bytes) -> None:
    with pytest.raises(NoteError):
        parse_header(line)

"""Claims about what a manifest says of its segment."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings.audit.encode import encode, rfc3339
from recordings.audit.manifest import Manifest, ManifestError, Summary, base, from_json, manifest_of, manifest_path

NOW = 1_700_000_000.0
CHECKPOINT = b'{"checkpoint":"..."}\n'


def line(seq: int, at: float) -> bytes:
    return encode({"v": 1, "seq": seq, "id": f"id-{seq}", "time": rfc3339(NOW + at), "type": "log.start"})


DATA = encode({"header": {"first_seq": 5}}) + line(5, 9) + line(6, 2) + CHECKPOINT + b"damaged\n" + line(8, 4) + b"torn"
EXPECTED = Manifest(
    writer="node-0",
    segment="5.ndjson",
    first_seq=5,
    last_seq=8,
    records=4,
    lines=6,
    since=rfc3339(NOW + 2),
    until=rfc3339(NOW + 9),
    length=len(DATA),
    sha256=sha256(DATA).hexdigest(),
    origin="",
    start=0,
    size=0,
    root="",
)


@given(st.integers(1, 50))
def test_it_is_the_same_however_the_bytes_come(size: int) -> None:
    summary = Summary()
    for at in range(0, len(DATA), size):
        summary.add(DATA[at : at + size])
    assert summary.manifest("node-0", "5.ndjson", 5, None) == EXPECTED


def test_a_segment_without_records_ends_before_it_begins() -> None:
    summary = Summary()
    summary.add(encode({"header": {}}))
    manifest = summary.manifest("node-0", "5.ndjson", 5, None)
    assert (manifest.first_seq, manifest.last_seq, manifest.records, manifest.since) == (5, 4, 0, "")


def test_its_file_gives_it_back_and_only_it(tmp_path: Path) -> None:
    assert from_json(EXPECTED.to_json()) == EXPECTED
    path = tmp_path / "00000000000000000005-1.ndjson"
    assert manifest_of(path) is None
    assert manifest_path(path).name == "00000000000000000005-1.manifest.json"
    assert base(path.with_name(path.name + ".zst")) == base(path)
    manifest_path(path).write_bytes(EXPECTED.to_json())
    assert manifest_of(path) == EXPECTED
    manifest_path(path).write_bytes(EXPECTED.to_json()[:-9])
    assert manifest_of(path) is None


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", EXPECTED.to_json().replace(b'"5.ndjson"', b"5")])
def test_other_files_are_no_manifests(data: bytes) -> None:
    with pytest.raises(ManifestError):
        from_json(data)

"""Claims about reading `keys`."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from recordings.audit.key_chain import SegmentKey, to_line, vouched
from recordings.audit.keys_file import KEYS, read_chain
from recordings.audit.note import Ed25519Signer

ROOT, FIRST, SECOND, THIRD = (
    Ed25519Signer.of(name, Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32))
    for number, name in enumerate(("root", "log", "log", "log"))
)
CHAIN = (
    SegmentKey(0, FIRST.public, by_root=True),
    SegmentKey(5, SECOND.public, by_root=False),
    SegmentKey(9, THIRD.public, by_root=False),
)


def entries() -> list[bytes]:
    signers = (ROOT, FIRST, SECOND)
    return [to_line(vouched(key, by)) for key, by in zip(CHAIN, signers, strict=True)]


@pytest.mark.parametrize(
    ("data", "kept", "why"),
    [
        (b"".join(entries()), 3, None),
        (b"", 0, None),
        (b"".join(entries())[:-1], 2, "its last line is unfinished"),
        (b"".join(entries()[:2]) + b"rubbish\n", 2, "the line is not a key's"),
        (entries()[0] + b"rubbish\n" + entries()[2], 1, "the line is not a key's"),
        (entries()[0] + entries()[2], 1, "key 2: it is not signed by root"),
        (b"".join(entries()[1:]), 0, "key 1: it is not signed by root"),
        (b"rubbish\n", 0, "the line is not a key's"),
    ],
)
def test_the_keys_before_the_first_that_fails_are_kept(tmp_path: Path, data: bytes, kept: int, why: str | None) -> None:
    (tmp_path / KEYS).write_bytes(data)
    chain, failed = read_chain(tmp_path, ROOT.public)
    assert chain == CHAIN[:kept]
    assert (failed is None) == (why is None)
    assert str(failed or "").startswith(why or "")


def test_no_file_is_told(tmp_path: Path) -> None:
    chain, failed = read_chain(tmp_path, ROOT.public)
    assert (chain, str(failed)) == ((), "there is no such file")

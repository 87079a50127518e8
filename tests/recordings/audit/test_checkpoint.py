"""Claims about checkpoints and their lines."""

from __future__ import annotations

from base64 import b64decode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from recordings.audit.checkpoint import (
    MAX_LINE_BYTES,
    PREFIX,
    Checkpoint,
    check_origin,
    note_of,
    parse_text,
    signed,
    to_line,
    unverified,
    verified,
)
from recordings.audit.note import Ed25519Signer, NoteError, sign

SIGNER = Ed25519Signer.of("example.com/log", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
# The example of C2SP tlog-checkpoint.
EXAMPLE = """example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa \
Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
"""


def test_the_specifications_example_is_read() -> None:
    root = b64decode("CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=")
    assert unverified(EXAMPLE) == Checkpoint("example.com/behind-the-sofa", 20852163, root)
    assert EXAMPLE.startswith(unverified(EXAMPLE).text)


@given(st.integers(0, 2**62), st.binary(min_size=32, max_size=32))
def test_what_was_signed_is_verified_and_fits_a_line(size: int, root: bytes) -> None:
    checkpoint = Checkpoint("example.com/log", size, root)
    line = to_line(signed(checkpoint, SIGNER))
    assert line.startswith(PREFIX)
    assert line.endswith(b"\n")
    assert verified(note_of(line[:-1]), SIGNER.public) == checkpoint


def test_a_line_of_the_longest_origin_is_under_the_maximum() -> None:
    signer = Ed25519Signer.of("o" * 200, SIGNER.private)
    check_origin(signer.public.name)
    assert len(to_line(signed(Checkpoint("o" * 200, 10**19 - 1, bytes(32)), signer))) <= MAX_LINE_BYTES


@pytest.mark.parametrize("origin", ["", "a b", "a+b", "o" * 201, "ö"])
def test_an_origin_that_would_break_a_checkpoint_is_refused(origin: str) -> None:
    with pytest.raises(NoteError):
        check_origin(origin)


ROOT = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a\n1\n",
        f"\n1\n{ROOT}\n",
        f"a\n01\n{ROOT}\n",
        f"a\n-1\n{ROOT}\n",
        f"a\n+1\n{ROOT}\n",
        f"a\n1e3\n{ROOT}\n",
        f"a\n\u0661\n{ROOT}\n",
        f"a\n{10**20}\n{ROOT}\n",
        f"a\n1\n{ROOT}",
        f"a\n1\n{ROOT}\nextension\n",
        f"a\n1\n{ROOT[:-2]}==\n",
        f"a\n1\n{ROOT.replace('2I=', '2J=')}\n",
        f"a\n1\n{ROOT[1:]}\n",
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(NoteError):
        parse_text(text)


def test_a_checkpoint_for_another_log_is_refused() -> None:
    with pytest.raises(NoteError, match=r"it speaks for other, but is signed by example\.com/log"):
        verified(signed(Checkpoint("other", 1, bytes(32)), SIGNER), SIGNER.public)


def test_a_signed_note_that_is_no_checkpoint_is_refused() -> None:
    with pytest.raises(NoteError, match="three lines"):
        verified(sign("hello\n", SIGNER), SIGNER.public)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"[]",
        b"{}",
        b'{"checkpoint":1}',
        b'{"checkpoint": "x"}',
        b'{"checkpoint":"x","more":1}',
        b'{"checkpoint":"\\u0078"}',
        b'{"checkpoint":"y","checkpoint":"x"}',
    ],
)
def test_a_line_that_we_would_have_written_otherwise_is_refused(line: bytes) -> None:
    with pytest.raises(NoteError, match="checkpoint"):
        note_of(line)

"""Claims about signed notes; the vectors are those of Go's golang.org/x/mod/sumdb/note and of the specification."""

from __future__ import annotations

from base64 import b64decode, b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from recordings.audit.note import (
    Ed25519Signer,
    Note,
    NoteError,
    PublicKey,
    Signature,
    opened,
    parse,
    sign,
)

PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETER_SEED = "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
ENOCH = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
TEXT = (
    "If you think cryptography is the answer to your problem,\n"  # the text that Go's vectors sign
    "then you don't know what your problem is.\n"
)
PETER_LINE = (
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
ENOCH_LINE = (
    "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n"
)
SIGNER = Ed25519Signer.of("example.com/log", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))


def test_a_note_is_signed_as_go_signs_it() -> None:
    private = Ed25519PrivateKey.from_private_bytes(b64decode(PETER_SEED)[1:])
    signer = Ed25519Signer.of("PeterNeumann", private)
    assert str(signer.public) == PETER
    assert sign(TEXT, signer) == TEXT + "\n" + PETER_LINE


def test_a_note_with_two_signatures_is_opened_by_either_key() -> None:
    both = TEXT + "\n" + PETER_LINE + ENOCH_LINE
    assert opened(both, PublicKey.parse(PETER)) == TEXT
    assert opened(both, PublicKey.parse(ENOCH)) == TEXT
    assert str(parse(both)) == both
    assert parse(both).signatures[1] == Signature(
        "EnochRoot", bytes.fromhex("af0cfe78"), b64decode(ENOCH_LINE[12:])[4:]
    )


def test_a_key_that_is_mangled_anywhere_is_no_key() -> None:
    for begin in range(len(PETER)):
        for end in range(begin + 1, len(PETER) + 1):
            if (begin, end) != (0, len(PETER)):
                with pytest.raises(NoteError):
                    PublicKey.parse(PETER[begin:end])
    for at in range(len(PETER)):
        with pytest.raises(NoteError):
            PublicKey.parse(PETER[:at] + chr(ord(PETER[at]) + 1) + PETER[at + 1 :])


@pytest.mark.parametrize(
    "text",
    [
        "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==",
        "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "",
        "++",
    ],
)
def test_keys_that_go_refuses_are_refused(text: str) -> None:
    with pytest.raises(NoteError):
        PublicKey.parse(text)


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (TEXT, "empty line"),
        (TEXT + "\n", "empty line"),
        (TEXT + "\n" + PETER_LINE[:-1], "empty line"),
        ("\x01" + TEXT + "\n" + PETER_LINE, "control characters"),
        ("\ud800" + TEXT + "\n" + PETER_LINE, "control characters"),
        (TEXT + "\n— Bad Name " + PETER_LINE[15:], "base64"),
        (TEXT + "\n— Bad+Name " + PETER_LINE[15:], "nor a plus"),
        (TEXT + "\n" + PETER_LINE + "Unexpected line.\n", "em dash"),
        (TEXT + "\n— PeterNeumann\n", "dash, name, base64"),
        (TEXT + "\n— PeterNeumann x08g\n", "dash, name, base64"),
        (TEXT + "\n" + PETER_LINE.replace("nAM=", "nAN="), "another way"),
        (TEXT + "\n" + PETER_LINE * 101, "at most 100"),
        ("x" * 65536 + "\n\n" + PETER_LINE, "at most 65536"),
    ],
)
def test_what_is_no_note_is_refused_with_the_reason(raw: str, why: str) -> None:
    with pytest.raises(NoteError, match=why):
        parse(raw)


def test_a_note_that_others_signed_is_not_opened() -> None:
    with pytest.raises(NoteError, match=r"is not signed by EnochRoot\+af0cfe78"):
        opened(TEXT + "\n" + PETER_LINE, PublicKey.parse(ENOCH))


def test_a_false_signature_under_the_right_name_and_id_is_refused_even_beside_a_good_one() -> None:
    false = str(Signature("PeterNeumann", bytes.fromhex("c74f20a3"), bytes(64)))
    for lines in (false, PETER_LINE + false, false + PETER_LINE):
        with pytest.raises(NoteError, match="not that of PeterNeumann"):
            opened(TEXT + "\n" + lines, PublicKey.parse(PETER))


@given(st.data())
def test_no_bit_of_a_note_can_be_changed(data: st.DataObject) -> None:
    raw = sign("example.com/log\n7\nx\n", SIGNER).encode()
    at, bit = data.draw(st.integers(0, len(raw) - 1)), data.draw(st.integers(0, 7))
    changed = raw[:at] + bytes([raw[at] ^ 1 << bit]) + raw[at + 1 :]
    try:
        text = changed.decode()
    except UnicodeDecodeError:
        return
    with pytest.raises(NoteError):
        opened(text, SIGNER.public)


@given(st.text(min_size=1).filter(lambda one: not any(c < " " or "\ud800" <= c <= "\udfff" for c in one)))
def test_any_text_that_may_be_signed_is_opened_again(text: str) -> None:
    assert opened(sign(text + "\n", SIGNER), SIGNER.public) == text + "\n"


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\u2003b", "a\nb", "a\x7f"])
def test_a_name_that_would_break_a_note_is_refused(name: str) -> None:
    with pytest.raises(NoteError, match="neither spaces nor a plus"):
        PublicKey(name, bytes(32))


def test_a_key_of_another_length_is_refused() -> None:
    with pytest.raises(NoteError, match="32 bytes"):
        PublicKey("a", bytes(31))


def test_a_text_that_cannot_be_a_note_is_not_signed() -> None:
    with pytest.raises(NoteError):
        sign("a\tb\n", SIGNER)


def test_a_signer_shows_no_private_key() -> None:
    assert b64encode(bytes(range(32))).decode() not in repr(SIGNER)
    assert "private" not in repr(SIGNER)


def test_a_note_holds_its_text_as_unverified() -> None:
    assert parse(TEXT + "\n" + PETER_LINE) == Note(
        TEXT, (Signature("PeterNeumann", bytes.fromhex("c74f20a3"), b64decode(PETER_LINE[15:])[4:]),)
    )

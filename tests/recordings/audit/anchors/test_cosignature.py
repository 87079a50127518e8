"""Claims about a witness's signature."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from recordings.audit.anchors.cosignature import WitnessKey, cosigned, witness_key, witnessed_at
from recordings.audit.note import NoteError, PublicKey, parse
from tests.recordings.audit.anchors.conftest import SIGNER, checkpoint

PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes([9]) * 32)
KEY = witness_key("witness.example/w1", PRIVATE)
NOTE = checkpoint(7).note
NOW = 1_700_000_000


def witnessed(now: int = NOW) -> str:
    return NOTE + str(cosigned(parse(NOTE).unverified_text, KEY.name, PRIVATE, now))


def test_it_says_when_the_checkpoint_was_seen() -> None:
    assert witnessed_at(witnessed(), KEY) == NOW


def test_what_is_signed_is_what_the_specification_says() -> None:
    value = parse(witnessed()).signatures[1].value
    message = f"cosignature/v1\ntime {NOW}\n{parse(NOTE).unverified_text}"
    PRIVATE.public_key().verify(value[8:], message.encode())
    assert (int.from_bytes(value[:8], "big"), len(value)) == (NOW, 72)


def test_a_key_is_written_with_a_type_of_its_own() -> None:
    assert WitnessKey.parse(str(KEY)) == KEY
    for text in (str(SIGNER.public), str(KEY)[:-1], str(KEY).replace("+", "+0", 1), "w+x+!", "w"):
        with pytest.raises(NoteError):
            WitnessKey.parse(text)
    with pytest.raises(NoteError):
        PublicKey.parse(str(KEY))
    with pytest.raises(NoteError):
        WitnessKey("w", b"short")


@pytest.mark.parametrize(
    ("note", "said"),
    [
        (NOTE, "not witnessed by"),
        (witnessed().replace("\n7\n", "\n8\n"), "the cosignature is not that of"),
        (witnessed() + witnessed().splitlines()[-1] + "\n", "has another form"),
        (NOTE + str(cosigned("other\n", KEY.name, PRIVATE, NOW)), "the cosignature is not that of"),
    ],
)
def test_another_checkpoint_is_not_witnessed_by_it(note: str, said: str) -> None:
    with pytest.raises(NoteError, match=said):
        witnessed_at(note, KEY)

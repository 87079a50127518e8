"""A witness's signature under somebody else's checkpoint: C2SP tlog-cosignature, type `cosignature/v1`.

It says: at this time I have seen this checkpoint, and it goes on from every one of this log that I have seen before.
What is signed is `cosignature/v1`, the time, and the checkpoint's text; the note's line holds id, time, signature.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from recordings.audit.note import SIGNATURE_BYTES, NamedKey, NoteError, Signature, parse

_TIME_BYTES = 8


@dataclass(frozen=True, slots=True)
class WitnessKey(NamedKey):
    """Who witnesses."""

    TYPE = b"\x04"
    NOT_OF_TYPE = "it is no witness's key: its type is another"
    CALLED = "key"


def witness_key(name: str, private: Ed25519PrivateKey) -> WitnessKey:
    return WitnessKey(name, private.public_key().public_bytes_raw())


def cosigned(text: str, name: str, private: Ed25519PrivateKey, now: int) -> Signature:
    """Of a checkpoint's text, at this UTC second."""
    value = now.to_bytes(_TIME_BYTES, "big") + private.sign(_message(text, now))
    return Signature(name, witness_key(name, private).id, value)


def witnessed_at(note: str, key: WitnessKey) -> int:
    """When this witness saw it, in UTC seconds. Raises NoteError where he has not signed it."""
    read = parse(note)
    mine = [one for one in read.signatures if (one.name, one.id) == (key.name, key.id)]
    if not mine:
        raise NoteError(f"it is not witnessed by {key.name}+{key.id.hex()}")
    value = mine[0].value
    if len(mine) != 1 or len(value) != _TIME_BYTES + SIGNATURE_BYTES:
        raise NoteError(f"the cosignature of {key.name} has another form")
    time = int.from_bytes(value[:_TIME_BYTES], "big")
    try:
        Ed25519PublicKey.from_public_bytes(key.key).verify(value[_TIME_BYTES:], _message(read.unverified_text, time))
    except (InvalidSignature, ValueError) as error:
        raise NoteError(f"the cosignature is not that of {key.name}") from error
    return time


def _message(text: str, time: int) -> bytes:
    return f"cosignature/v1\ntime {time}\n{text}".encode()

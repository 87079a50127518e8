"""Signed notes (C2SP signed-note), with Ed25519 signatures alone: what signs our checkpoints and our keys.

A note is text that ends with a newline, an empty line, and lines `— NAME BASE64(key id || signature)`. Base64 has
several spellings of one signature; only the one that an encoder writes is taken, so a note's bytes cannot be changed
without a finding.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode
from dataclasses import dataclass
from hashlib import sha256
from typing import ClassVar, Protocol, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from recordings.errors import RecordingsError

MAX_NOTE_BYTES = 64 * 1024
"""Ours have some 300 bytes; those of others carry the signatures of many witnesses."""
MAX_SIGNATURES = 100
"""The standard demands 16; Go's reader takes 100."""
ID_BYTES = 4
KEY_BYTES = 32
SIGNATURE_BYTES = 64
_DASH = "— "
_FORBIDDEN = re.compile("[\x00-\x09\x0b-\x1f\ud800-\udfff]")


class NoteError(RecordingsError):
    """A note or key that is not what it should be, or is not signed by whom it should be."""


@dataclass(frozen=True, slots=True)
class NamedKey:
    """A name and an Ed25519 key for one type of signature; in text `NAME+ID+BASE64`, as Go's tools write it."""

    TYPE: ClassVar[bytes]
    """What is signed how, by C2SP's list of signature types."""
    NOT_OF_TYPE: ClassVar[str]
    """Said of a text that is no key of this type."""
    CALLED: ClassVar[str]
    """In sentences about one."""
    name: str
    key: bytes

    def __post_init__(self) -> None:
        check_name(self.name)
        if len(self.key) != KEY_BYTES:
            raise NoteError("an Ed25519 key has 32 bytes")

    @property
    def id(self) -> bytes:
        """C2SP signed-note: SHA-256(name || 0x0A || type || key), cut to four bytes. It names, and proves nothing."""
        return sha256(self.name.encode() + b"\n" + self.TYPE + self.key).digest()[:ID_BYTES]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{b64encode(self.TYPE + self.key).decode()}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Of `NAME+ID+BASE64`. Raises NoteError."""
        name, _, rest = text.partition("+")
        raw = _base64(rest.partition("+")[2])
        if raw[:1] != cls.TYPE:
            raise NoteError(cls.NOT_OF_TYPE)
        key = cls(name, raw[1:])
        if str(key) != text:
            raise NoteError(f"the id in the {cls.CALLED} of {name} is not that of its key")
        return key


@dataclass(frozen=True, slots=True)
class PublicKey(NamedKey):
    """Who signs a note's text as it stands."""

    TYPE = b"\x01"
    NOT_OF_TYPE = "a public key is written as NAME+ID+BASE64, for Ed25519"
    CALLED = "public key"

    def check(self, text: str, signature: bytes) -> None:
        """Raises NoteError where this key did not sign the text."""
        try:
            Ed25519PublicKey.from_public_bytes(self.key).verify(signature, text.encode())
        except (InvalidSignature, ValueError) as error:
            raise NoteError(f"the signature is not that of {self.name}") from error


class Signer(Protocol):
    """Whatever holds a private key: a file, a hardware module, a service. `sign` may raise OSError."""

    @property
    def public(self) -> PublicKey: ...
    def sign(self, text: bytes) -> bytes: ...


@dataclass(frozen=True, slots=True, repr=False)
class Ed25519Signer:
    """`Signer` with the key in memory."""

    public: PublicKey
    private: Ed25519PrivateKey

    @classmethod
    def of(cls, name: str, private: Ed25519PrivateKey) -> Ed25519Signer:
        return cls(PublicKey(name, private.public_key().public_bytes_raw()), private)

    def sign(self, text: bytes) -> bytes:
        return self.private.sign(text)


@dataclass(frozen=True, slots=True)
class Signature:
    """Of one key. The id is no proof of which key it was."""

    name: str
    id: bytes
    value: bytes

    def __str__(self) -> str:
        return f"{_DASH}{self.name} {b64encode(self.id + self.value).decode()}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """A note as it was read: nothing of it may be believed before `opened`."""

    unverified_text: str
    signatures: tuple[Signature, ...]

    def __str__(self) -> str:
        return self.unverified_text + "\n" + "".join(map(str, self.signatures))


def sign(text: str, signer: Signer) -> str:
    """The note of this text, with one signature. Raises NoteError, and what the signer raises."""
    public = signer.public
    note = str(Note(text, (Signature(public.name, public.id, signer.sign(text.encode())),)))
    parse(note)
    return note


def parse(raw: str) -> Note:
    """The parts of a note, none of them verified. Raises NoteError."""
    if len(raw.encode("utf-8", "replace")) > MAX_NOTE_BYTES:
        raise NoteError(f"a note has at most {MAX_NOTE_BYTES} bytes")
    if _FORBIDDEN.search(raw) is not None:
        raise NoteError("a note has no control characters but newlines")
    text, divider, lines = raw.rpartition("\n\n")
    if not divider or not lines.endswith("\n"):
        raise NoteError("a note is text, an empty line, and signatures")
    signatures = tuple(_signature(line) for line in lines.removesuffix("\n").split("\n"))
    if len(signatures) > MAX_SIGNATURES:
        raise NoteError(f"a note has at most {MAX_SIGNATURES} signatures")
    return Note(text + "\n", signatures)


def opened(raw: str, key: PublicKey, *, alone: bool = False) -> str:
    """The text, signed by this key; signatures by others are passed over. Raises NoteError.

    `alone`: no other signature may stand there. Whoever wants a note's very bytes guarded asks for that.
    """
    note = parse(raw)
    if alone and len(note.signatures) != 1:
        raise NoteError(f"it has {len(note.signatures)} signatures and should have one")
    mine = [one for one in note.signatures if (one.name, one.id) == (key.name, key.id)]
    if not mine:
        raise NoteError(f"it is not signed by {key.name}+{key.id.hex()}")
    for one in mine:
        key.check(note.unverified_text, one.value)
    return note.unverified_text


def check_name(name: str) -> None:
    """C2SP signed-note: not empty, no Unicode spaces, no plus. Raises NoteError."""
    if not name or "+" in name or " " in name or not name.isprintable():  # of spaces, only U+0020 is printable
        raise NoteError(f"a key's name has neither spaces nor a plus: {name[:80]!r}")


def _signature(line: str) -> Signature:
    if not line.startswith(_DASH):
        raise NoteError("a signature's line begins with an em dash and a space")
    name, space, encoded = line.removeprefix(_DASH).partition(" ")
    raw = _base64(encoded)
    if not space or len(raw) <= ID_BYTES:
        raise NoteError("a signature's line is: dash, name, base64 of id and signature")
    check_name(name)
    return Signature(name, raw[:ID_BYTES], raw[ID_BYTES:])


def _base64(text: str) -> bytes:
    """Strict: of the spellings that decode to the same bytes, only the encoder's."""
    try:
        raw = b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise NoteError("what should be base64 is not") from error
    if b64encode(raw).decode() != text:
        raise NoteError("base64 that an encoder would write in another way")
    return raw

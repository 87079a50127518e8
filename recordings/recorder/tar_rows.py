"""Which files a tar stream carries, told as it passes: `kubectl cp`, and any `tar cf -` or `tar xf -` behind an exec.

POSIX.1-2017 pax, "ustar Interchange Format" and "pax Interchange Format"; GNU's long names, base-256 numbers and sparse
files. It never fails: what is no tar is said in `doubt`, and nothing is told of what follows. Readers of tar differ in
the odd corners; here a link, a device and a directory have no data, as Go's archive/tar and Python's tarfile have it,
and the archive ends at its first block of zeros. Everything in a row comes from who sent the stream; names are kept as
they came, `..` and all, and no name is ever used as one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from recordings.recorder.tar_command import Direction

BLOCK = 512
MAX_ROWS = 10_000
"""What a record can name; further files are counted."""
MAX_ROWS_BYTES = 2 << 20
"""Of all the names together, since each may be long; further files are counted."""
MAX_NAME_BYTES = 4_096
"""PATH_MAX of Linux. A longer name is cut there."""
MAX_EXTENDED_BYTES = 64 * 1024
"""Of a header of its own for a long name or for pax records. Longer ones are passed over, with a doubt."""
MAX_EXTENSIONS = 16
"""One after another for one file. Programs write two or three."""

_KINDS = {b"0": "file", b"\0": "file", b"7": "file", b"1": "hardlink", b"2": "symlink", b"3": "device"}
_KINDS |= {b"4": "device", b"5": "directory", b"6": "fifo", b"S": "sparse"}
_WITHOUT_DATA = frozenset({"hardlink", "symlink", "device", "directory", "fifo"})
_TEXTS = {b"L": "path", b"K": "linkpath"}
_ZEROS = bytes(BLOCK)


@dataclass(frozen=True, slots=True)
class FileRow:
    """One member of a tar stream. `size` in bytes as its header says; `sha256` in hexadecimal, of what came of it."""

    direction: Direction
    path: str
    """Bytes that are no UTF-8 stand as `\\xNN`."""
    kind: str
    """`file`, `sparse`, `directory`, `symlink`, `hardlink`, `device`, `fifo`, or `type N`."""
    size: int
    mode: int
    sha256: str = ""
    """Empty for what has no data. Of a sparse file: of the parts that are stored."""
    complete: bool = True
    """False: the stream ended before the file did."""
    target: str = ""
    """Of a link."""


@dataclass(slots=True)
class _Member:
    """The file whose data passes."""

    path: str
    kind: str
    size: int
    mode: int
    target: str
    digest: Any


class TarRows:
    """Feed it the bytes in order, then call `end`."""

    def __init__(self, direction: Direction, *, skipped: int = 0) -> None:
        """`skipped`: how many bytes of the archive went before (a copy that is taken up again); then the first whole
        header is looked for at each block, and what looks like one inside a file's data would be taken for it.
        """
        self._direction = direction
        self.rows: list[FileRow] = []
        self.files = 0
        """All of them, told in `rows` or not."""
        self.doubt = ""
        """Why nothing more is told, or what is told may be wrong."""
        self._named = 0
        self._held = bytearray()
        self._left = -skipped % BLOCK
        self._padding = 0
        self._member: _Member | None = None
        self._extended: bytearray | None = None
        self._extensions = 0
        self._local: dict[str, str] = {}
        self._global: dict[str, str] = {}
        self._looking = skipped > 0
        self._on_block: Callable[[bytes], None] | None = self._header
        self._after: Callable[[], None] = _nothing

    @property
    def is_over(self) -> bool:
        """Whether nothing that comes can matter."""
        return self._on_block is None

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        view, at = memoryview(data), 0
        while at < len(view) and self._on_block is not None:
            if self._left:
                count = min(self._left, len(view) - at)
                self._content(view[at : at + count])
                at += count
            elif self._padding:
                count = min(self._padding, len(view) - at)
                self._padding -= count
                at += count
            else:
                count = min(BLOCK - len(self._held), len(view) - at)
                self._held += view[at : at + count]
                at += count
                if len(self._held) == BLOCK:
                    block, self._held = bytes(self._held), bytearray()
                    self._on_block(block)

    def end(self) -> None:
        """The stream is over."""
        if self._member is not None:
            self._tell(complete=False)
        elif self._on_block is not None and (self._held or self._left or self._padding) and not self.doubt:
            self.doubt = "the archive ends in the middle of something"
        self._on_block = None

    def _content(self, piece: memoryview) -> None:
        self._left -= len(piece)
        if self._member is not None:
            self._member.digest.update(piece)
        elif self._extended is not None:
            self._extended += piece
        if not self._left:
            self._after()

    def _header(self, block: bytes) -> None:
        if self._looking:
            if not _is_header(block) or block[257:262] != b"ustar":
                return
            self._looking = False
        if block == _ZEROS:
            self._on_block = None
            return
        size = _number(block[124:136])
        if not _is_header(block) or size is None or size < 0:
            self._give_up("what should be a file's header is none")
        elif block[156:157] in b"LKxgX":
            self._extension(block[156:157], size)
        else:
            self._begin(block, size)

    def _extension(self, kind: bytes, size: int) -> None:
        self._extensions += 1
        if self._extensions > MAX_EXTENSIONS:
            self._give_up("too many headers stand before one file")
            return
        self._extended = bytearray() if size <= MAX_EXTENDED_BYTES else None
        if self._extended is None:
            self.doubt = self.doubt or "a name or its attributes were too long to be read"
        self._expect(size, lambda: self._extend(kind))

    def _extend(self, kind: bytes) -> None:
        data, self._extended = self._extended, None
        if data is None:
            return
        if kind in _TEXTS:
            self._local[_TEXTS[kind]] = _text(bytes(data).split(b"\0", 1)[0])
        elif kind == b"g":
            self._global |= _records(bytes(data))
        else:
            self._local |= _records(bytes(data))

    def _begin(self, block: bytes, size: int) -> None:
        told = self._global | self._local
        self._local, self._extensions = {}, 0
        kind = _KINDS.get(block[156:157], f"type {block[156]}")
        path = told.get("GNU.sparse.name") or told.get("path") or _text(_name(block))
        if kind == "file" and path.endswith("/"):
            kind = "directory"
        if told.get("size", "").isdecimal() and len(told["size"]) < 20:
            size = int(told["size"])
        stored = 0 if kind in _WITHOUT_DATA else size
        target = told.get("linkpath") or _text(block[157:257].split(b"\0", 1)[0])
        mode = (_number(block[100:108]) or 0) & 0o7777
        self._member = _Member(path, kind, stored, mode, target if kind in {"symlink", "hardlink"} else "", sha256())
        if kind == "sparse" and block[482]:
            self._on_block = self._sparse_map
        else:
            self._expect(stored, self._tell)

    def _sparse_map(self, block: bytes) -> None:
        assert self._member is not None
        if not block[504]:
            self._on_block = self._header
            self._expect(self._member.size, self._tell)

    def _expect(self, size: int, after: Callable[[], None]) -> None:
        self._left, self._padding, self._after = size, -size % BLOCK, after
        if not size:
            after()

    def _tell(self, *, complete: bool = True) -> None:
        member, self._member = self._member, None
        assert member is not None
        self.files += 1
        self._named += len(member.path) + len(member.target)
        if len(self.rows) >= MAX_ROWS or self._named > MAX_ROWS_BYTES:
            return
        digest = "" if member.kind in _WITHOUT_DATA else member.digest.hexdigest()
        self.rows.append(
            FileRow(
                self._direction, member.path, member.kind, member.size, member.mode, digest, complete, member.target
            )
        )

    def _give_up(self, doubt: str) -> None:
        self.doubt, self._on_block = doubt, None


def _nothing() -> None:
    """What follows skipped bytes."""


def _is_header(block: bytes) -> bool:
    """Its checksum is the sum of its bytes with blanks in the checksum's place; old programs summed signed bytes."""
    told = _number(block[148:156])
    rest = block[:148] + b" " * 8 + block[156:]
    return told is not None and told in {sum(rest), sum(rest) - 256 * sum(byte > 127 for byte in rest)}


def _number(field: bytes) -> int | None:
    """Octal, ended by a blank or NUL; or base-256, two's complement, where the first bit is set. None: neither."""
    if field[0] in {0x80, 0xFF}:
        return int.from_bytes(field[1:], "big") - (0 if field[0] == 0x80 else 1 << 8 * (len(field) - 1))
    digits = field.split(b"\0", 1)[0].strip(b" ")
    if any(byte not in b"01234567" for byte in digits):
        return None
    return int(digits or b"0", 8)


def _name(block: bytes) -> bytes:
    """Long ustar names stand in two parts; behind the magic of GNU, the place of the prefix has other things."""
    name, prefix = block[:100].split(b"\0", 1)[0], block[345:500].split(b"\0", 1)[0]
    return prefix + b"/" + name if prefix and block[257:263] == b"ustar\0" else name


def _records(data: bytes) -> dict[str, str]:
    """pax: `length keyword=value newline`, the length in decimal and of all of it. Ends at what is no record."""
    found: dict[str, str] = {}
    at = 0
    while at < len(data):
        digits, blank, _ = data[at : at + 8].partition(b" ")
        end = at + int(digits) if blank and digits.isdigit() else 0
        record = data[at + len(digits) + 1 : end - 1]
        if not at < end <= len(data) or data[end - 1 : end] != b"\n" or b"=" not in record:
            break
        key, _, value = record.partition(b"=")
        if key in {b"path", b"linkpath", b"size", b"GNU.sparse.name"}:
            found[key.decode()] = _text(value)
        at = end
    return found


def _text(name: bytes) -> str:
    return name[:MAX_NAME_BYTES].decode("utf-8", "backslashreplace")

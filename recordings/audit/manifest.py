"""What a sealed segment holds, in a small file beside it, so that a question need not open what cannot answer it.

`<segment>.manifest.json`. It is made from the segment and can be made again; nothing is proven by it.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson

from recordings.audit.checkpoint import PREFIX
from recordings.audit.note import NoteError
from recordings.audit.question import time_of
from recordings.audit.segment_header import SegmentHeader, parse_header

MAX_BYTES = 16 * 1024
"""Of the file, which has some 600 bytes."""


class ManifestError(ValueError):
    """The file is no manifest."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """`since` and `until` are the earliest and the latest time of its records, RFC 3339; both are in it.

    `length`: in bytes, of which `sha256` is. `start`: lines of the log before this segment; `size`, `root` (base64): of
    the log's tree with this segment's last line. 0 and empty where nothing is signed.
    """

    writer: str
    segment: str
    first_seq: int
    last_seq: int
    records: int
    lines: int
    since: str
    until: str
    length: int
    sha256: str
    origin: str
    start: int
    size: int
    root: str

    def to_json(self) -> bytes:
        """Of the file."""
        return orjson.dumps({"v": 1, **asdict(self)}, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def from_json(data: bytes) -> Manifest:
    """Raises ManifestError."""
    try:
        given = orjson.loads(data)
        manifest = Manifest(**{one.name: given[one.name] for one in fields(Manifest)})
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise ManifestError("it is no manifest") from error
    if any(type(getattr(manifest, one.name)).__name__ != one.type for one in fields(Manifest)):
        raise ManifestError("its members have other types")
    return manifest


@dataclass(slots=True)
class Summary:
    """Reads a segment's blocks as they pass, and then knows its manifest. The first line must be its header."""

    records: int = 0
    lines: int = 0
    length: int = 0
    since: bytes = b""
    until: bytes = b""
    _last: bytes = b""
    _rest: bytes = b""
    _digest: Any = field(default_factory=sha256)
    _header: SegmentHeader | None = None

    @property
    def sha256(self) -> str:
        return str(self._digest.hexdigest())

    def add(self, block: bytes) -> None:
        """The next bytes of the segment."""
        self._digest.update(block)
        self.length += len(block)
        lines = (self._rest + block).split(b"\n")
        self._rest = lines.pop()
        if lines and not self.lines:
            self._begin(lines.pop(0))
        self.lines += len(lines)
        self._count(lines)

    def manifest(self, writer: str, segment: str, first_seq: int, following: SegmentHeader | None) -> Manifest:
        """`following`: the next segment's header, which says of which tree this one was the end."""
        header = self._header
        tree = following.tree if following is not None and header is not None else None
        return Manifest(
            writer=writer,
            segment=segment,
            first_seq=first_seq,
            last_seq=_seq(self._last, first_seq - 1),
            records=self.records,
            lines=self.lines,
            since=self.since.decode("ascii", "replace"),
            until=self.until.decode("ascii", "replace"),
            length=self.length,
            sha256=self.sha256,
            origin="" if header is None else header.origin,
            start=0 if header is None else header.size,
            size=0 if tree is None else tree.size,
            root="" if tree is None else b64encode(tree.root()).decode(),
        )

    def _begin(self, line: bytes) -> None:
        self.lines = 1
        try:
            self._header = parse_header(line)
        except NoteError:
            self._header = None

    def _count(self, lines: Iterable[bytes]) -> None:
        """Times of one width compare as bytes. A damaged line's is none, and no question finds such a line."""
        for line in lines:
            if line[:14] == PREFIX:
                continue
            self.records += 1
            time = time_of(line)
            if len(time) == _TIME_LENGTH and time[-1:] == b"Z":
                self._last = line
                self.until = max(self.until, time)
                self.since = min(self.since, time) if self.since else time


_TIME_LENGTH = len("2026-01-02T03:04:05.123456Z")


def _seq(line: bytes, without: int) -> int:
    try:
        seq = orjson.loads(line)["seq"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return without
    return seq if isinstance(seq, int) else without


def manifest_path(path: Path) -> Path:
    """Of a segment, of either form's path."""
    return path.with_name(base(path) + ".manifest.json")


def base(path: Path) -> str:
    """What the names of all files of a segment begin with."""
    return path.name.partition(".")[0]


def manifest_of(path: Path) -> Manifest | None:
    """None where there is none that can be read: then the segment itself must be asked."""
    try:
        with manifest_path(path).open("rb") as file:
            return from_json(file.read(MAX_BYTES))
    except (OSError, ManifestError):
        return None


def ends_before(path: Path, time: str) -> bool:
    """Whether all of a sealed segment's records are known to be older than `time`, RFC 3339."""
    manifest = manifest_of(path)
    return manifest is not None and bool(manifest.until) and manifest.until < time

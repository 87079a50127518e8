"""What a record over the cap was before it was cut: the whole line, in a file of its own beside the segment.

`<segment>.blob-<sha256>.zst`, compressed. The record names the digest (`blob`), and is itself signed, so the file needs
no signature: whoever reads it compares. It goes with its segment.
"""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path

import zstandard

from recordings.audit.manifest import base
from recordings.audit.placing import write
from recordings.audit.segments import writers

MAX_BYTES = 256 * 1024 * 1024
"""Of a line that is read back; none is ever written that is longer than a request's text, 3 MiB."""
LEVEL = 3
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)


class BlobError(ValueError):
    """There is no such blob, or it is not what its digest says; the message says which."""


def keep(segment: Path, whole: bytes) -> Path:
    """Write the whole line of a record of this segment; it is on the disk when this returns. Raises OSError."""
    path = segment.with_name(f"{base(segment)}.blob-{sha256(whole).hexdigest()}.zst")
    write(path, zstandard.ZstdCompressor(level=LEVEL, write_checksum=True).compress(whole))
    return path


def find(root: Path, digest: str) -> bytes:
    """The line, newline included, that this digest names. Raises BlobError, OSError."""
    if not _DIGEST.fullmatch(digest):
        raise BlobError("a blob is named by a SHA-256 digest, 64 hexadecimal digits")
    for writer in writers(root):
        for path in writer.glob(f"*.blob-{digest}.zst"):
            return _read(path, digest)
    raise BlobError(f"there is no blob {digest} here; it goes with its segment when that is removed")


def _read(path: Path, digest: str) -> bytes:
    data = path.read_bytes()
    try:
        if zstandard.frame_content_size(data) > MAX_BYTES:
            raise BlobError(f"{path.name} claims to hold more than {MAX_BYTES} bytes")
        whole = zstandard.ZstdDecompressor().decompress(data, max_output_size=MAX_BYTES)
    except zstandard.ZstdError as error:
        raise BlobError(f"{path.name} cannot be read: {error}") from error
    if sha256(whole).hexdigest() != digest:
        raise BlobError(f"{path.name} is not what its name says: it was changed")
    return whole

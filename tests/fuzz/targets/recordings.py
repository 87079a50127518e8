"""Fuzz targets: recordings, what is read of them, and what is shown of them."""

from __future__ import annotations

import io
import json
import re
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import accumulate
from pathlib import Path

import orjson

from recordings.recorder.chunks import MAX_RAW_BYTES, ChunkPacker, moments
from recordings.recorder.directory import RecordingDirectory, day_of
from recordings.recorder.footer import Footer
from recordings.recorder.frames import MAGIC, START, FrameKind, RecordingDamagedError, sealed
from recordings.recorder.head import RecordingHead
from recordings.recorder.interrupted import mark_open, seal_interrupted
from recordings.recorder.moment import Kind, Moment
from recordings.recorder.reader import RecordingReader, open_recording
from recordings.recorder.tar_command import Direction, tar_command
from recordings.recorder.tar_rows import MAX_NAME_BYTES, MAX_ROWS, TarRows
from recordings.replay import jsonl
from recordings.replay.asciicast import asciicast
from recordings.replay.frames import frames
from recordings.replay.html_page import page
from recordings.replay.search import among
from recordings.replay.terminal_filter import TerminalFilter
from recordings.replay.transcript import transcript

ID = "a" * 26
HEAD = RecordingHead(ID, 1_700_000_000.0, "c", "n", "p", "exec", "a", "i", "s", "u", "l", "192.0.2.1", "v5", tty=True)
SHOWABLE = re.compile(
    "(?:[^\x00-\x07\x10-\x1f\x7f-\x9f]|\x1b[78DEM]|\x1b[()][0B]|\x1b\\[[0-9;:]*[A-Za-z@`]|\x1b\\[\\?[0-9;]+[hl])*"
)
"""What may come to a terminal, written again from ECMA-48: no string, no query (`c`, `n`, `t` and `q` have none)."""
NEVER = re.compile("\x1b\\[[0-9;:?]*[cntqpuyx]")
"""Device attributes, status reports, window reports, cursor styles, key maps."""


def pieces(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(a number, bytes) after one another: number, length in two bytes, bytes."""
    at = 0
    while at < len(data):
        length = int.from_bytes(data[at + 1 : at + 3])
        yield data[at], data[at + 3 : at + 3 + length]
        at += 3 + length


def container(data: bytes) -> str:
    """A recording's file. The first byte: 0, the bytes as they are behind the magic; else frames, sealed here."""
    file = as_file(data)
    try:
        reader = RecordingReader(io.BytesIO(file))
    except RecordingDamagedError as error:
        return _first(error)
    with reader:
        wrong = reader.verify()
        assert reader.duration >= 0
        try:
            told = list(reader.moments(5))
        except RecordingDamagedError as error:
            return _first(error)
        for version in (2, 3):
            lines = list(asciicast(reader.head, told, reader.footer, version=version))
            assert all(isinstance(json.loads(line), dict | list) for line in lines)
        page(reader.head, told[:50], reader.footer, [])
        again = jsonl.read_head(jsonl.head_line(reader.head))
        assert again == reader.head
    return wrong[0].split("(")[0].strip() if wrong else f"{len(told)} moments"


def as_file(data: bytes) -> bytes:
    """Of a chunk's frame the payload's first byte says whether its moments are folded here."""
    if not data[:1] or data[0] == 0:
        return MAGIC + data[1:]
    written, digest, packer = [MAGIC], START, ChunkPacker()
    for kind, payload in pieces(data[1:]):
        body = payload
        if kind == FrameKind.CHUNK and payload[:1] == b"\1":
            body = packer.packed(0, 1 << 40, payload[1:])
        frame, digest = sealed(digest, kind, body)  # type: ignore[arg-type] - any number is tried
        written.append(frame)
    return b"".join(written)


def _first(error: Exception) -> str:
    return str(error).split(":")[0][:80]


def chunk(data: bytes) -> str:
    """A chunk's payload: the first byte says whether it is folded here."""
    raw = data[1:]
    payload = ChunkPacker().packed(7, 7, raw[:MAX_RAW_BYTES]) if data[:1] == b"\1" else raw
    size, count, last = 0, 0, 0
    try:
        for moment in moments(payload):
            assert moment.at >= last
            last, count, size = moment.at, count + 1, size + len(moment.data)
    except RecordingDamagedError as error:
        return _first(error)
    assert size <= MAX_RAW_BYTES
    return f"{count} moments"


_PLACE = tempfile.TemporaryDirectory(prefix="kwit-fuzz-")


def interrupted(data: bytes) -> str:
    """A recording that a crash left, in any state: what a start makes of it is whole, or gone."""
    root = Path(_PLACE.name)
    folder = day_of(root, HEAD.started)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / f"{ID}.kwr").write_bytes(as_file(data))
    mark_open(root, "w", ID)
    found = list(seal_interrupted(root, "w"))
    path = RecordingDirectory(root).path_of(ID)
    if not found:
        assert path is None
        return "taken away"
    assert path is not None
    with open_recording(path) as reader:
        wrong = [one for one in reader.verify() if "goes back" not in one and "speaks of" not in one]
        if not data[:1] or data[0] == 0 or b"\3" not in data:  # a footer that was forged keeps what it says
            assert reader.verify() == wrong == []
    return f"sealed with {found[0][1].chunks} chunks"


def tar_rows(data: bytes) -> str:
    """A tar stream; the first byte: how many bytes before it were left out."""
    skipped, rest = (data[0] * 64 if data else 0), data[1:]
    whole = _rows([rest], skipped)
    assert _rows([rest[at : at + 1] for at in range(len(rest))], skipped) == whole
    assert _rows([rest[:511], rest[511:]], skipped) == whole
    rows, files, doubt = whole
    assert len(rows) <= min(files, MAX_ROWS)
    for row in rows:
        assert len(row.path.encode()) <= 4 * MAX_NAME_BYTES
        assert row.size >= 0
        row.path.encode()
    return f"{files} files" + (f", {doubt}" if doubt else "")


def _rows(parts: list[bytes], skipped: int) -> tuple[list[object], int, str]:
    reader = TarRows(Direction.FROM_POD, skipped=skipped)
    for part in parts:
        reader.feed(part)
    reader.end()
    return reader.rows, reader.files, reader.doubt


def tar_as_python_reads(data: bytes) -> str:
    """A whole archive that we tell without a doubt has just those members in Python's reader."""
    rows, files, doubt = _rows([data], 0)
    told = [row for row in rows if row.complete]  # type: ignore[attr-defined]
    if doubt or len(told) != files or any(row.kind not in {"file", "directory"} for row in told):  # type: ignore[attr-defined]
        return "not compared"
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:", ignore_zeros=False) as archive:
            members = [(one.name.rstrip("/"), one.size) for one in archive if one.isreg() or one.isdir()]
    except (tarfile.TarError, ValueError, OverflowError):
        return "not compared"
    ours = [(row.path.rstrip("/"), row.size) for row in told]  # type: ignore[attr-defined]
    if not all(name.isascii() and "\\" not in name for name, _ in members + ours):
        return "not compared"
    assert len(ours) == len(members), (ours, members)
    return f"{len(ours)} files alike"


def tar_words(data: bytes) -> str:
    """A command: words between NULs."""
    found = tar_command(data.decode("utf-8", "replace").split("\0"))
    assert found is None or found.skipped >= 0
    return str(found.direction) if found else "no tar"


def terminal_filter(data: bytes) -> str:
    """What comes out commands a terminal only as the list allows, however it was cut, and comes through again."""
    shown = _filtered([data])
    assert _filtered([data[at : at + 1] for at in range(len(data))]) == shown
    assert _filtered([data[:3], data[3:10], data[10:]]) == shown
    assert SHOWABLE.fullmatch(shown), shown
    assert not NEVER.search(shown), shown
    assert _filtered([shown.encode()]) == shown
    assert len(shown) <= 1_010 * len(data) + 16
    return ascii(shown[:200])[1:-1]


def _filtered(parts: list[bytes]) -> str:
    one = TerminalFilter()
    return "".join([*map(one.feed, parts), one.end()])


def said(data: bytes) -> list[Moment]:
    """Moments: kind and the time since the one before in one byte, then as `pieces`."""
    read = list(pieces(data))
    times = accumulate(((number >> 4) * 1_000 for number, _ in read), initial=0)
    return [Moment(at, Kind(number % 8), body) for at, (number, body) in zip(list(times)[1:], read, strict=True)]


def cast(data: bytes) -> str:
    """A recording's moments as casts: every line is JSON, times never go back, no control sequence is in the text."""
    told, counts = said(data), []
    for version in (2, 3):
        lines = [json.loads(line) for line in asciicast(HEAD, told, None, version=version, with_input=True)]
        assert lines[0]["version"] == version
        assert all(len(event) == 3 and event[0] >= 0 for event in lines[1:])
        if version == 2:
            assert [event[0] for event in lines[1:]] == sorted(event[0] for event in lines[1:])
        counts.append(len(lines))
    return f"{counts[0]} and {counts[1]} lines"


def text(data: bytes) -> str:
    """A recording's moments as text, drawn frames and a page: nothing in it commands a terminal or ends a script."""
    told = said(data)
    count = 0
    for head in (HEAD, replace(HEAD, tty=False, command=("sh",))):
        lines = list(transcript(head, told))
        for line in lines:
            assert not re.search("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", line.text), line
        list(among(lines, "a"))
        list(frames(head, told))
        shown = page(head, told, None, lines)
        body = shown.partition('id="recording">')[2].partition("</script>")[0]
        assert isinstance(json.loads(body), dict)
        count += len(lines)
    return f"{count} lines"


def json_lines(data: bytes) -> str:
    """The form in which recordings travel: whatever comes is read or refused; moments come back as they were."""
    told = said(data)
    lines = [*jsonl.written(HEAD, told, None)]
    assert jsonl.read_head(lines[0]) == HEAD
    assert [*jsonl.read(lines[1:])] == [*told, None]
    try:
        first, *rest = data.split(b"\n")
        head = jsonl.read_head(first)
        read = [*jsonl.read(rest)]
        orjson.dumps(jsonl.head_fields(head))
        list(asciicast(head, [one for one in read if isinstance(one, Moment)], _end(read), version=3))
    except jsonl.NoRecordingError as error:
        return _first(error)
    return f"{len(read)} read"


def _end(read: list[Moment | Footer | None]) -> Footer | None:
    return next((one for one in read if isinstance(one, Footer)), None)


def recording_id(data: bytes) -> str:
    """No id leads out of the folder."""
    name = data.decode("utf-8", "surrogateescape")
    path = RecordingDirectory(Path(_PLACE.name)).path_of(name)
    assert path is None or path.is_relative_to(Path(_PLACE.name))
    return "no such recording" if path is None else "found"


TARGETS: dict[str, Callable[[bytes], str]] = {
    "container": container,
    "chunk": chunk,
    "interrupted": interrupted,
    "tar-rows": tar_rows,
    "tar-python": tar_as_python_reads,
    "tar-command": tar_words,
    "terminal-filter": terminal_filter,
    "asciicast": cast,
    "text": text,
    "json-lines": json_lines,
    "recording-id": recording_id,
}

"""What a player needs to begin anywhere at once: keyframes and the commands, made from a recording, kept in a file.

The file lies beside the recording (`<id>.kwx`): a line that says what it is, then JSON, compressed. It names the digest
of the recording's last frame, and is not used for any other one. It is made from the recording whenever it is missing,
and proves nothing: evidence is the recording alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson
import zstandard

from recordings.errors import RecordingsError
from recordings.recorder.head import RecordingHead
from recordings.recorder.moment import OUTPUT, Kind, Moment
from recordings.replay.commands import Command
from recordings.replay.keyframes import MAX_CHARS, Keyframe, Keyframes
from recordings.replay.screen import Terminal
from recordings.replay.transcript import Origin, transcript_reader

SUFFIX = ".kwx"
MAGIC = b"kwit index 1\n"
MAX_BYTES = 8 * MAX_CHARS
"""Unfolded: of keyframes a quarter, and room for commands."""


class NoIndexError(RecordingsError):
    """The bytes are no index, or that of another recording."""


@dataclass(frozen=True, slots=True)
class PlayIndex:
    """Both in order of time."""

    keyframes: tuple[Keyframe, ...] = ()
    commands: tuple[Command, ...] = ()


def index_of(head: RecordingHead, moments: Iterable[Moment]) -> PlayIndex:
    """Read a whole recording: a second for each megabyte and a half."""
    commands: list[Command] = []
    reader = transcript_reader(head)
    terminal = reader.terminal or Terminal()
    keyframes = Keyframes(terminal)
    for moment in moments:
        reader.take(moment)
        if reader.terminal is None and moment.kind in OUTPUT:
            terminal.feed(moment.at, moment.data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
        if moment.kind in OUTPUT or moment.kind is Kind.RESIZE:
            keyframes.moment(moment.at, len(moment.data))
        commands += [Command(line.at, line.text) for line in reader.ready() if line.origin is Origin.COMMAND]
    reader.end()
    commands += [Command(line.at, line.text) for line in reader.ready() if line.origin is Origin.COMMAND]
    return PlayIndex(tuple(keyframes.taken), tuple(sorted(commands, key=lambda one: one.at)))


def index_bytes(index: PlayIndex, seal: bytes) -> bytes:
    """`seal`: the digest of the recording's last frame."""
    fields = {
        "seal": seal.hex(),
        "keyframes": [[one.at, one.shown, one.last, one.screen] for one in index.keyframes],
        "commands": [[one.at, one.text] for one in index.commands],
    }
    return MAGIC + zstandard.ZstdCompressor().compress(orjson.dumps(fields))


def read_index(data: bytes, seal: bytes | None) -> PlayIndex:
    """`seal` None: whoever gave it has compared. Raises NoIndexError."""
    try:
        fields = orjson.loads(_unfolded(data))
        if seal is not None and fields["seal"] != seal.hex():
            raise NoIndexError("this is the index of another recording")
        return PlayIndex(
            tuple(
                Keyframe(int(at), int(shown), str(last), str(screen))
                for at, shown, last, screen in _list(fields["keyframes"])
            ),
            tuple(Command(int(at), str(text)) for at, text in _list(fields["commands"])),
        )
    except (ValueError, TypeError, LookupError, zstandard.ZstdError) as error:
        raise NoIndexError("this is no index") from error


def _unfolded(data: bytes) -> bytes:
    if not data.startswith(MAGIC):
        raise ValueError
    body = data[len(MAGIC) :]
    if not 0 <= zstandard.get_frame_parameters(body).content_size <= MAX_BYTES:
        raise ValueError
    return zstandard.ZstdDecompressor().decompress(body, allow_extra_data=False)


def _list(found: object) -> list[Any]:
    if not isinstance(found, list):
        raise TypeError
    return found

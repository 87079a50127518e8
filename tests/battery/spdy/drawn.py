"""Directions of SPDY drawn by dice: by our own encoder, as real kubectl and kubelets sent them, and both damaged."""

from __future__ import annotations

import json
import random
from pathlib import Path

from tests.recordings.streams.wire import Blocks, control, data, goaway, pairs, ping, reset

CAPTURED = Path(__file__).parents[2] / "vectors/streams/captured"
LONGEST = 4096
"""Of one captured direction that is damaged: what is behind is more data of the same stream."""


def spdy_direction(dice: random.Random) -> bytes:
    """A few frames of every kind, some of them unusual."""
    blocks, out = Blocks(), b""
    for number in range(1, dice.randint(3, 8)):
        stream = 2 * number - 1
        headers = {"streamtype": dice.choice(["error", "stdin", "data"]), "port": str(dice.randint(1, 65535))}
        choices = [
            lambda stream=stream, headers=headers: blocks.syn(stream, fin=dice.random() < 0.2, **headers),
            lambda stream=stream: blocks.reply(stream),
            lambda stream=stream: blocks.more(stream, a="b"),
            lambda stream=stream: data(stream, dice.randbytes(dice.randint(0, 20)), fin=dice.random() < 0.3),
            lambda stream=stream: reset(stream, dice.randint(1, 11)),
            lambda: ping(dice.randint(0, 99)),
            lambda: goaway(dice.randint(0, 9), dice.randint(0, 2)),
            lambda: control(4, b"\0\0\0\1" + dice.randbytes(8), flags=dice.randint(0, 1)),
            lambda: control(9, b"\0\0\0\1" + dice.randint(1, 0x7FFFFFFF).to_bytes(4)),
        ]
        unusual = [
            lambda: control(1, bytes((0, 0, 0, 9)) + bytes(6) + blocks.raw(pairs(odd_headers(dice)))),
            lambda: control(dice.randint(0, 12), dice.randbytes(8), version=dice.choice([2, 3, 3, 3])),
            lambda stream=stream: reset(stream, dice.choice([0, 12])),
        ]
        out += dice.choice(unusual if dice.random() < 0.1 else choices)()
    return out


def odd_headers(dice: random.Random) -> list[tuple[str | bytes, str | bytes]]:
    names = ["streamtype", "streamType", "port", "port", "host", "", " port", "x\0y", "connection"]
    values = ["stdin", "", "a\0b", b"\xff\x00\x01"]
    return [(dice.choice(names), dice.choice(values)) for _ in range(dice.randint(0, 3))]


def damaged(dice: random.Random, good: bytes, reach: int) -> bytes:
    """The same with up to three faults; half of them near the beginning, where the heads are."""
    out = bytearray(good)
    for _ in range(dice.choice([0, 0, 1, 2, 3])):
        at = dice.randrange(min(len(out), dice.choice([reach, len(out)])))
        match dice.randint(0, 2):
            case 0:
                out[at] ^= 1 << dice.randint(0, 7)
            case 1:
                out[at] = dice.randint(0, 255)
            case _:
                out[at:at] = dice.randbytes(1)
    return bytes(out)


def captured() -> list[bytes]:
    """Both directions of every conversation in SPDY that was written down."""
    conversations = [json.loads(path.read_text())["passed"] for path in sorted(CAPTURED.glob("*-spdy-*.json"))]
    return [
        b"".join(bytes.fromhex(step["hex"]) for step in steps if step["from"] == side)
        for steps in conversations
        for side in ("client", "server")
    ]


def direction(dice: random.Random, real: list[bytes]) -> bytes:
    """One that may be good; most have up to three faults, and some end anywhere."""
    good = spdy_direction(dice) if dice.random() < 0.7 else dice.choice(real)[:LONGEST]
    if dice.random() < 0.2:
        good = respelt(dice, good)
    sent = damaged(dice, good, 40) if good else good
    return sent[: dice.randrange(len(sent) + 1)] if dice.random() < 0.15 else sent


def respelt(dice: random.Random, good: bytes) -> bytes:
    """Whole frames left out, doubled or exchanged, or one whose head says another length, type or flags."""
    frames = whole_frames(good)
    if not frames:
        return good
    at = dice.randrange(len(frames))
    match dice.randint(0, 3):
        case 0:
            del frames[at]
        case 1:
            frames.insert(dice.randrange(len(frames) + 1), frames[at])
        case 2:
            other = dice.randrange(len(frames))
            frames[at], frames[other] = frames[other], frames[at]
        case _:
            head = bytearray(frames[at])
            head[dice.choice((1, 3, 4, 7))] = dice.choice((0, 1, 2, 3, 4, 6, 7, 8, 9, 12, 0x80, 0xFF))
            frames[at] = bytes(head)
    return b"".join(frames)


def whole_frames(good: bytes) -> list[bytes]:
    """What the lengths in the heads cut it into; the last may be short."""
    frames, at = [], 0
    while at < len(good):
        end = at + 8 + int.from_bytes(good[at + 5 : at + 8])
        frames.append(good[at:end])
        at = end
    return frames


def cut(dice: random.Random, sent: bytes) -> list[bytes]:
    """The same in up to five pieces."""
    places = sorted(dice.randrange(len(sent) + 1) for _ in range(dice.randint(0, 4)))
    return [sent[start:end] for start, end in zip([0, *places], [*places, len(sent)], strict=True)]

"""Asks other readers what they read: `verdicts.py` makes `spdy_verdicts.json` and `websocket_verdicts.json`.

SPDY is asked of the library on all Kubernetes sides, by the program of `tests/battery/spdy`. The WebSocket readers are
wsproto and websockets, which must be installed where this runs. The inputs are good conversations and the same with up
to three faults, always the same ones (a seed is fixed).
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

import websockets
import wsproto
from websockets.protocol import Protocol, State
from websockets.protocol import Side as WebSocketSide
from wsproto.frame_protocol import FrameProtocol, ParseFailed

from tests.battery.spdy.drawn import damaged, spdy_direction
from tests.battery.spdy.framer import framer
from tests.recordings.streams.wire import MASK, frame

HERE = Path(__file__).parent
CASES = 400
BODIES = [b"", b"ping", b"\x03\xe8", b"\x03\xe8bye", b"\x03", b"\x03\xec", b"\x03\xe8\xff", bytes(126)]
"""Of control frames."""


def websocket_direction(dice: random.Random, mask: bytes | None) -> bytes:
    """A few frames; the order of fragments is not always right."""
    out, is_open = b"", False
    for _ in range(dice.randint(1, 6)):
        if dice.random() < 0.3:
            out += frame(dice.choice([8, 9, 10]), dice.choice(BODIES), mask=mask)
            continue
        final = dice.random() < 0.7
        opcode = 0 if is_open and dice.random() < 0.9 else 2
        out += frame(opcode, b"x" * dice.choice([0, 1, 5, 125, 126, 150]), final=final, mask=mask)
        is_open = not final
    return out


def with_wsproto(sent: bytes, *, masked: bool) -> Iterator[dict[str, object]]:
    reader = FrameProtocol(client=not masked, extensions=[])
    reader.receive_bytes(sent)
    payload = b""
    for part in reader.received_frames():
        raw = part.payload.encode() if isinstance(part.payload, str) else part.payload
        if part.opcode == 8:
            code, reason = part.payload
            raw = b"" if code == 1005 else int(code).to_bytes(2) + (reason or "").encode()
        payload += bytes(raw)
        if part.frame_finished:
            yield {"opcode": int(part.opcode), "final": part.message_finished, "data": payload.hex()}
            payload = b""
        if part.opcode == 8:
            return


def with_websockets(sent: bytes, *, masked: bool) -> Iterator[dict[str, object]]:
    reader = Protocol(WebSocketSide.SERVER if masked else WebSocketSide.CLIENT, state=State.OPEN)
    reader.receive_data(sent)
    for part in reader.events_received():
        yield {"opcode": int(part.opcode), "final": part.fin, "data": bytes(part.data).hex()}
    if reader.parser_exc is not None:
        raise ValueError(reader.parser_exc)


def verdict(read: Iterator[dict[str, object]]) -> dict[str, object]:
    """The frames up to the fault, and whether there was one."""
    frames = []
    try:
        for part in read:
            frames.append(part)  # noqa: PERF402  # those before the fault count
    except (ParseFailed, ValueError, EOFError) as error:
        return {"frames": frames, "error": str(error)[:80] or type(error).__name__}
    return {"frames": frames, "error": ""}


def main() -> None:
    dice = random.Random(20261123)
    sent = [damaged(dice, spdy_direction(dice), 40) for _ in range(CASES)]
    spdy = [
        {"hex": one.hex(), "error": theirs.error, "frames": theirs.frames}
        for one, theirs in zip(sent, framer().read(sent), strict=True)
    ]
    write("spdy_verdicts.json", {"reader": "moby/spdystream 0.5.1", "cases": spdy})
    cases = []
    for number in range(CASES):
        masked = bool(number % 2)
        one = damaged(dice, websocket_direction(dice, MASK if masked else None), 8)
        cases.append(
            {
                "hex": one.hex(),
                "masked": masked,
                "wsproto": verdict(with_wsproto(one, masked=masked)),
                "websockets": verdict(with_websockets(one, masked=masked)),
            }
        )
    readers = f"wsproto {wsproto.__version__}, websockets {websockets.version.version}"
    write("websocket_verdicts.json", {"reader": readers, "cases": cases})


def write(name: str, document: dict[str, object]) -> None:
    lines = ",\n".join(json.dumps(case) for case in document.pop("cases"))  # type: ignore[attr-defined]
    head = json.dumps(document)[:-1]
    (HERE / name).write_text(f'{head}, "cases": [\n{lines}\n]}}\n', encoding="utf-8")


if __name__ == "__main__":
    main()

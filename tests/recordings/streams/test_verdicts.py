"""Other readers' verdicts: whatever we understand they read alike, and where they refuse, so do we.

`tests/vectors/streams/verdicts.py` asked Kubernetes' SPDY library, wsproto and websockets about 400 directions of each
protocol, most of them damaged, and wrote down the frames that each read before it gave up.
"""

import json
from pathlib import Path

import pytest

from recordings.streams import frames
from recordings.streams.channels import DIALECTS, ChannelReader
from recordings.streams.events import Side
from recordings.streams.fault import Fault, StreamFaultError
from recordings.streams.frames import Control, Head, Opcode
from recordings.streams.websocket import WebSocketWire
from tests.battery.spdy.stricter import STRICTER
from tests.recordings.streams.spdy_reading import reading

VECTORS = Path(__file__).parents[2] / "vectors/streams"
SPDY = json.loads((VECTORS / "spdy_verdicts.json").read_text(encoding="utf-8"))["cases"]
WEBSOCKET = json.loads((VECTORS / "websocket_verdicts.json").read_text(encoding="utf-8"))["cases"]


@pytest.mark.parametrize("case", SPDY, ids=[str(number) for number in range(len(SPDY))])
def test_no_spdy_frame_is_read_otherwise_than_by_kubernetes(case):
    """Theirs reads fields as they come, ours a frame when it is complete: where ours waits, nothing has gone on."""
    ours = reading([bytes.fromhex(case["hex"])])
    assert ours.frames == case["frames"][: len(ours.frames)]
    if not ours.fault and not ours.waits:
        assert (ours.frames, case["error"]) == (case["frames"], "")


def test_we_refuse_more_than_kubernetes_does_and_only_by_our_rules():
    alone, alike = set(), 0
    for case in SPDY:
        ours = reading([bytes.fromhex(case["hex"])])
        if ours.fault and len(ours.frames) < len(case["frames"]):
            alone.add(ours.fault)
        alike += not ours.fault and not ours.waits
    assert alone <= STRICTER.keys()
    assert alike > 70


def websocket_reading(sent: bytes, *, masked: bool) -> tuple[list[dict[str, object]], Fault | None, bool]:
    """The complete frames up to a Close, the fault, and whether a frame has begun and not ended."""
    side = Side.CLIENT if masked else Side.SERVER
    told: list[dict[str, object]] = []
    reader = frames.FrameReader(masked=masked)
    head, payload = None, b""
    try:
        for part in reader.feed(sent):
            if isinstance(part, Control):
                if part.opcode is Opcode.CLOSE:
                    WebSocketWire(side, ChannelReader(side, DIALECTS[""], told.append), lambda _: None).feed(part.raw)
                told.append({"opcode": int(part.opcode), "final": True, "data": part.data.hex()})
                if part.opcode is Opcode.CLOSE:
                    return told, None, False
                continue
            if isinstance(part, Head):
                head, payload = part, b""
            else:
                payload += part.data
            if head and len(payload) == head.length:
                told.append({"opcode": int(head.opcode), "final": head.final, "data": payload.hex()})
    except StreamFaultError as error:
        return told, error.fault, False
    return told, None, bool(reader.waiting) or (head is not None and len(payload) < head.length)


def as_wsproto(told: list[dict[str, object]]) -> list[dict[str, object]]:
    """It gives a continuation the opcode of its message."""
    out, message = [], None
    for frame in told:
        message = frame["opcode"] if frame["opcode"] in {1, 2} else message
        out.append(frame | {"opcode": message} if frame["opcode"] == 0 else frame)
    return out


@pytest.mark.parametrize("library", ["wsproto", "websockets"])
@pytest.mark.parametrize("case", WEBSOCKET, ids=[str(number) for number in range(len(WEBSOCKET))])
def test_no_websocket_frame_is_read_otherwise_than_by_others(case, library):
    ours, fault, waits = websocket_reading(bytes.fromhex(case["hex"]), masked=case["masked"])
    ours = as_wsproto(ours) if library == "wsproto" else ours
    theirs, refusal = case[library]["frames"], case[library]["error"]
    if excused(library, ours, refusal):
        return
    assert ours == theirs[: len(ours)]
    if not fault and not waits:
        assert (ours, refusal) == (theirs, "")


def excused(library: str, ours: list[dict[str, object]], refusal: str) -> bool:
    """wsproto reads text as UTF-8, of which our base64 reader takes less; websockets wants no Close inside a message,
    which RFC 6455 §5.4 allows.
    """
    if library == "wsproto":
        return any(not bytes.fromhex(str(one["data"])).isascii() for one in ours if one["opcode"] == 1)
    return "incomplete fragmented message" in refusal


def test_few_are_excused():
    readings = [(case, websocket_reading(bytes.fromhex(case["hex"]), masked=case["masked"])[0]) for case in WEBSOCKET]
    assert sum(excused("wsproto", as_wsproto(ours), "") for _, ours in readings) < 20
    assert sum(excused("websockets", [], case["websockets"]["error"]) for case, _ in readings) < 20


def test_we_refuse_more_than_others_do_only_lengths_that_are_not_minimal():
    alone, alike = set(), 0
    for case in WEBSOCKET:
        ours, fault, waits = websocket_reading(bytes.fromhex(case["hex"]), masked=case["masked"])
        if fault and len(ours) < max(len(case[library]["frames"]) for library in ("wsproto", "websockets")):
            alone.add(fault)
        alike += not fault and not waits
    assert alone <= {Fault.LENGTH_FORM, Fault.CONTROL_FRAME}  # the second: a short ping with a long form of length
    assert alike > 100

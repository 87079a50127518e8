"""The table of hostile streams: kind of attack x where it stands x protocol x who sends it. Security: S1 to S6, E3.

A kind is written once, as bytes and the fault that it is; each case puts it behind a beginning that is as it should be.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from recordings.streams.events import Side
from tests.battery.streams import hostile_spdy, hostile_websocket
from tests.battery.streams.hostile_kind import SPDY, Kind, Position, Protocol, Speaker, Steps
from tests.recordings.streams.wire import SERVER


@dataclass(frozen=True)
class Case:
    """`before` is passed on as it is; then `side` sends `pieces`, which together are `behind` and `hostile`."""

    name: str
    kind: Kind
    protocol: Protocol
    position: Position
    side: Side
    before: Steps
    behind: bytes
    hostile: bytes
    opened: int

    @property
    def pieces(self) -> list[bytes]:
        whole = self.behind + self.hostile
        if self.position is Position.BYTEWISE:
            return [whole[at : at + 1] for at in range(len(whole))]
        return [whole]


def kinds() -> Iterator[Kind]:
    websocket = (hostile_websocket.frame_kinds, hostile_websocket.channel_kinds, hostile_websocket.resize_kinds)
    spdy = (hostile_spdy.frame_kinds, hostile_spdy.header_kinds, hostile_spdy.stream_kinds)
    for family in (*websocket, *spdy):
        yield from family()


def cases(protocol: Protocol, side: Side) -> Iterator[Case]:
    """Every case of one protocol that one side sends."""
    for kind in kinds():
        if protocol not in kind.protocols or side not in kind.sides:
            continue
        for position in Position:
            if _fits(kind, protocol, position, side):
                yield _case(kind, protocol, position, side)


def _fits(kind: Kind, protocol: Protocol, position: Position, side: Side) -> bool:
    if position is Position.FIRST:
        answers = kind.name.startswith("stream") or side is SERVER
        return not (kind.is_inside or (protocol in SPDY and answers))
    # error streams are ended by then: what is said on them is another fault
    return position is not Position.ENDED or kind.name not in {
        "data of the client on error",
        "data of the client on an error stream",
    }


def _case(kind: Kind, protocol: Protocol, position: Position, side: Side) -> Case:
    speaker = Speaker(protocol)
    before = speaker.before(position)
    behind = speaker.good(side) if position is Position.BEHIND else b""
    hostile = kind.make(speaker, side)
    name = f"{protocol}, {side}: {kind.name}, {position}"
    return Case(name, kind, protocol, position, side, before, behind, hostile, max(speaker.opened, kind.opens))

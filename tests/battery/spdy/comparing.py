"""Two readers of one direction beside each other: what they agree on, or the sentence that says how they do not."""

from __future__ import annotations

from dataclasses import dataclass

from tests.battery.spdy.framer import Theirs
from tests.battery.spdy.stricter import STRICTER, Head
from tests.recordings.streams.spdy_reading import Reading

ALIKE, WAITS, BOTH_REFUSE = "read alike", "we wait for the rest of a frame", "both refuse"


@dataclass(frozen=True, slots=True)
class Compared:
    """`kind`: one of the three above, or the fault for which we alone refuse. `finding` is empty where all is well."""

    kind: str
    finding: str = ""


def compared(sent: bytes, ours: Reading, theirs: Theirs) -> Compared:
    """Frames and their ends must be the same as far as we read; who stops first must be us, and for a reason."""
    count = len(ours.frames)
    if (ours.frames, ours.ends) != (theirs.frames[:count], theirs.ends[:count]):
        return Compared(
            "", f"we read {ours.frames} to {ours.ends}, they {theirs.frames} to {theirs.ends} {theirs.error}"
        )
    if ours.waits:
        return Compared(WAITS)
    if ours.fault is None:
        if len(theirs.frames) == count and not theirs.error:
            return Compared(ALIKE)
        return Compared("", f"we read all, they {theirs.frames[count:]} {theirs.error}")
    if len(theirs.frames) == count and theirs.error:
        return Compared(BOTH_REFUSE)
    return _alone(sent[ours.ends[-1] if ours.ends else 0 :], ours)


def _alone(rest: bytes, ours: Reading) -> Compared:
    """We refuse, and they read on or wait."""
    assert ours.fault is not None
    reason = STRICTER.get(ours.fault)
    if reason is None or not reason.shows(Head.of(rest)):
        return Compared("", f"only we refuse, for {ours.fault}, which {rest[:24].hex()} does not show")
    return Compared(ours.fault)

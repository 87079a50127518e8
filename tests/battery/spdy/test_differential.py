"""SPDY as Kubernetes' own library reads it, asked live: `KWIT_SPDY_STREAMS` directions, 4,000 in the short form.

`python -m tests.battery.spdy.differential 1000000` is the long form.
"""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from recordings.streams.fault import Fault
from tests.battery.spdy.comparing import ALIKE, BOTH_REFUSE, WAITS, Compared, compared
from tests.battery.spdy.differential import run
from tests.battery.spdy.drawn import captured
from tests.battery.spdy.framer import Framer, Theirs, framer
from tests.battery.spdy.stricter import STRICTER
from tests.e2e.cluster import Unavailable
from tests.recordings.streams.spdy_reading import reading
from tests.recordings.streams.wire import Blocks, control, data, ping

STREAMS = int(os.environ.get("KWIT_SPDY_STREAMS", "4000"))


@pytest.fixture(scope="module")
def library() -> Framer:
    try:
        return framer()
    except Unavailable as error:
        pytest.skip(str(error))


def test_kubernetes_library_reads_what_we_read_and_refuses_nothing_that_we_let_through(library: Framer) -> None:
    tally = run(library, STREAMS)
    assert tally.findings == []
    assert set(tally.kinds) == {ALIKE, WAITS, BOTH_REFUSE, *STRICTER}  # every reason of the table is needed
    assert tally.kinds[ALIKE] > STREAMS // 5
    assert tally.frames > 2 * STREAMS


def test_what_real_kubectl_and_kubelets_sent_is_read_alike_to_the_last_byte(library: Framer) -> None:
    sent = captured()
    for one, theirs in zip(sent, library.read(sent), strict=True):
        assert compared(one, reading([one]), theirs) == Compared(ALIKE)
        assert theirs.ends[-1] == len(one)


def test_the_comparison_sees_each_way_in_which_two_readers_can_differ() -> None:
    sent = Blocks().syn(1, streamtype="error") + ping(1)
    ours = reading([sent])
    theirs = Theirs(ours.frames, ours.ends, "")
    assert compared(sent, ours, theirs) == Compared(ALIKE)
    others = [
        replace(theirs, frames=[ours.frames[0] | {"stream": 3}, ours.frames[1]]),
        replace(theirs, ends=[ours.ends[0] - 1, ours.ends[1]]),
        replace(theirs, frames=ours.frames[:1], ends=ours.ends[:1], error="invalid control frame"),
        replace(theirs, error="invalid control frame"),
        replace(theirs, frames=[*ours.frames, ours.frames[1]], ends=[*ours.ends, 99]),
    ]
    assert all(compared(sent, ours, one).finding for one in others)


def test_a_refusal_of_ours_alone_needs_a_reason_that_the_frame_shows() -> None:
    sent = ping(1) + control(6, b"\0\0\0\1", version=2)
    ours = reading([sent])
    (first,) = ours.frames
    theirs = Theirs([first, first], [12, 24], "")
    assert compared(sent, ours, theirs) == Compared(Fault.VERSION)
    assert compared(sent, replace(ours, fault=Fault.FLAGS), theirs).finding
    assert compared(sent, replace(ours, fault=Fault.FRAME_TYPE), theirs).finding
    assert compared(sent, ours, Theirs([first], [12], "unknown version")) == Compared(BOTH_REFUSE)
    assert compared(data(1, b"x")[:-1], reading([data(1, b"x")[:-1]]), Theirs([], [], "")) == Compared(WAITS)

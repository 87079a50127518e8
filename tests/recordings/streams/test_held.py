"""What waits goes on in its order, as far as it is understood."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings.streams.fault import Fault, StreamFaultError
from recordings.streams.held import MAX_HELD_BYTES, Held


def test_framing_goes_when_all_before_it_has_gone():
    held = Held()
    held.framing(b"[")
    held.payload(b"abc")
    held.framing(b"|")
    held.payload(b"de")
    held.framing(b"]")
    assert held.release(0) == b"["
    assert held.release(0) == b""
    assert held.release(2) == b"ab"
    assert held.release(3) == b"c|"
    assert held.release(4) == b"d"
    assert len(held) == 2
    assert held.release(5) == b"e]"
    assert len(held) == 0


def test_too_much_must_not_wait():
    held = Held()
    held.payload(b"x")
    held.framing(bytes(MAX_HELD_BYTES - 1))
    held.check()
    held.framing(b"y")
    with pytest.raises(StreamFaultError) as raised:
        held.check()
    assert raised.value.fault is Fault.HELD_TOO_LONG


def test_the_head_of_a_frame_goes_with_the_first_byte_of_it_that_is_understood():
    held = Held()
    held.framing(b"!")
    held.payload(b"ab", b"<")
    held.framing(b"?")
    held.payload(b"c", b"<")
    assert (held.release(0), held.begins_with_lead) == (b"!", True)
    assert (held.release(1), held.begins_with_lead) == (b"<a", False)
    assert (held.release(2), held.begins_with_lead) == (b"b?", True)
    assert (held.release(3), held.begins_with_lead) == (b"<c", False)


@given(st.lists(st.tuples(st.booleans(), st.binary(max_size=4), st.integers(0, 4), st.booleans())))
def test_it_does_what_the_simplest_queue_does(steps):
    held, queue, understood, total = Held(), [], 0, 0
    for payload, raw, more, leads in steps:
        if payload and raw and leads:
            held.payload(raw, b"<>")
            queue += [(2, b"<>"), *((1, bytes((byte,))) for byte in raw)]
        else:
            (held.payload if payload else held.framing)(raw)
            queue += [(int(payload), bytes((byte,))) for byte in raw]
        total += len(raw) * payload
        gone, understood = understood, min(understood + more, total)
        free, expected = understood - gone, b""
        while queue and (free or not queue[0][0]):  # 0: framing, 1: payload, 2: what leads it
            kind, piece = queue.pop(0)
            free -= kind == 1
            expected += piece
        assert held.release(understood) == expected
        assert len(held) == sum(len(piece) for _, piece in queue)
        assert held.begins_with_lead is bool(queue and queue[0][0] == 2)


def test_bytes_that_come_one_by_one_take_no_more_memory_than_a_few_times_their_size():
    held = Held()
    tracemalloc.start()
    for number in range(MAX_HELD_BYTES):
        held.payload(bytes([number % 256]) * 2)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 6 * MAX_HELD_BYTES
    assert held.release(2 * MAX_HELD_BYTES) == b"".join(bytes([n % 256]) * 2 for n in range(MAX_HELD_BYTES))

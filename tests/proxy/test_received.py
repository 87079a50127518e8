"""Claims about the buffer that all connections read into."""

from proxy.received import BUFFER_BYTES, buffer, received


def test_what_was_received_stays_ones_own_when_the_next_bytes_come():
    buffer()[:5] = b"first"
    kept = received(5)
    buffer()[:5] = b"other"
    assert (kept, received(5), received(0)) == (b"first", b"other", b"")


def test_the_buffer_is_writable_and_as_long_as_it_says():
    assert (len(buffer()), buffer().readonly) == (BUFFER_BYTES, False)

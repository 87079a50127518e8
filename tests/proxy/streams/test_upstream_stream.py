from proxy.streams.upstream_stream import TURN_BYTES, UpstreamStream
from tests.proxy.dataplane import Wire, settle


class Owner:
    def __init__(self):
        self.heard = []

    def upstream_data(self, pieces):
        self.heard += pieces

    def upstream_lost(self):
        self.heard.append("lost")

    def upstream_writable(self, *, writable):
        self.heard.append(writable)


def connected():
    stream = UpstreamStream()
    wire = Wire(stream)
    stream.connection_made(wire)
    return stream, wire


async def test_the_owner_hears_everything_in_order():
    stream, wire = connected()
    stream.owner = owner = Owner()
    wire.receive(b"abc")
    stream.pause_writing()
    stream.resume_writing()
    wire.end()
    await settle()
    assert owner.heard == [b"abc", False, True, "lost"]


async def test_bytes_that_nobody_waits_for_end_it():
    _, wire = connected()
    wire.receive(b"abc")
    assert wire.aborted


async def test_who_closed_it_hears_no_more():
    stream, wire = connected()
    stream.owner = owner = Owner()
    stream.write(b"bye")
    stream.write(b"")
    stream.close()
    await settle()
    assert (wire.written, wire.closing, owner.heard) == (b"bye", True, [])
    stream.write(b"late")
    stream.pause()


async def test_reading_stops_and_goes_on():
    stream, wire = connected()
    stream.owner = Owner()
    stream.pause()
    assert not wire.receive(b"x")
    stream.resume()
    assert wire.receive(b"x")


async def test_after_a_full_turn_all_others_have_theirs():
    stream, wire = connected()
    stream.owner = Owner()
    assert wire.receive(bytes(TURN_BYTES - 1))
    assert wire.reading
    assert wire.receive(bytes(TURN_BYTES))
    assert not wire.reading
    await settle()
    assert wire.reading


async def test_the_next_turn_does_not_come_while_nobody_may_read():
    stream, wire = connected()
    stream.owner = Owner()
    wire.receive(bytes(TURN_BYTES))
    stream.pause()
    await settle()
    assert not wire.reading
    stream.resume()
    assert wire.reading


async def test_a_turn_that_ends_with_the_connection_has_no_next():
    stream, wire = connected()
    stream.owner = owner = Owner()
    wire.receive(bytes(TURN_BYTES))
    wire.end()
    await settle()
    assert owner.heard[1:] == ["lost"]

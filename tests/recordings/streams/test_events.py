"""Events, and how the pieces of one stream are joined."""

from recordings.streams.events import Closing, Discarded, Role, Side, StrayData, StreamData, merged


def test_each_side_knows_the_other():
    assert (Side.CLIENT.other, Side.SERVER.other) == (Side.SERVER, Side.CLIENT)


def test_neighbouring_pieces_of_one_stream_and_side_are_joined_and_no_others():
    def out(data: bytes, side: Side = Side.SERVER, stream: int = 1) -> StreamData:
        return StreamData(side, stream, Role.STDOUT, data)

    assert merged([out(b"a"), out(b"b"), out(b"c", stream=3), out(b"d"), out(b"e", Side.CLIENT)]) == (
        out(b"ab"),
        out(b"c", stream=3),
        out(b"d"),
        out(b"e", Side.CLIENT),
    )


def test_stray_and_discarded_bytes_are_joined_too():
    stray = [StrayData(Side.CLIENT, 1, b"a"), StrayData(Side.CLIENT, 1, b"b"), StrayData(Side.CLIENT, 3, b"c")]
    assert merged(stray) == (StrayData(Side.CLIENT, 1, b"ab"), StrayData(Side.CLIENT, 3, b"c"))
    dropped = [Discarded(Side.CLIENT, 1), Discarded(Side.CLIENT, 2), Discarded(Side.SERVER, 3)]
    assert merged(dropped) == (Discarded(Side.CLIENT, 3), Discarded(Side.SERVER, 3))
    assert merged([Closing(Side.CLIENT, 1000), Closing(Side.CLIENT, 1000)]) == (Closing(Side.CLIENT, 1000),) * 2

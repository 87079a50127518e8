"""Claims about the end of a stream under TLS, on both loops: nothing that was sent is lost, whoever was not reading."""

import asyncio
import socket
import ssl
import threading
from contextlib import suppress

import pytest
import trustme
import uvloop

from proxy.streams.tls_stream import TlsStream
from tests.proxy.dataplane import Wire, settle

CA = trustme.CA()
LOOPS = {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}


def server_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    CA.issue_cert("localhost").configure_cert(context)
    return context


def client_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    CA.configure_trust(context)
    return context


class Server:
    """Takes one connection in a thread, says what it has to say, and closes."""

    def __init__(self, say: bytes, *, hear: int = 1, goodbye: bool = True) -> None:
        self.heard = b""
        self._say, self._hear, self._goodbye = say, hear, goodbye
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        accepted, _ = self._listening.accept()
        accepted.settimeout(10)
        with suppress(OSError, ssl.SSLError), server_context().wrap_socket(accepted, server_side=True) as tls:
            while len(self.heard) < self._hear and (data := tls.recv(65536)):
                self.heard += data
            tls.sendall(self._say)
            if self._goodbye:
                with suppress(OSError, ssl.SSLError):
                    tls.unwrap()

    def join(self) -> None:
        self._thread.join()
        self._listening.close()


class Owner:
    """Reads nothing more after its first bytes, until `go_on`."""

    def __init__(self, stream: TlsStream, *, pauses: bool) -> None:
        self.stream, self.pauses = stream, pauses
        self.received = 0
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.paused = asyncio.Event()

    def upstream_data(self, pieces: list[bytes]) -> None:
        self.received += sum(map(len, pieces))
        if self.pauses and not self.paused.is_set():
            self.stream.pause()
            self.paused.set()

    def upstream_lost(self) -> None:
        self.lost.set_result(None)

    def upstream_writable(self, *, writable: bool) -> None:
        pass


async def connected(port: int, context: ssl.SSLContext) -> TlsStream:
    loop = asyncio.get_running_loop()
    _, stream = await loop.create_connection(lambda: TlsStream(context, "localhost", loop), "127.0.0.1", port)
    await stream.ready
    return stream


@pytest.fixture(params=LOOPS)
def run(request):
    def go(main):
        with asyncio.Runner(loop_factory=LOOPS[request.param]) as runner:
            return runner.run(main)

    return go


@pytest.mark.parametrize("goodbye", [True, False])
@pytest.mark.parametrize("size", [1, 20_000, 300_000, 3_000_000])
def test_all_that_was_sent_before_the_end_arrives_though_reading_was_paused(run, size, goodbye):
    server = Server(b"x" * size, goodbye=goodbye)

    async def main() -> int:
        stream = await connected(server.port, client_context())
        owner = stream.owner = Owner(stream, pauses=True)
        stream.write(b"!")
        await owner.paused.wait()
        for _ in range(20):  # passes of the loop in which the end may come
            await asyncio.sleep(0.002)
        stream.resume()
        await owner.lost
        return owner.received

    assert run(main()) == size
    server.join()


def test_what_is_written_arrives(run):
    server = Server(b"", hear=1_000_000)

    async def main() -> None:
        stream = await connected(server.port, client_context())
        owner = stream.owner = Owner(stream, pauses=False)
        for _ in range(10):
            stream.write(b"y" * 100_000)
        await owner.lost

    run(main())
    server.join()
    assert server.heard == b"y" * 1_000_000


def test_a_server_of_another_ca_is_no_server(run):
    server = Server(b"")

    async def main() -> None:
        with pytest.raises(ssl.SSLCertVerificationError):
            await connected(server.port, ssl.create_default_context())

    run(main())
    server.join()


def test_a_server_that_hangs_up_in_the_handshake_is_said(run):
    listening = socket.create_server(("127.0.0.1", 0))

    def hang_up() -> None:
        accepted, _ = listening.accept()
        accepted.recv(10)
        accepted.close()

    thread = threading.Thread(target=hang_up)
    thread.start()

    async def main() -> None:
        with pytest.raises(OSError, match=r"handshake|reset"):
            await connected(listening.getsockname()[1], client_context())

    run(main())
    thread.join()
    listening.close()


class Leaver:
    """Says goodbye at the first bytes."""

    def __init__(self, stream: TlsStream) -> None:
        self.stream, self.heard = stream, []

    def upstream_data(self, pieces: list[bytes]) -> None:
        self.heard.append(pieces)
        self.stream.write(b"goodbye")
        self.stream.close()

    def upstream_lost(self) -> None:
        self.heard.append("lost")

    def upstream_writable(self, *, writable: bool) -> None:
        pass


class Listener:
    """Hears."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []

    def upstream_data(self, pieces: list[bytes]) -> None:
        self.heard += pieces

    def upstream_lost(self) -> None:
        pass

    def upstream_writable(self, *, writable: bool) -> None:
        pass


class Leaving:
    """A stream to a server in memory, whose owner leaves at the first bytes."""

    def __init__(self) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.server = server_context().wrap_bio(self._incoming, self._outgoing, server_side=True)
        self.stream = TlsStream(client_context(), "localhost", asyncio.get_running_loop())
        self.wire = Wire(self.stream)
        self.wire.on_write = self._incoming.write
        self.stream.connection_made(self.wire)
        while not self.stream.ready.done():
            with suppress(ssl.SSLWantReadError):
                self.server.do_handshake()
            self.wire.receive(self._outgoing.read())
        self.server.do_handshake()
        self.owner = self.stream.owner = Leaver(self.stream)

    def records(self, *said: bytes) -> bytes:
        for one in said:
            self.server.write(one)
        return self._outgoing.read()


@pytest.mark.parametrize("goodbye", [False, True])
async def test_what_comes_in_one_segment_with_the_bytes_that_ended_a_stream_does_not_cut_its_last_words_off(goodbye):
    leaving = Leaving()
    segment = leaving.records(b"first", b"second")
    if goodbye:
        with suppress(ssl.SSLWantReadError):
            leaving.server.unwrap()
        segment += leaving.records()
    leaving.wire.receive(segment)
    await settle()
    assert (leaving.wire.closing, leaving.wire.aborted, leaving.owner.heard) == (True, False, [[b"first", b"second"]])
    assert leaving.server.read(100) == b"goodbye"


@pytest.mark.parametrize("cut", [1, 5, 16_000, 16_384, 20_000, 40_000, 1 << 20])
async def test_a_long_write_arrives_in_one_piece_and_never_with_the_next_one_whatever_the_segments(cut):
    leaving, sizes = Leaving(), (3, 40_000, 1, 16_385, 70_000, 2)
    leaving.stream.owner = listener = Listener()
    written = [bytes([number]) * size for number, size in enumerate(sizes)]
    data = leaving.records(*written)
    for at in range(0, len(data), cut):
        leaving.wire.receive(data[at : at + cut])
    await settle()
    assert b"".join(listener.heard) == b"".join(written)
    assert {len(set(piece)) for piece in listener.heard} == {1}
    assert len(listener.heard) == len(sizes) or cut < len(data)


async def test_what_no_longer_is_tls_ends_the_connection_behind_what_was_read_before_it():
    leaving = Leaving()
    leaving.stream.owner = listener = Listener()
    leaving.wire.receive(leaving.records(b"first") + b"\x17\x03\x03\x00\x20" + bytes(32))
    await settle()
    assert (leaving.wire.aborted, listener.heard) == (True, [b"first"])

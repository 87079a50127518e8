"""Claims about the upstream side of an ordinary request over real TLS, on the loop that serves."""

import asyncio
import socket
import ssl
import threading
from dataclasses import dataclass

import pytest
import uvloop

from proxy.upstream import UpstreamConnection, UpstreamPool
from tests.proxy.streams.test_tls_stream import Server, client_context

KEY = ("c1", 1, ("issuer", "subject"))
PASSES = 20
"""Of the loop, with the reader asleep: the other side's end comes in one of them."""


@dataclass(frozen=True, slots=True)
class Local:
    """A cluster on loopback."""

    port: int
    context: ssl.SSLContext
    name: str = "c1"
    host: str = "127.0.0.1"
    host_header: bytes = b"localhost"
    path_prefix: bytes = b""
    server_hostname: str = "localhost"

    def ssl_context(self) -> ssl.SSLContext:
        return self.context

    def authorization(self) -> bytes | None:
        return None


class Slow:
    """Stops reading at the first bytes of a body; hears how the answer ended."""

    def __init__(self, upstream: UpstreamConnection) -> None:
        self.upstream = upstream
        self.received = 0
        self.paused = asyncio.Event()
        self.over: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def upstream_head(self, head) -> None:
        pass

    def upstream_body(self, data: bytes) -> None:
        self.received += len(data)
        if not self.paused.is_set():
            self.upstream.pause()
            self.paused.set()

    def upstream_end(self, *, reusable: bool) -> None:
        self.over.set_result("end")

    def upstream_flush(self) -> None:
        pass

    def upstream_lost(self, reason: str, *, malformed: bool) -> None:
        self.over.set_result(reason)

    def upstream_writable(self, *, writable: bool) -> None:
        pass


def run(main):
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)


async def dial(port: int, context: ssl.SSLContext) -> UpstreamConnection:
    pool = UpstreamPool(asyncio.get_running_loop(), connect_seconds=10.0)
    return await pool.connect(Local(port, context), KEY)


@pytest.mark.parametrize("goodbye", [True, False])
@pytest.mark.parametrize("head", ["Content-Length: {}", "Connection: close"])
@pytest.mark.parametrize("size", [1, 20_000, 200_000, 300_000, 3_000_000])
def test_an_answer_arrives_whole_at_a_slow_client_though_the_api_server_closes_right_behind_it(size, head, goodbye):
    answer = f"HTTP/1.1 200 OK\r\n{head.format(size)}\r\n\r\n".encode() + b"x" * size
    server = Server(answer, goodbye=goodbye)

    async def main() -> tuple[str, int]:
        upstream = await dial(server.port, client_context())
        slow = Slow(upstream)
        upstream.start(slow, "GET", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", has_body=False)
        await slow.paused.wait()
        for _ in range(PASSES):
            await asyncio.sleep(0.002)
        upstream.resume()
        return await slow.over, slow.received

    assert run(main()) == ("end", size)
    server.join()


def test_while_reading_is_paused_no_more_than_one_read_of_tls_is_delivered():
    server = Server(b"HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n" + b"x" * 3_000_000)

    async def main() -> int:
        upstream = await dial(server.port, client_context())
        slow = Slow(upstream)
        upstream.start(slow, "GET", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", has_body=False)
        await slow.paused.wait()
        for _ in range(PASSES):
            await asyncio.sleep(0.002)
        held = slow.received
        upstream.resume()
        assert await slow.over == "end"
        return held

    assert run(main()) <= 512 * 1024
    server.join()


def test_a_certificate_of_another_authority_is_an_error_of_tls():
    server = Server(b"")

    async def main() -> None:
        with pytest.raises(ssl.SSLCertVerificationError):
            await dial(server.port, ssl.create_default_context())

    run(main())
    server.join()


@pytest.mark.parametrize("says", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n"], ids=["nothing", "plain HTTP"])
def test_what_closes_instead_of_shaking_hands_is_an_error_of_the_connection(says):
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        accepted, _ = listening.accept()
        with accepted:
            accepted.sendall(says)

    thread = threading.Thread(target=serve)
    thread.start()

    async def main() -> None:
        with pytest.raises((OSError, ssl.SSLError)):
            await dial(listening.getsockname()[1], client_context())

    run(main())
    thread.join()
    listening.close()

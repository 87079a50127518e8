"""The data plane without sockets: the real listener, connections, journey, filters and pool between wires in memory.

The API server behind it is read by h11, which shares nothing with our own parser: what it does not understand fails
the test. `Plane.check` holds what is true of every exchange: no exception left a callback, each request that was heard
of has exactly one end in the log, nothing is recorded behind it, and no byte goes upstream before a write's intent.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, cast

import h11
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from auth.ca import CertificateAuthority, issue, new_ca
from auth.identity import Identity, Login, LoginID
from auth.locks import Lock, Locks
from auth.rbac import Policy, Role, RoleBinding, Rule, Subject, compile_policy
from proxy.config import KubeLimits
from proxy.connection import KubeConnection
from proxy.context import RequestContext
from proxy.filters.audit import METADATA_ONLY, AuditFilter
from proxy.filters.authentication import AuthenticationFilter
from proxy.filters.origin import OriginFilter
from proxy.filters.remembered import RoleSteps
from proxy.filters.request_info import request_info
from proxy.journey import Journey
from proxy.listeners import KubeListener
from proxy.metrics import Metrics
from proxy.object_before import SUFFIX
from proxy.status import Refusal
from proxy.streams.pod_facts import PodReader
from proxy.streams.streaming import Streaming
from proxy.streams.upstream_stream import UpstreamStream
from proxy.upstream import Endpoint, PoolKey, UpstreamConnection, UpstreamPool
from recordings.audit.log import AuditLog
from recordings.audit.policy.policy import AuditPolicy
from recordings.audit.record import Outcome, RecordType
from recordings.errors import LogUnavailableError
from recordings.recorder.store import RecordingStore

NOW = 1_800_000_000.0
INSTALLATION = "demo"
CLUSTER = "c1"
OTHER_CLUSTER = "elsewhere"
"""It is served as well; nobody here has a certificate for it."""
LOGIN = LoginID("a" * 26)
HOST = b"kwit.example"
ORIGIN = b"https://kwit.example"
PERSON = Identity("corp", "https://idp.example", "00u1", "ada@example.com", ("eng",))
ROLE = Role(
    "dev",
    as_groups=("kwit:eng",),
    allow=(Rule(("*",), ("*",), ("*",)), Rule(("get",), non_resource_urls=("/healthz",))),
)
POLICY = compile_policy([ROLE], [RoleBinding("devs", "dev", (Subject("Group", "eng", "corp"),))], ["corp"])
LABELS: dict[str, str] = {}
ENDS = (Outcome.DONE, Outcome.REFUSED, Outcome.ABORTED, Outcome.FAILED)
PASSES = 40
"""Of the loop, after which nothing is left to do that does not wait for a test."""

PODS = b"/api/v1/namespaces/shop/pods"
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


def request(method: bytes = b"GET", target: bytes = PODS, *lines: bytes, body: bytes = b"") -> bytes:
    """A request as bytes; `body` brings its Content-Length."""
    length = (b"Content-Length: %d" % len(body),) if body else ()
    head = (b"%s %s HTTP/1.1" % (method, target), b"Host: " + HOST, *lines, *length, b"", b"")
    return b"\r\n".join(head) + body


@cache
def certificate() -> tuple[CertificateAuthority, ec.EllipticCurvePrivateKey, str]:
    """(the CA of people, a person's key, her certificate as PEM)."""
    ca, key = new_ca("people", NOW), ec.generate_private_key(ec.SECP256R1())
    issued = issue(
        ca,
        key.public_key(),
        installation=INSTALLATION,
        cluster=CLUSTER,
        login_id=LOGIN,
        now=NOW,
        lifetime_seconds=3600,
        serial_number=7,
    )
    return ca, key, issued.pem


@cache
def _der() -> bytes:
    return x509.load_pem_x509_certificate(certificate()[2].encode()).public_bytes(serialization.Encoding.DER)


class Tls:
    def getpeercert(self, *, binary_form: bool) -> bytes:
        assert binary_form
        return _der()


class Wire(asyncio.Transport):
    """A transport in memory. `stalled`: the other side takes nothing, and what is written stays in the buffer."""

    def __init__(self, protocol: asyncio.BufferedProtocol) -> None:
        super().__init__()
        self.protocol = protocol
        self.loop = asyncio.get_running_loop()
        self.written = b""
        self.buffered = 0
        self.stalled = False
        self.closing = self.aborted = self.lost = False
        self.reading = True
        self.on_write: Callable[[bytes], None] = lambda _data: None

    # what the protocol uses

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"peername": ("192.0.2.7", 40000), "ssl_object": Tls()}.get(name, default)

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        assert data
        if self.closing:
            return
        self.written += data
        if self.stalled:
            self.buffered += len(data)
            if self.buffered > 64 * 1024 >= self.buffered - len(data):
                self.protocol.pause_writing()
        self.on_write(bytes(data))

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview[Any]]) -> None:
        for data in list_of_data:
            self.write(data)

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self._end(None)

    def abort(self) -> None:
        self.aborted = True
        self._end(None)

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    # what the other side does

    def receive(self, data: bytes) -> bool:
        """Bytes from the other side; False when they are not taken now."""
        if self.closing or not self.reading:
            return False
        while data:
            room = cast("memoryview", self.protocol.get_buffer(-1))
            piece, data = data[: len(room)], data[len(room) :]
            room[: len(piece)] = piece
            self.protocol.buffer_updated(len(piece))
        return True

    def flow(self) -> None:
        """The other side takes again what is written."""
        self.stalled = False
        waited, self.buffered = self.buffered > 64 * 1024, 0
        if waited:
            self.protocol.resume_writing()

    def end(self, error: Exception | None = None) -> None:
        """The other side closes: in order, or with an error."""
        if error is None and not self.closing:
            self.protocol.eof_received()
        self._end(error)

    def _end(self, error: Exception | None) -> None:
        if not self.closing:
            self.closing = True
            self.loop.call_soon(self._lose, error)

    def _lose(self, error: Exception | None) -> None:
        self.lost = True
        self.protocol.connection_lost(error)


@dataclass(frozen=True, slots=True)
class Record:
    """What a test compares of a record."""

    outcome: Outcome
    code: int | None
    audit_id: str
    message: str
    annotations: dict[str, str]
    event: dict[str, Any] = field(default_factory=dict, compare=False)


class Log:
    """An audit log that breaks when it is told to."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.seals: list[dict[str, Any]] = []
        self.files: list[dict[str, Any]] = []
        self.cause = ""
        self.refuse: set[Outcome] = set()
        """Outcomes that cannot be appended."""
        self.syncs: asyncio.Event | None = None
        """Where it is set, `durable` waits for it."""
        self.sync_fails = False

    @property
    def available(self) -> bool:
        return not self.cause

    def append(
        self, record_type: RecordType, outcome: Outcome, *, event: dict[str, Any] | None = None, **members: Any
    ) -> int:
        if self.cause or outcome in self.refuse:
            raise LogUnavailableError(self.cause or "it broke just now")
        if event is None:
            kept = {RecordType.RECORDING_SEAL: self.seals, RecordType.STREAM_FILES: self.files}
            kept[record_type].append(members["body"])
            return len(self.records)
        assert record_type is RecordType.KUBE_REQUEST
        status, annotations = event.get("responseStatus", {}), event.get("annotations", {})
        record = Record(
            outcome,
            status.get("code"),
            event["auditID"],
            status.get("message", ""),
            annotations,
            event,
        )
        self.records.append(record)
        return len(self.records)

    def append_encoded(
        self, record_type: RecordType, outcome: Outcome, members: bytes, *, now: float, time: str
    ) -> int:
        import orjson

        del now, time
        return self.append(record_type, outcome, **orjson.loads(b"{" + members))

    async def durable(self, _seq: int) -> None:
        if self.syncs is not None:
            await self.syncs.wait()
        if self.sync_fails:
            raise LogUnavailableError("it broke just now")

    @property
    def outcomes(self) -> list[tuple[Outcome, int | None]]:
        return [(record.outcome, record.code) for record in self.records]


class State:
    """One live login, or nobody; and what is locked."""

    def __init__(self) -> None:
        self.locks = Locks()
        self.live: Login | None = Login(LOGIN, PERSON, "h", NOW, NOW + 3600, NOW, "192.0.2.7")  # type: ignore[arg-type]

    def login(self, _login_id: LoginID) -> Login | None:
        return self.live

    def lock_for(self, login: Login, cluster: str) -> Lock | None:
        return self.locks.on(login, cluster)

    def age(self, _now: float) -> float:
        return 0.0


class Cluster:
    """An `Endpoint` that nobody dials."""

    host, port, host_header, path_prefix, server_hostname = "api", 443, b"api", b"", "api"

    def __init__(self, name: str = CLUSTER) -> None:
        self.name = name

    def ssl_context(self) -> ssl.SSLContext:
        raise AssertionError

    def authorization(self) -> bytes | None:
        return b"Bearer ours"


@dataclass
class Seen:
    """A request as the API server has it."""

    wire: Wire
    method: bytes
    target: bytes
    headers: list[tuple[bytes, bytes]]
    records: list[Record]
    """What the log said when the head arrived."""
    body: bytes = b""
    whole: bool = False

    def get(self, name: bytes) -> list[bytes]:
        return [value for key, value in self.headers if key == name]


class ApiServer:
    """Reads each connection with h11; answers a whole request with `answer`, or leaves that to the test (None)."""

    def __init__(self, log: Log) -> None:
        self.wires: list[Wire] = []
        self.seen: list[Seen] = []
        self.streams: list[Wire] = []
        """Connections for upgrades; what they say is the test's."""
        self.answer: Callable[[Seen], bytes] | None = lambda seen: OK[:-2] if seen.method == b"HEAD" else OK
        self.refuses: Exception | None = None
        self.on_accept: Callable[[Wire], None] = lambda _wire: None
        self._log = log

    def accept(self, wire: Wire) -> None:
        self.wires.append(wire)
        self.on_accept(wire)
        wire.on_write = _Reader(self, wire, self._log).feed

    def respond(self, data: bytes, at: int = -1) -> bool:
        """Bytes from connection number `at`."""
        return self.wires[at].receive(data)


class _Reader:
    def __init__(self, server: ApiServer, wire: Wire, log: Log) -> None:
        self._server, self._wire, self._log = server, wire, log
        self._h11 = h11.Connection(h11.SERVER, max_incomplete_event_size=256 * 1024)
        self._seen: Seen | None = None

    def feed(self, data: bytes) -> None:
        self._h11.receive_data(data)
        while (event := self._h11.next_event()) not in (h11.NEED_DATA, h11.PAUSED):
            if isinstance(event, h11.Request):
                records = list(self._log.records)
                self._seen = Seen(self._wire, event.method, event.target, list(event.headers), records)
                self._server.seen.append(self._seen)
            elif isinstance(event, h11.Data):
                assert self._seen is not None
                self._seen.body += event.data
            elif isinstance(event, h11.EndOfMessage):
                assert self._seen is not None
                assert not event.headers
                self._whole(self._seen)
            else:
                raise AssertionError(event)  # noqa: TRY004 - it is a claim

    def _whole(self, seen: Seen) -> None:
        seen.whole = True
        # the answer's bytes are the test's own affair; h11 only has to know that there was one
        self._h11.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
        self._h11.send(h11.EndOfMessage())
        self._h11.start_next_cycle()
        if self._server.answer is not None:
            asyncio.get_running_loop().call_soon(seen.wire.receive, self._server.answer(seen))


class Pool(UpstreamPool):
    """Dials into the API server in memory."""

    def __init__(self, loop: asyncio.AbstractEventLoop, server: ApiServer) -> None:
        super().__init__(loop, connect_seconds=10.0)
        self.server = server
        self.dialled: list[str] = []
        """Names of clusters, one for each connection."""
        self.dials: asyncio.Event | None = None
        """Where it is set, a dial waits for it."""

    async def _open(self, endpoint: Endpoint, key: PoolKey) -> UpstreamConnection:
        self.dialled.append(endpoint.name)
        if self.dials is not None:
            await self.dials.wait()
        if self.server.refuses is not None:
            raise self.server.refuses
        connection = UpstreamConnection(key, self._outbox)
        wire = Wire(connection)
        self.server.accept(wire)
        connection.connection_made(wire)
        return connection

    async def _open_stream(self, endpoint: Endpoint) -> UpstreamStream:
        self.dialled.append(endpoint.name)
        if self.server.refuses is not None:
            raise self.server.refuses
        stream = UpstreamStream()
        wire = Wire(stream)
        self.server.streams.append(wire)
        stream.connection_made(wire)
        return stream


class Client:
    """One client's connection."""

    def __init__(self, listener: KubeListener) -> None:
        self.connection = KubeConnection(listener)
        self.wire = Wire(self.connection)
        self.connection.connection_made(self.wire)

    def send(self, data: bytes) -> bool:
        return self.wire.receive(data)

    async def ask(self, data: bytes) -> bytes:
        """Send, settle, and what has come since."""
        before = len(self.wire.written)
        self.send(data)
        await settle()
        return self.wire.written[before:]

    @property
    def received(self) -> bytes:
        return self.wire.written

    @property
    def closed(self) -> bool:
        return self.wire.lost


class Loop:
    """The running loop with a clock that a test turns; timers fire when it is turned past them."""

    def __init__(self, real: asyncio.AbstractEventLoop) -> None:
        self.real = real
        self.now = 1000.0
        self.timers: list[_Timer] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def time(self) -> float:
        return self.now

    def call_later(self, seconds: float, callback: Callable[..., Any], *arguments: Any) -> _Timer:
        timer = _Timer(self.now + seconds, callback, arguments)
        self.timers.append(timer)
        return timer

    async def turn(self, seconds: float) -> None:
        """Let time pass; what is due happens in order."""
        until = self.now + seconds
        while due := [timer for timer in self.timers if not timer.cancelled and timer.at <= until]:
            first = min(due, key=lambda timer: timer.at)
            self.timers.remove(first)
            self.now = first.at
            self.real.call_soon(first.callback, *first.arguments)
            await settle()
        self.now = until
        await settle()


@dataclass
class _Timer:
    at: float
    callback: Callable[..., Any]
    arguments: tuple[Any, ...]
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True


@dataclass
class Plane:
    loop: Loop
    listener: KubeListener
    log: Log
    server: ApiServer
    pool: Pool
    state: State
    cluster: Cluster
    metrics: Metrics
    owed: bool
    refused: list[tuple[str, str, str]] = field(default_factory=list)
    faults: list[dict[str, Any]] = field(default_factory=list)
    streaming: Streaming | None = None
    journey: Journey | None = None
    roles: list[Policy] = field(default_factory=list)
    """The one that is in force."""

    def client(self) -> Client:
        return Client(self.listener)

    def check(self) -> None:
        """What holds after every exchange that is over."""
        assert self.faults == []
        ended: set[str] = set()
        for record in self.log.records:
            assert record.audit_id not in ended, f"recorded after its end: {record}"
            if record.outcome in ENDS:
                ended.add(record.audit_id)
        if self.owed:
            return
        assert {record.audit_id for record in self.log.records} == ended, self.log.outcomes
        for seen in self.server.seen:
            (audit_id,) = seen.get(b"audit-id")
            read_before = audit_id.decode().removesuffix(SUFFIX) if seen.method == b"GET" else ""
            assert audit_id.decode() in ended or read_before in ended, seen
            if seen.method not in (b"GET", b"HEAD"):
                before = [record.outcome for record in seen.records if record.audit_id == audit_id.decode()]
                assert before == [Outcome.INTENT], seen


async def settle() -> None:
    """Until nothing is left to do but what waits for a test."""
    for _ in range(PASSES):
        await asyncio.sleep(0)


@asynccontextmanager
async def plane(
    *,
    limits: KubeLimits | None = None,
    owed: bool = False,
    policy: AuditPolicy = METADATA_ONLY,
    roles: Policy = POLICY,
    recordings: Path | None = None,
    max_bytes: int = 1 << 30,
    asks_for_pods: bool = False,
) -> AsyncIterator[Plane]:
    """A data plane with one person who may do everything. It is checked at the end.

    `policy`: whose bodies are kept. `owed`: outcomes that the log could not write are still owed then, as the log
    itself would remember.
    """
    real = asyncio.get_running_loop()
    loop = Loop(real)
    as_loop = cast("asyncio.AbstractEventLoop", loop)
    log, state, metrics = Log(), State(), Metrics()
    server = ApiServer(log)
    pool = Pool(as_loop, server)
    refused: list[tuple[str, str, str]] = []
    cluster = Cluster()
    authentication = AuthenticationFilter(
        state,
        {CLUSTER: cluster, OTHER_CLUSTER: Cluster(OTHER_CLUSTER)},
        state_max_age_seconds=60.0,
        groups_max_age_seconds=3600.0,
    )
    in_force = [roles]
    role_steps = RoleSteps(lambda: in_force[0], lambda _: LABELS, lambda _: ())
    audit = AuditFilter(cast("AuditLog", log), lambda: NOW, strict=False, redaction_key=b"k" * 32, policy=policy)

    def still(context: RequestContext) -> Refusal | None:
        return authentication.still(again := replace(context), NOW) or role_steps(again)

    store = streaming = None
    if recordings is not None:
        store = RecordingStore(recordings, loop=real, mono=lambda: loop.now, max_bytes=max_bytes, writer="node-0")
        steps = (authentication, request_info, role_steps)
        pods = PodReader(steps, pool, audit, loop=as_loop, clock=lambda: NOW, random=os.urandom)
        streaming = Streaming(
            store,
            pool,
            audit,
            loop=as_loop,
            random=os.urandom,
            metrics=metrics,
            still=still,
            pods=pods if asks_for_pods else None,
        )
    journey = Journey(
        (OriginFilter(frozenset((HOST,)), frozenset((ORIGIN,))), authentication, request_info, role_steps),
        audit,
        pool,
        loop=as_loop,
        clock=lambda: NOW,
        random=os.urandom,
        metrics=metrics,
        streaming=streaming,
        still=still,
    )
    listener = KubeListener(
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER),
        journey,
        loop=as_loop,
        installation=INSTALLATION,
        limits=limits or KubeLimits(),
        refused=lambda *what: refused.append(what),
        metrics=metrics,
        clock=lambda: NOW,
        random=os.urandom,
    )
    made = Plane(loop, listener, log, server, pool, state, cluster, metrics, owed, refused)
    made.streaming, made.journey, made.roles = streaming, journey, in_force
    listener._sweep()
    real.set_exception_handler(lambda _loop, fault: made.faults.append(fault))
    yield made
    await settle()
    listener.cut()
    pool.close()
    await settle()
    if store is not None:
        await store.close()
        await settle()
    made.check()


def run_plane(ask: Callable[[Plane], Coroutine[Any, Any, None]]) -> None:
    """A plane of its own in a loop of its own: for properties, which are no coroutines."""

    async def run() -> None:
        async with plane() as it:
            await ask(it)

    asyncio.run(run())

"""What the server does to its disk, as a script: the CA's files, logins, a log that rotates, a recording.

`python -m tests.battery.syscalls.work` waits for lines `DIRECTORY PROMISES`, forks for each, says the child's number,
lets it begin at the next line and says how it ended (`os.waitpid`'s status). The child writes what it promised to the
file PROMISES, a line a promise, once it was promised: these are what must be true afterwards.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from auth.identity import Identity, KeyHash, Login, LoginID
from auth.keystore import KeystoreError, load_or_create_ca
from auth.state.sqlite import SqliteStore
from auth.state.store import StoreError
from recordings.audit.keyring import Keyring
from recordings.audit.log import AuditLog, LogSettings
from recordings.audit.notary import Notary
from recordings.audit.note import Ed25519Signer
from recordings.audit.record import Outcome, RecordType
from recordings.errors import LogUnavailableError
from recordings.recorder.head import RecordingHead
from recordings.recorder.recorder import RecordingFailedError
from recordings.recorder.seal_record import seal_body
from recordings.recorder.store import RecordingStore
from recordings.streams.events import Role, Side, StreamData
from recordings.streams.outcome import Ended
from recordings.streams.outcome import Outcome as StreamOutcome

ROOT = Ed25519Signer.of("acme/audit-root", Ed25519PrivateKey.from_private_bytes(bytes(32)))
START = 1_700_000_000.0
ROUNDS = 9
"""Of intent, outcome and read; with segments of 3,200 bytes they rotate."""
PATIENCE_SECONDS = 0.5
"""A log that failed tries again every few milliseconds here."""
GO = signal.SIGUSR1
"""Lets a child begin. No call that is made to fail waits for it: one that a tracer interrupts would count twice."""
MISTAKE = 70
"""The child ended by an error that nothing of ours may raise (EX_SOFTWARE)."""

PERSON = Identity("corp", "https://idp", "1", "ann")
LOGIN = Login(LoginID("a" * 26), PERSON, KeyHash("k" * 43), START, START + 3_600, START, "10.0.0.1")
HEAD = RecordingHead(
    id="b" * 26,
    started=START,
    cluster="prod",
    namespace="shop",
    pod="web",
    subresource="exec",
    audit_id="shell",
    issuer="https://idp",
    subject="1",
    username="ann",
    login="a" * 26,
    source="10.0.0.1",
    protocol="v5.channel.k8s.io",
    command=("sh",),
)
TYPED = StreamData(Side.SERVER, 1, Role.STDOUT, b"it was stored\r\n" * 100)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the work leaves its files."""

    directory: Path

    @property
    def log(self) -> Path:
        return self.directory / "log"

    @property
    def recordings(self) -> Path:
        return self.directory / "recordings"

    @property
    def ca(self) -> Path:
        return self.directory / "ca"

    @property
    def state(self) -> Path:
        return self.directory / "state.db"


Promise = Callable[[str, object], None]


def a_log(place: Place) -> AuditLog:
    numbers = iter(range(10**6))
    return AuditLog(
        LogSettings(place.log, "w", segment_bytes=3_200, sync_seconds=0.001, retry_seconds=0.002),
        loop=asyncio.get_running_loop(),
        clock=lambda: START,
        mono=time.monotonic,
        new_id=lambda: f"id-{next(numbers)}",
        boot="b",
        notary=Notary(Keyring(place.log, "acme/w", ROOT)),
    )


def a_store(place: Place) -> RecordingStore:
    loop = asyncio.get_running_loop()
    return RecordingStore(place.recordings, loop=loop, mono=time.monotonic, max_bytes=1 << 30, writer="w")


async def work(place: Place, promise: Promise) -> None:
    """Every step may be refused; then the next one is tried, as a server goes on with other people's requests."""
    await certificates(place, promise)
    await logins(place, promise)
    log = a_log(place)
    try:
        await log.open()
    except LogUnavailableError:
        return  # the server does not start
    await requests(log, promise)
    await a_shell(place, log, promise)
    await log.close()


async def certificates(place: Place, promise: Promise) -> None:
    try:
        promise("ca", load_or_create_ca(place.ca, "kube", "kwit", START).pem)
    except (KeystoreError, OSError):
        return


async def logins(place: Place, promise: Promise) -> None:
    store = SqliteStore(place.state)
    try:
        await store.open()
        await store.add_login(LOGIN)
        promise("login", LOGIN.id)
        if await store.end_login(LOGIN.id, START, "logout"):
            promise("ended", LOGIN.id)
        await store.close()
    except StoreError:
        return


async def requests(log: AuditLog, promise: Promise) -> None:
    for number in range(ROUNDS):
        event = {"auditID": f"write-{number}"}
        try:
            promise("intent", [await written(log, Outcome.INTENT, event), event["auditID"]])
        except LogUnavailableError:
            await log_is_back(log)
            continue
        try:
            log.append(RecordType.KUBE_REQUEST, Outcome.DONE, event=event)
            read = {"auditID": f"read-{number}"}
            promise("record", [await written(log, Outcome.DONE, read), read["auditID"]])
        except LogUnavailableError:
            await log_is_back(log)


async def written(log: AuditLog, outcome: Outcome, event: dict[str, object]) -> int:
    seq = log.append(RecordType.KUBE_REQUEST, outcome, event=event)
    await log.durable(seq)
    return seq


async def log_is_back(log: AuditLog) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while not log.available and time.monotonic() < until:
        await asyncio.sleep(0.001)


async def a_shell(place: Place, log: AuditLog, promise: Promise) -> None:
    store = a_store(place)
    try:
        recorder = await store.open(HEAD)
        recorder.take([TYPED])
        await recorder.stored()
        promise("stored", TYPED.data.decode())
        sealed = await recorder.close(StreamOutcome(Ended.EXITED, 0))
        body = seal_body(sealed, HEAD.audit_id)
        seq = log.append(RecordType.RECORDING_SEAL, Outcome.DONE, body=body)
        await log.durable(seq)
        promise("sealed", sealed.sha256)
    except (RecordingFailedError, LogUnavailableError):
        pass
    finally:
        await store.close()


def child(directory: str, promises: str) -> None:
    out = os.open(promises, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def promise(kind: str, what: object) -> None:
        """One write: a line is there or not, whatever ends us."""
        os.write(out, json.dumps([kind, what]).encode() + b"\n")

    signal.sigwait({GO})
    try:
        asyncio.run(work(Place(Path(directory)), promise))
    except BaseException as error:
        where = [one.name for one in traceback.extract_tb(error.__traceback__) if "site-packages" not in one.filename]
        promise("stopped", f"{type(error).__name__} in {' '.join(where[-4:])}")
        raise


def serve() -> None:
    """Fork for each line."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {GO})
    for line in sys.stdin:
        directory, promises = line.split()
        pid = os.fork()
        if pid == 0:
            status = MISTAKE
            try:
                child(directory, promises)
                status = 0
            finally:
                sys.stderr.flush()
                os._exit(status)
        print(pid, flush=True)
        sys.stdin.readline()
        os.kill(pid, GO)
        signal.alarm(60)  # a child that hangs is a finding, and ends us with it
        print(os.waitpid(pid, 0)[1], flush=True)
        signal.alarm(0)


if __name__ == "__main__":
    serve()

"""What a pod writes: a few lines as it starts, then one now and then. It follows from pod and time; nothing is kept."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from deploy.sandbox.apiserver.columns import seconds
from deploy.sandbox.apiserver.kinds import Object
from deploy.sandbox.apiserver.problem import bad_request
from deploy.sandbox.apiserver.resources import Asked

LINE_SECONDS = 5.0
MAX_LINES = 1000
"""What one answer gives of a pod that has run for long: a kubelet forgets, too."""
_START = ("starting", "configuration read", "listening on :8080")
_PATHS = ("/", "/healthz", "/items", "/items/7", "/basket", "/basket/checkout")


@dataclass(frozen=True, slots=True)
class LogOptions:
    """`tail` and `since` None: all; `since` in seconds since the epoch."""

    container: str
    tail: int | None
    since: float | None
    limit: int | None
    timestamps: bool
    follow: bool


def read_options(pod: Object, asked: Asked) -> LogOptions:
    """Raises Problem 400, worded as the API server words it."""
    tail, limit = asked.number("tailLines"), asked.number("limitBytes")
    name, containers = pod["metadata"]["name"], [one["name"] for one in pod["spec"]["containers"]]
    container = asked.target.first("container") or ""
    if not container and len(containers) > 1:
        shown = " ".join(containers)
        raise bad_request(f"a container name must be specified for pod {name}, choose one of: [{shown}]")
    container = container or containers[0]
    if container not in containers:
        raise bad_request(f"container {container} is not valid for pod {name}")
    if "containerStatuses" not in pod["status"]:
        raise bad_request(f'container "{container}" in pod "{name}" is waiting to start: ContainerCreating')
    if asked.flag("previous"):
        raise bad_request(f'previous terminated container "{container}" in pod "{name}" not found')
    since = asked.target.first("sinceTime")
    return LogOptions(
        container,
        tail if asked.target.first("tailLines") else None,
        seconds(since) if since else None,
        limit or None,
        asked.flag("timestamps"),
        asked.flag("follow"),
    )


def lines(pod: Object, options: LogOptions, now: float, *, every: float = LINE_SECONDS) -> list[bytes]:
    """What there is to read at `now`."""
    found = range(_count(pod, now, every))[-MAX_LINES:]
    if options.since is not None:
        found = [number for number in found if _moment(pod, number, every) >= options.since]  # type: ignore[assignment]
    if options.tail is not None:
        found = found[-options.tail :] if options.tail > 0 else range(0)
    return _cut([_line(pod, options, number, every) for number in found], options.limit)


async def follow(
    pod: Object,
    options: LogOptions,
    *,
    clock: Callable[[], float],
    there: Callable[[], bool],
    every: float = LINE_SECONDS,
) -> AsyncIterator[bytes]:
    """What comes after `lines`, for as long as the pod is `there`."""
    number = _count(pod, clock(), every)
    while there():
        await asyncio.sleep(min(every, max(0.0, _moment(pod, number, every) - clock())))
        for at in range(number, number := max(number, _count(pod, clock(), every))):
            yield _line(pod, options, at, every)


def _count(pod: Object, now: float, every: float) -> int:
    return len(_START) + max(0, int((now - _started(pod)) / every))


def _moment(pod: Object, number: int, every: float) -> float:
    return _started(pod) + max(0, number - len(_START) + 1) * every


def _started(pod: Object) -> float:
    return seconds(pod["status"]["startTime"])


def _line(pod: Object, options: LogOptions, number: int, every: float) -> bytes:
    if number < len(_START):
        text = f"{options.container}: {_START[number]}"
    else:
        dice = hashlib.sha256(f"{pod['metadata']['uid']} {number}".encode()).digest()
        status = 404 if dice[0] < 8 else 200
        text = f"{options.container}: GET {_PATHS[dice[1] % len(_PATHS)]} {status} {1 + dice[2] % 40}ms"
    if options.timestamps:
        text = f"{datetime.fromtimestamp(_moment(pod, number, every), UTC):%Y-%m-%dT%H:%M:%S.%f}000Z {text}"
    return text.encode() + b"\n"


def _cut(found: list[bytes], limit: int | None) -> list[bytes]:
    if limit is None:
        return found
    return [b"".join(found)[:limit]]

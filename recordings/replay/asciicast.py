"""A recording as asciicast v2 or v3 (protocols, 10): newline-delimited JSON, a header and then events.

Input is left out unless asked for: it may be a password, and casts are passed around. Stdout and stderr both become
`o`. Typed commands are markers, guessed as `commands` says. What we know beside stands under one key of our own.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from heapq import merge
from typing import Any

from recordings.audit.row import harmless
from recordings.recorder.footer import Footer
from recordings.recorder.head import RecordingHead
from recordings.recorder.moment import Moment
from recordings.replay.commands import Command
from recordings.replay.view import Code, Shown, View, first_size

OWN_KEY = "kubewitness"
_SECOND = 1_000_000


def asciicast(
    head: RecordingHead,
    moments: Iterable[Moment],
    footer: Footer | None,
    *,
    version: int,
    commands: Iterable[Command] = (),
    with_input: bool = False,
) -> Iterator[str]:
    """Its lines, each with its end. `version` is 2 or 3; `commands` are in order."""
    size, moments = first_size(head, moments)
    yield _line(_header(head, footer, version, size))
    markers = (Shown(one.at, Code.MARKER, harmless(one.text)) for one in commands)
    events = merge(_shown(head, moments, footer, with_input), markers, key=lambda shown: shown.at)
    before = 0
    for event in _never_none(events):
        at = _milliseconds(event.at)
        time = (at - before) / 1_000 if version == 3 else event.at / _SECOND
        before = at
        if event.code is not Code.EXIT or version == 3:
            yield _line([time, str(event.code), event.text])


def _header(head: RecordingHead, footer: Footer | None, version: int, size: tuple[int, int]) -> dict[str, Any]:
    columns, rows = size
    if version == 3:
        header: dict[str, Any] = {"version": 3, "term": {"cols": columns, "rows": rows}}
    else:
        header = {"version": 2, "width": columns, "height": rows}
        if footer is not None:
            header["duration"] = footer.duration / _SECOND
    header["timestamp"] = max(int(head.started), 0)
    if head.command:
        header["command"] = " ".join(head.command)
    header["title"] = f"{head.username} on {head.cluster}: {head.namespace}/{head.pod}"
    header[OWN_KEY] = {
        "recording": head.id,
        "audit_id": head.audit_id,
        "user": head.username,
        "cluster": head.cluster,
        "namespace": head.namespace,
        "pod": head.pod,
        "container": head.container,
    }
    return header


def _shown(head: RecordingHead, moments: Iterable[Moment], footer: Footer | None, with_input: bool) -> Iterator[Shown]:
    view = View(head, with_input=with_input)
    last = 0
    for moment in moments:
        last = moment.at
        yield from view.take(moment)
    yield from view.end()
    if footer is not None and footer.exit_code is not None:
        yield Shown(max(last, footer.duration), Code.EXIT, str(footer.exit_code))


def _never_none(events: Iterable[Shown]) -> Iterator[Shown]:
    """At least one: asciinema-player takes a cast without events for broken (protocols, 10.5)."""
    is_empty = True
    for event in events:
        is_empty = is_empty and event.code is Code.EXIT
        if event.code is Code.EXIT and is_empty:
            yield Shown(0, Code.OUTPUT, "")
        is_empty = False
        yield event
    if is_empty:
        yield Shown(0, Code.OUTPUT, "")


def _milliseconds(at: int) -> int:
    """Rounded on the whole, so that intervals' errors do not add up."""
    return (at + 500) // 1_000


def _line(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(", ", ": ")) + "\n"

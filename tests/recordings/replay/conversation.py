"""A shell as it is recorded, for the tests of what reads recordings."""

from dataclasses import replace

from recordings.recorder.head import RecordingHead
from recordings.recorder.moment import Kind, Moment

HEAD = RecordingHead(
    id="abcdefghijklmnopqrstuvwxyz",
    started=1_800_000_000.25,
    cluster="staging-eu",
    namespace="shop",
    pod="web-0",
    subresource="exec",
    audit_id="0199aef2-51c4-7d3a-9f60-1c2b3a4d5e6f",
    issuer="https://idp.example.com",
    subject="ada",
    username="ada@example.com",
    login="l" * 26,
    source="192.0.2.7",
    protocol="v5.channel.k8s.io",
    container="web",
    command=("sh",),
    stdin=True,
    tty=True,
)
PIPED = replace(HEAD, tty=False)


def said(at: float, data: bytes) -> Moment:
    """Output of this second."""
    return Moment(round(at * 1_000_000), Kind.STDOUT, data)


def typed(at: float, data: bytes) -> Moment:
    return Moment(round(at * 1_000_000), Kind.STDIN, data)


def other(at: float, kind: Kind, data: bytes) -> Moment:
    return Moment(round(at * 1_000_000), kind, data)


SHELL = (
    other(0.0, Kind.RESIZE, b"40x10"),
    said(0.1, b"$ "),
    typed(1.0, b"l"),
    said(1.1, b"l"),
    typed(1.2, b"s"),
    said(1.3, b"s"),
    typed(2.0, b"\r"),
    said(2.1, b"\r\nfile one\r\n$ "),
    typed(3.0, b"ca\t"),
    said(3.1, b"cat file\\ one"),
    typed(4.0, b"\r"),
    said(4.1, b"\r\nsecret\rxxxxxx\r\npassword: "),
    typed(10.0, b"hunter2\r"),
    said(10.1, b"\r\nno\r\n$ \x1b[31m\xc3"),
    other(10.2, Kind.RESIZE, b"30x8"),
    said(10.3, b"\xa4\x1b[0m"),
)

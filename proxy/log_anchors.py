"""The anchors of the configuration, and how they do: lines for /readyz and for /metrics.

One process of an installation publishes for all its writers, from the log's files.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from functools import partial
from pathlib import Path

from proxy.config import Config
from proxy.config_anchors import (
    AnyAnchor,
    ConfigMapAnchorSection,
    FileAnchorSection,
    HttpAnchorSection,
    S3AnchorSection,
    WitnessAnchorSection,
)
from proxy.keys import audit_root
from proxy.operations import Check
from recordings.audit.anchors.anchor import Anchor, AnchorError
from recordings.audit.anchors.configmap_anchor import ConfigMapAnchor
from recordings.audit.anchors.cosignature import WitnessKey
from recordings.audit.anchors.file_anchor import FileAnchor
from recordings.audit.anchors.http_anchor import HttpAnchor
from recordings.audit.anchors.newest_checkpoint import NewestCheckpoints
from recordings.audit.anchors.outbound import Outbound
from recordings.audit.anchors.publisher import Publisher
from recordings.audit.anchors.s3_anchor import Bucket, S3Anchor
from recordings.audit.anchors.signature_v4 import AccessKey
from recordings.audit.anchors.witness_anchor import WitnessAnchor

MAX_SECRET_BYTES = 16 * 1024
"""Of a token's file; a service account's token has some 1 KiB."""
BEHIND_SECONDS = 30.0
"""An anchor that has not had the newest checkpoint for so long is an alarm, also where it merely is slow."""
HELP = {
    "kwit_anchor_checkpoints_total": ("counter", "Checkpoints that an anchor took."),
    "kwit_anchor_failures_total": ("counter", "Checkpoints that an anchor did not take; they are tried again."),
    "kwit_anchor_behind_seconds": ("gauge", "For how long an anchor has not had the newest checkpoint."),
}


class LogAnchors:
    """`start`, then `checks` and `page` at any time, then `stop`: after the log's end, so that this is known, too."""

    def __init__(
        self, config: Config, *, clock: Callable[[], float], mono: Callable[[], float], say: Callable[[str], None]
    ) -> None:
        """Raises OSError for a file that cannot be read; ssl.SSLError, LogUnavailableError for one of another kind."""
        self._mono = mono
        anchors = [anchor_of(section, config, clock) for section in config.audit.anchors]
        newest = NewestCheckpoints(config.audit_directory)
        self._publisher = Publisher(anchors, newest.read, mono=mono, say=say)

    def start(self) -> None:
        if self._publisher.standings:
            self._publisher.start()

    async def stop(self) -> None:
        if self._publisher.standings:
            await self._publisher.stop()

    def checks(self) -> list[Check]:
        """None of them takes a server out of service: the log is whole without."""
        found = []
        for one in self._publisher.standings:
            behind = one.behind_seconds(self._mono())
            slow = f"has not had the newest checkpoint for {behind:.0f} s" if behind > BEHIND_SECONDS else ""
            problem = one.problem or slow or self._publisher.problem
            found.append(Check(f"anchor-{one.name}", problem, fatal=False))
        return found

    def page(self) -> str:
        """Metrics in Prometheus' text format; nothing without anchors."""
        standings = self._publisher.standings
        if not standings:
            return ""
        values = {
            "kwit_anchor_checkpoints_total": [one.checkpoints for one in standings],
            "kwit_anchor_failures_total": [one.failures for one in standings],
            "kwit_anchor_behind_seconds": [round(one.behind_seconds(self._mono())) for one in standings],
        }
        lines = []
        for name, (kind, meaning) in HELP.items():
            lines += [f"# HELP {name} {meaning}", f"# TYPE {name} {kind}"]
            for one, value in zip(standings, values[name], strict=True):
                label = one.name.replace("\\", "\\\\").replace('"', '\\"')
                lines.append(f'{name}{{anchor="{label}"}} {value}')
        return "\n".join(lines) + "\n"


def anchor_of(section: AnyAnchor, config: Config, clock: Callable[[], float]) -> Anchor:
    """Raises OSError, ssl.SSLError for its CA's file; a witness needs the log's root key: LogUnavailableError."""
    every = float(section.every)
    match section:
        case FileAnchorSection():
            return FileAnchor(section.path, every=every)
        case HttpAnchorSection():
            token = partial(_secret, section.token_file) if section.token_file is not None else str
            return HttpAnchor(section.url, _outbound(section.ca_file), token=token, every=every)
        case S3AnchorSection():
            bucket = Bucket(section.endpoint, section.bucket, section.prefix, section.retain)
            key = partial(_access_key, section)
            return S3Anchor(bucket, _outbound(section.ca_file), key=key, clock=clock, every=every)
        case ConfigMapAnchorSection():
            where, token = (section.server, section.namespace, section.name), partial(_secret, section.token_file)
            return ConfigMapAnchor(*where, _outbound(section.ca_file), token=token, every=every)
        case WitnessAnchorSection():
            whose, log = WitnessKey.parse(section.key), (audit_root(config), config.audit_directory)
            return WitnessAnchor(section.url, whose, *log, _outbound(section.ca_file), clock=clock, every=every)


def _outbound(ca_file: Path | None) -> Outbound:
    return Outbound(ssl.create_default_context(cafile=None if ca_file is None else str(ca_file)))


def _access_key(section: S3AnchorSection) -> AccessKey:
    return AccessKey(section.access_key_id, _secret(section.secret_key_file), section.region)


def _secret(path: Path) -> str:
    """Raises AnchorError."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_SECRET_BYTES + 1)
    except OSError as error:
        raise AnchorError(f"{path} cannot be read: {error.strerror}") from error
    text = data.decode("utf-8", "replace").strip()
    if not text.isascii() or not text.isprintable() or not text or len(data) > MAX_SECRET_BYTES:
        raise AnchorError(f"{path} holds no token")
    return text

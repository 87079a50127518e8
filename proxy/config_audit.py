"""The configuration of the audit log."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import Field, field_validator

from proxy.config_anchors import MAX_ANCHORS, AnyAnchor
from proxy.config_section import Section
from proxy.config_types import Duration, PathBesideFile, Size


class Durability(StrEnum):
    """What waits for the disk before it goes on."""

    MUTATING = "mutating"
    STRICT = "strict"


MAX_EXPORTS = 32
"""Each is looked at once a minute."""


class Export(Section):
    """A `kwit audit export --follow` that something relies on; the server records when it falls behind."""

    name: str = Field(pattern=r"^[a-z0-9]([a-z0-9.-]{0,62}[a-z0-9])?$", examples=["siem"])
    """In the record and the metric."""
    cursor: PathBesideFile
    """The file that the export names with --cursor; this server must be able to read it."""
    lag: Duration = Field(default=300, ge=10, le=7 * 86_400)
    """How old the oldest record may be that was not exported."""


class Audit(Section):
    """The audit log on this machine's disk."""

    directory: PathBesideFile | None = None
    """Left out: audit in data_dir."""
    durability: Durability = Durability.MUTATING
    """mutating: writes and streams wait for the disk, reads for the kernel; strict: everything waits for the disk."""
    segment_bytes: Size = Field(default=256 << 20, ge=1 << 20, le=4 << 30)
    """A segment file is closed at this size."""
    segment_age: Duration = Field(default=86_400, ge=60, le=7 * 86_400)
    """Or at this age."""
    retention_age: Duration | None = Field(default=None, ge=86_400)
    """A closed segment is removed when its last record is older, with a record that says so; left out: never."""
    retention_size: Size | None = Field(default=None, ge=1 << 20)
    """The oldest closed segments are removed when all files of the log take more; left out: never."""
    policy_profile: Literal["proxy", "gce", "cis", "falco", "metadata"] = "proxy"
    """Which audit policy decides what is exported and shown; `kwit audit policy show NAME` prints one."""
    policy_file: PathBesideFile | None = None
    """An audit.k8s.io/v1 Policy instead of a profile."""
    root_key_file: PathBesideFile | None = None
    """Ed25519 private key in PEM that vouches for the log's keys; left out: one is made beside the CAs."""
    anchors: tuple[AnyAnchor, ...] = Field(default=(), max_length=MAX_ANCHORS)
    """Places that keep the log's checkpoints, so that a removal of its newest records shows: type file, http, s3,
    configmap or witness."""
    exports: tuple[Export, ...] = Field(default=(), max_length=MAX_EXPORTS)
    """Exports that something relies on, each with its cursor file; the record export.lag says when one falls behind."""

    @field_validator("exports")
    @classmethod
    def _names_differ(cls, value: tuple[Export, ...]) -> tuple[Export, ...]:
        if len({one.name for one in value}) < len(value):
            raise ValueError("two exports have one name")
        return value

"""The configuration of the audit log."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import Field

from proxy.config_anchors import MAX_ANCHORS, AnyAnchor
from proxy.config_section import Section
from proxy.config_types import Duration, PathBesideFile, Size


class Durability(StrEnum):
    """What waits for the disk before it goes on."""

    MUTATING = "mutating"
    STRICT = "strict"


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

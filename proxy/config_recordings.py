"""The configuration of recordings."""

from __future__ import annotations

from pydantic import Field

from proxy.config_section import Section
from proxy.config_types import PathBesideFile, Size


class Recordings(Section):
    """What is kept of shells, attaches and copies on this machine's disk."""

    directory: PathBesideFile | None = None
    """Left out: recordings in data_dir."""
    max_bytes: Size = Field(default=4 << 30, ge=1 << 20, le=1 << 40)
    """What one stream may send and receive together; at this size it is ended, with a record that says so."""

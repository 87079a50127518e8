"""Which kubewitness this is."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed


def version() -> str:
    """The installed distribution's version; `0+checkout` where there is none."""
    try:
        return installed("kubewitness")
    except PackageNotFoundError:
        return "0+checkout"

"""The folders in which a sandbox's pods run their commands: one for each pod, made when first needed."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path


class PodFolders:
    """`of` a pod's uid; `close` removes them all. Raises OSError."""

    def __init__(self) -> None:
        self._root: Path | None = None

    def of(self, uid: str) -> Path:
        """Nobody else on the machine may look into it."""
        if self._root is None:
            self._root = Path(tempfile.mkdtemp(prefix="kwit-pods-"))
        folder = self._root / uid
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    def close(self) -> None:
        """Whatever the pods have written is gone."""
        if self._root is not None:
            shutil.rmtree(self._root, ignore_errors=True)
            self._root = None

"""A writer's keys on the disk: `keys`, which is never deleted, and the private key of the segment that is open.

The order that a crash may cut anywhere: the new private key is on the disk, then the entry that vouches for it, then
the segment's header; only then is the old private key destroyed. So the newest entry's private key is always there, or
was there when the next one was vouched for.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from recordings.audit.checkpoint import check_origin
from recordings.audit.disk import check_whole
from recordings.audit.key_chain import SegmentKey, note_of, to_line, verified_chain, vouched
from recordings.audit.keys_file import KEYS
from recordings.audit.new_file import create, destroy, sync_directory
from recordings.audit.note import Ed25519Signer, NoteError, PublicKey, Signer
from recordings.audit.root_key import load_private, private_pem
from recordings.errors import LogUnavailableError

_SUFFIX = ".key"


@dataclass(frozen=True, slots=True, eq=False)
class _OwnKey:
    """A segment's private key and its file; `size` leaves are before the segment."""

    size: int
    signer: Ed25519Signer
    path: Path


class Keyring:
    """`open` once; `next` before each segment, `begun` once its header is written, `tidy` when there is time."""

    def __init__(
        self,
        directory: Path,
        origin: str,
        root: Signer,
        new_key: Callable[[], Ed25519PrivateKey] = Ed25519PrivateKey.generate,
    ) -> None:
        """Raises NoteError for an origin that cannot stand in a checkpoint."""
        check_origin(origin)
        self.origin = origin
        self._directory, self._root, self._new_key = directory, root, new_key
        self._current: _OwnKey | None = None
        self._prepared: _OwnKey | None = None
        self._keys_bytes = 0
        self._obsolete: list[Path] = []
        self.last_size: int | None = None
        """Leaves before the newest segment that `keys` speaks of, as `open` found it; None where there is none."""

    def open(self) -> None:
        """Read what is there. Raises LogUnavailableError, OSError.

        Only the newest key's file is read: the others are to be destroyed, and a crash may have come between the two
        steps of that.
        """
        self._current = self._prepared = self.last_size = None
        chain = self._chain()
        self._obsolete = self._files()
        if chain:
            newest = chain[-1]
            self.last_size = newest.size
            path = self._file(newest.size, newest.public)
            if path in self._obsolete:
                self._obsolete.remove(path)
                self._current = self._loaded(path, newest)

    def _loaded(self, path: Path, key: SegmentKey) -> _OwnKey:
        signer = Ed25519Signer.of(self.origin, load_private(path))
        if signer.public != key.public:
            raise LogUnavailableError(f"{path} is not the key that its name says; restore it, or remove it")
        return _OwnKey(key.size, signer, path)

    def next(self, size: int) -> Signer:
        """The key of the segment before which there are `size` leaves, vouched for on the disk. Raises OSError.

        Asked again for the same size before `begun`, the same key: a full disk must not collect one a second.
        """
        if self._prepared is None or self._prepared.size != size:
            signer = Ed25519Signer.of(self.origin, self._new_key())
            path = self._file(size, signer.public)
            create(path, private_pem(signer.private))
            self._prepared = _OwnKey(size, signer, path)
        if self._current is not self._prepared:
            self._vouch(self._prepared)
        return self._prepared.signer

    def _vouch(self, new: _OwnKey) -> None:
        old = self._current
        by: Signer = self._root if old is None else old.signer
        self._add(vouched(SegmentKey(new.size, new.signer.public, by_root=old is None), by))
        self._current = new
        if old is not None:
            self._obsolete.append(old.path)

    def begun(self) -> None:
        """The header of the segment is written."""
        self._prepared = None

    def tidy(self) -> None:
        """Destroy the private keys of segments that have a successor. A disk error leaves them for the next time."""
        while self._obsolete:
            path = self._obsolete[-1]
            with suppress(OSError):
                destroy(path)
            if path.exists():
                return
            self._obsolete.pop()

    def _file(self, size: int, public: PublicKey) -> Path:
        return self._directory / f"{size:020d}-{public.key.hex()[:16]}{_SUFFIX}"

    def _files(self) -> list[Path]:
        return sorted(path for path in self._directory.iterdir() if path.suffix == _SUFFIX and path.name[0] != ".")

    def _chain(self) -> tuple[SegmentKey, ...]:
        path = self._directory / KEYS
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            self._keys_bytes = 0
            return ()
        whole = data[: data.rfind(b"\n") + 1]  # what a crash left unfinished is overwritten by the next entry
        try:
            chain = verified_chain([note_of(line) for line in whole.split(b"\n")[:-1]], self._root.public)
            self._check_origin(chain)
        except NoteError as error:
            raise LogUnavailableError(
                f"{path} does not lead from the root key {self._root.public.name}+{self._root.public.id.hex()} to this "
                f"log ({error}); restore the root key, or move {self._directory} away and keep it for the auditors"
            ) from error
        self._keys_bytes = len(whole)
        return chain

    def _check_origin(self, chain: tuple[SegmentKey, ...]) -> None:
        if any(key.public.name != self.origin for key in chain):
            raise NoteError(f"it speaks of {chain[0].public.name}, and this log is {self.origin}")

    def _add(self, note: str) -> None:
        """What an earlier failure may have left behind the last good entry goes first."""
        path, line = self._directory / KEYS, to_line(note)
        is_new = not path.exists()
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            os.ftruncate(fd, self._keys_bytes)
            check_whole(os.write(fd, line), line)
            os.fsync(fd)
        finally:
            os.close(fd)
        if is_new:
            sync_directory(self._directory)
        self._keys_bytes += len(line)

"""Changes a log as somebody does who has its disk, in twenty and some ways, and asks the verifier whether it sees it.

What may go unseen is one thing: the loss of the newest lines behind the last checkpoint that was kept elsewhere. So a
mutant that is called whole must hold just the first lines of the true log, as many as that checkpoint counts at least.

`python -m tests.battery.log.tamper 1000000` runs as many mutants and says what came of each kind;
`python -m tests.battery.log.tamper bits 65536` flips every bit of a segment of about so many bytes.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from recordings.audit.checkpoint import PREFIX, Checkpoint, note_of, signed, to_line
from recordings.audit.encode import encode
from recordings.audit.key_chain import SegmentKey, vouched
from recordings.audit.key_chain import to_line as key_line
from recordings.audit.keyring import Keyring
from recordings.audit.log import AuditLog, LogSettings
from recordings.audit.notary import Notary
from recordings.audit.note import Ed25519Signer, PublicKey
from recordings.audit.record import Outcome, RecordType
from recordings.audit.segment_header import parse_header
from recordings.audit.verify import verify

ROOT = Ed25519Signer.of("acme/audit-root", Ed25519PrivateKey.from_private_bytes(bytes(32)))
MINE = Ed25519PrivateKey.from_private_bytes(bytes([7]) * 32)
ORIGIN = "acme/node-0"
KEYS = "keys"
SEGMENT_BYTES = 3_000
"""Small, since each mutant costs a verification: four segments of a few records."""

Files = dict[str, bytes]


@dataclass(frozen=True)
class Log:
    """A log as it was written, another one of the same installation, the newest private key, a checkpoint kept."""

    files: Files
    other: Files
    stolen: Ed25519PrivateKey
    anchor: str
    anchored: int

    @property
    def lines(self) -> list[bytes]:
        return all_lines(self.files)


def written(folder: Path) -> Log:
    """Make one."""
    for name in ("node-0", "node-1"):
        asyncio.run(_write(folder / name))
    (stolen,) = (folder / "node-0").glob("*.key")
    key = serialization.load_pem_private_key(stolen.read_bytes(), None)
    assert isinstance(key, Ed25519PrivateKey)
    files = _read(folder / "node-0")
    notes = [note_of(line) for line in all_lines(files) if line.startswith(PREFIX)]
    anchor = notes[len(notes) * 2 // 3]
    return Log(files, _read(folder / "node-1"), key, anchor, int(anchor.split("\n")[1]))


def a_log(directory: Path, *, origin: str, segment_bytes: int = SEGMENT_BYTES) -> AuditLog:
    """Signed, as a start of a server makes it."""
    return AuditLog(
        LogSettings(directory, directory.name, segment_bytes=segment_bytes),
        loop=asyncio.get_running_loop(),
        clock=lambda: 1_700_000_000.0,
        mono=lambda: 0.0,
        new_id=lambda: "id",
        boot="b",
        notary=Notary(Keyring(directory, origin, ROOT)),
    )


async def _write(directory: Path, *, segment_bytes: int = SEGMENT_BYTES, records: int = 5) -> None:
    for _ in range(2):
        log = a_log(directory, origin=f"acme/{directory.name}", segment_bytes=segment_bytes)
        await log.open()
        for number in range(records):
            body = {"what": f"{directory.name} {number} ".ljust(60, "x")}
            seq = log.append(RecordType.CONFIG_CHANGE, Outcome.DONE, body=body)
            if number % 2:
                await log.durable(seq)
        await log.close()


def _read(directory: Path) -> Files:
    return {one.name: one.read_bytes() for one in directory.iterdir() if one.suffix == ".ndjson" or one.name == KEYS}


def names(files: Files) -> list[str]:
    return sorted(name for name in files if name != KEYS)


def parts_of(data: bytes) -> list[bytes]:
    return data.split(b"\n")[:-1]


def joined(parts: list[bytes]) -> bytes:
    return b"".join(part + b"\n" for part in parts)


def all_lines(files: Files) -> list[bytes]:
    return [line for name in names(files) for line in parts_of(files[name])]


# -- the kinds: each gives the files after somebody was there


Kind = Callable[[Log, Files, Random], Files]


def _lines_of(files: Files, random: Random) -> tuple[str, list[bytes]]:
    name = random.choice(names(files))
    return name, parts_of(files[name])


def _with(files: Files, name: str, parts: list[bytes]) -> Files:
    return {**files, name: joined(parts)}


def a_bit_flipped(_log: Log, files: Files, random: Random) -> Files:
    name = random.choice(sorted(files))
    data = bytearray(files[name])
    if data:
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)
    return {**files, name: bytes(data)}


def a_byte_changed(_log: Log, files: Files, random: Random) -> Files:
    name = random.choice(sorted(files))
    data = bytearray(files[name])
    if data:
        data[random.randrange(len(data))] = random.randrange(256)
    return {**files, name: bytes(data)}


def bytes_cut_out(_log: Log, files: Files, random: Random) -> Files:
    name = random.choice(sorted(files))
    data = files[name]
    begin = random.randrange(len(data) + 1)
    return {**files, name: data[:begin] + data[begin + random.randrange(1, 200) :]}


def a_value_edited(_log: Log, files: Files, random: Random) -> Files:
    name, parts = _lines_of(files, random)
    old, new = random.choice(
        ((b'"done"', b'"failed"'), (b"xx", b"yy"), (b'"boot":"b"', b'"boot":"c"'), (b"node", b"mode"))
    )
    return _with(files, name, [part.replace(old, new, 1) for part in parts])


def back_dated(_log: Log, files: Files, random: Random) -> Files:
    name, parts = _lines_of(files, random)
    return _with(files, name, [part.replace(b'"time":"2023', b'"time":"2022') for part in parts])


def a_line_deleted(_log: Log, files: Files, random: Random) -> Files:
    name, parts = _lines_of(files, random)
    at = random.randrange(len(parts) or 1)
    return _with(files, name, parts[:at] + parts[at + 1 :])


def a_line_doubled(_log: Log, files: Files, random: Random) -> Files:
    name, parts = _lines_of(files, random)
    at = random.randrange(len(parts) or 1)
    return _with(files, name, parts[: at + 1] + parts[at:])


def lines_reordered(_log: Log, files: Files, random: Random) -> Files:
    name, parts = _lines_of(files, random)
    if len(parts) > 1:
        one, two = random.sample(range(len(parts)), 2)
        parts[one], parts[two] = parts[two], parts[one]
    return _with(files, name, parts)


def a_line_moved_to_another_segment(_log: Log, files: Files, random: Random) -> Files:
    (one, source), (two, target) = _lines_of(files, random), _lines_of(files, random)
    if one == two or not source:
        return files
    line = source.pop(random.randrange(len(source)))
    target.insert(random.randrange(len(target) + 1), line)
    return {**files, one: joined(source), two: joined(target)}


def a_line_of_another_log(log: Log, files: Files, random: Random) -> Files:
    name, parts = _lines_of(files, random)
    parts.insert(random.randrange(len(parts) + 1), random.choice(all_lines(log.other)))
    return _with(files, name, parts)


def a_record_made_up(_log: Log, files: Files, random: Random) -> Files:
    name, parts = _lines_of(files, random)
    record = {"v": 1, "seq": random.randrange(40), "type": "log.removed", "body": _tombstone(random)}
    parts.insert(random.randrange(len(parts) + 1), encode(record)[:-1])
    return _with(files, name, parts)


def _tombstone(random: Random) -> dict[str, object]:
    return {"standing": [{"origin": ORIGIN, "start": 0, "end": random.randrange(60), "root": "x"}]}


def a_segment_removed_and_a_tombstone_made_up(log: Log, files: Files, random: Random) -> Files:
    name = random.choice(names(files))
    rest = {other: data for other, data in files.items() if other != name}
    return a_record_made_up(log, rest, random) if names(rest) else rest


def checkpoints_removed(_log: Log, files: Files, random: Random) -> Files:
    name, parts = _lines_of(files, random)
    return _with(files, name, [part for part in parts if not part.startswith(PREFIX) or random.random() < 0.5])


def a_checkpoint_respelt(_log: Log, files: Files, random: Random) -> Files:
    name, parts = _lines_of(files, random)
    marks = [at for at, part in enumerate(parts) if part.startswith(PREFIX)]
    if marks:
        at = random.choice(marks)
        old, new = random.choice(
            ((b":", b": "), (b"==", b"="), (b"\\n\\n", b"\\n\\n\\n"), (b'"}', b'","a":1}'), (b"A", b"\\u0041"))
        )
        parts[at] = parts[at].replace(old, new, 1)
    return _with(files, name, parts)


def the_end_cut_off(_log: Log, files: Files, random: Random) -> Files:
    name = names(files)[-1]
    return {**files, name: files[name][: random.randrange(len(files[name]) + 1)]}


def a_file_cut_off(_log: Log, files: Files, random: Random) -> Files:
    name = random.choice(sorted(files))
    return {**files, name: files[name][: random.randrange(len(files[name]) + 1)]}


def something_appended(_log: Log, files: Files, random: Random) -> Files:
    name = random.choice(sorted(files))
    return {**files, name: files[name] + random.choice((b"\x00" * 512, b"\n", b"x", b"{}\n", files[name][-90:]))}


def a_segment_removed(_log: Log, files: Files, random: Random) -> Files:
    gone = random.choice(names(files))
    return {name: data for name, data in files.items() if name != gone}


def rolled_back(_log: Log, files: Files, random: Random) -> Files:
    """Segments and keys as they were at some earlier time: a backup that was restored."""
    count = random.randrange(1, len(names(files)) + 1)
    kept = {name: files[name] for name in names(files)[:count]}
    keys = parts_of(files[KEYS])
    return {**kept, KEYS: joined(keys[: max(1, count - random.randrange(2))])}


def segments_exchanged(_log: Log, files: Files, random: Random) -> Files:
    one, two = random.choice(names(files)), random.choice(names(files))
    return {**files, one: files[two], two: files[one]}


def a_segment_renamed(_log: Log, files: Files, random: Random) -> Files:
    name = random.choice(names(files))
    rest = {other: data for other, data in files.items() if other != name}
    return {**rest, f"{random.randrange(60):020d}.ndjson": files[name]}


def a_segment_put_back(_log: Log, files: Files, random: Random) -> Files:
    number = random.randrange(60)
    return {**files, f"{number:020d}-{random.randrange(1, 3)}.ndjson": files[random.choice(names(files))]}


def a_segment_of_another_log(log: Log, files: Files, random: Random) -> Files:
    return {**files, random.choice(names(files)): log.other[random.choice(names(log.other))]}


def two_logs_spliced(log: Log, files: Files, random: Random) -> Files:
    at = random.randrange(len(names(files)) + 1)
    theirs = {name: log.other[name] for name in names(log.other)[at:]}
    keys = {KEYS: (files if random.random() < 0.5 else log.other)[KEYS]}
    return {**{name: files[name] for name in names(files)[:at]}, **theirs, **keys}


def keys_changed(log: Log, files: Files, random: Random) -> Files:
    entries = parts_of(files[KEYS])
    way = random.randrange(4)
    if way == 0 and entries:
        entries.pop(random.randrange(len(entries)))
    elif way == 1 and entries:
        entries.insert(random.randrange(len(entries) + 1), random.choice(entries))
    elif way == 2:
        random.shuffle(entries)
    else:
        entries.insert(random.randrange(len(entries) + 1), random.choice(parts_of(log.other[KEYS])))
    return {**files, KEYS: joined(entries)}


def chained_anew_without_the_key(_log: Log, files: Files, random: Random) -> Files:
    name = random.choice(names(files))
    return _chained_anew(files, name, MINE, random)


def chained_anew_with_the_stolen_newest_key(log: Log, files: Files, random: Random) -> Files:
    """Of a segment that is over: the thief came later."""
    if len(names(files)) < 2:
        return files
    return _chained_anew(files, random.choice(names(files)[:-1]), log.stolen, random)


def _chained_anew(files: Files, name: str, private: Ed25519PrivateKey, random: Random) -> Files:
    """Other records, each checkpoint signed anew; the key in the header, in `keys`, in both or in neither."""
    signer, parts = Ed25519Signer.of(ORIGIN, private), parts_of(files[name])
    header = parse_header(parts[0])
    if random.random() < 0.7:
        parts[0] = parts[0].replace(str(header.key).encode(), str(signer.public).encode())
    tree, made = header.tree, list[bytes]()
    for part in parts:
        note = signed(Checkpoint(ORIGIN, tree.size, tree.root()), signer) if part.startswith(PREFIX) else ""
        made.append(to_line(note)[:-1] if note else part.replace(b"xx", b"yy"))
        tree.add(made[-1])
    entries = parts_of(files[KEYS])
    if random.random() < 0.7:
        by = random.choice((signer, Ed25519Signer.of(ROOT.public.name, private)))
        entry = key_line(vouched(SegmentKey(header.size, signer.public, by_root=False), by))[:-1]
        at = names(files).index(name)
        entries[at : at + random.randrange(2)] = [entry]
    return {**files, name: joined(made), KEYS: joined(entries)}


KINDS: tuple[Kind, ...] = (
    a_bit_flipped,
    a_byte_changed,
    bytes_cut_out,
    a_value_edited,
    back_dated,
    a_line_deleted,
    a_line_doubled,
    lines_reordered,
    a_line_moved_to_another_segment,
    a_line_of_another_log,
    a_record_made_up,
    a_segment_removed_and_a_tombstone_made_up,
    checkpoints_removed,
    a_checkpoint_respelt,
    the_end_cut_off,
    a_file_cut_off,
    something_appended,
    a_segment_removed,
    rolled_back,
    segments_exchanged,
    a_segment_renamed,
    a_segment_put_back,
    a_segment_of_another_log,
    two_logs_spliced,
    keys_changed,
    chained_anew_without_the_key,
    chained_anew_with_the_stolen_newest_key,
)


# -- the judge


class Judge:
    """Keeps the files of a mutant in one directory, writing only what has changed."""

    def __init__(self, log: Log, directory: Path, key: PublicKey = ROOT.public) -> None:
        self._log, self._directory, self._key = log, directory, key
        self._there: Files = {}

    def is_called_whole(self, files: Files) -> bool:
        for name in self._there.keys() - files.keys():
            (self._directory / name).unlink()
        for name, data in files.items():
            if self._there.get(name) != data:
                (self._directory / name).write_bytes(data)
        self._there = files
        return all(one.is_whole for one in verify(self._directory, self._key, [self._log.anchor]))

    def may_go_unseen(self, files: Files) -> bool:
        """Nothing but the newest lines is gone, and the checkpoint that was kept speaks of none of these."""
        true, found = self._log.lines, all_lines(files)
        return len(found) > self._log.anchored and found == true[: len(found)]


@dataclass
class Tally:
    """`unseen`: of pure losses behind the anchor; `missed` should be empty."""

    tried: Counter[str]
    unseen: Counter[str]
    missed: list[tuple[int, str]]


def run(log: Log, directory: Path, seeds: range) -> Tally:
    """One mutant for each seed: one change, or two or three on top of each other."""
    judge, tally = Judge(log, directory), Tally(Counter(), Counter(), [])
    for seed in seeds:
        random = Random(seed)
        kind = KINDS[seed % len(KINDS)]
        files = mutant(log, kind, random)
        if files is None:
            continue
        tally.tried[kind.__name__] += 1
        if judge.is_called_whole(files):
            if judge.may_go_unseen(files):
                tally.unseen[kind.__name__] += 1
            else:
                tally.missed.append((seed, kind.__name__))
    return tally


def every_bit(folder: Path, size: int) -> list[tuple[int, int]]:
    """(byte, bit) of a segment of about this size that rotted unseen: should be empty."""
    asyncio.run(_write(folder, segment_bytes=size * 2, records=size // 330))
    name = names(_read(folder))[0]
    path = folder / name
    good = path.read_bytes()
    unseen = []
    with path.open("r+b", buffering=0) as file:
        for at, byte in enumerate(good):
            for bit in range(8):
                os.pwrite(file.fileno(), bytes([byte ^ 1 << bit]), at)
                if all(one.is_whole for one in verify(folder, ROOT.public)):
                    unseen.append((at, bit))
            os.pwrite(file.fileno(), bytes([byte]), at)
    return unseen


def mutant(log: Log, kind: Kind, random: Random) -> Files | None:
    """None where nothing was changed, or what one change did the next one could not go on from."""
    files = log.files
    try:
        for number in range(random.choice((1, 1, 1, 2, 3))):
            files = (kind if number == 0 else random.choice(KINDS))(log, files, random)
    except Exception:  # noqa: BLE001 - a kind takes files that another has damaged
        return None
    return None if files == log.files or not names(files) else files


def main() -> int:
    """A million mutants take about an hour on one core, all bits of 64 KiB over one."""
    if sys.argv[1] == "bits":
        with tempfile.TemporaryDirectory() as folder:
            unseen = every_bit(Path(folder), int(sys.argv[2]))
        print(f"bits that rotted unseen: {unseen}")
        return bool(unseen)
    count, first = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0
    with tempfile.TemporaryDirectory() as folder:
        log = written(Path(folder) / "true")
        (mutants := Path(folder) / "mutants").mkdir()
        began = time.monotonic()
        tally = run(log, mutants, range(first, first + count))
    for kind, tried in sorted(tally.tried.items()):
        print(f"{kind:45} {tried:9,} mutants, {tally.unseen[kind]:7,} lost only what no anchor spoke of")
    print(f"{sum(tally.tried.values()):,} mutants in {time.monotonic() - began:.0f} s; missed: {tally.missed}")
    return bool(tally.missed)


if __name__ == "__main__":
    raise SystemExit(main())

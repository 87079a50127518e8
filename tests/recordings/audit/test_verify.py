"""Claims about verification: what was written is whole, and what anybody changed afterwards is found, and where."""

from __future__ import annotations

import asyncio
import json
import os
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from recordings.audit.checkpoint import PREFIX, Checkpoint, note_of, signed, to_line
from recordings.audit.encode import encode
from recordings.audit.key_chain import SegmentKey, vouched
from recordings.audit.key_chain import to_line as key_line
from recordings.audit.keyring import Keyring
from recordings.audit.log import AuditLog, LogSettings
from recordings.audit.merkle import Tree
from recordings.audit.notary import Notary
from recordings.audit.note import Ed25519Signer, NoteError
from recordings.audit.record import Outcome, RecordType
from recordings.audit.segment_header import parse_header, signed_fields
from recordings.audit.verdict import Finding, Kind, Verdict
from recordings.audit.verify import total_bytes, verify

ROOT = Ed25519Signer.of("acme/audit-root", Ed25519PrivateKey.from_private_bytes(bytes(32)))
Files = dict[str, bytes]


async def write(directory: Path, *, rounds: int = 3, segment_bytes: int = 4_500) -> None:
    """Records with and without a wait, over several segments and two starts."""
    for _ in range(2):
        log = AuditLog(
            LogSettings(directory, directory.name, segment_bytes=segment_bytes),
            loop=asyncio.get_running_loop(),
            clock=lambda: 1_700_000_000.0,
            mono=lambda: 0.0,
            new_id=lambda: "id",
            boot="b",
            notary=Notary(Keyring(directory, f"acme/audit/{directory.name}", ROOT)),
        )
        await log.open()
        for number in range(rounds * 4):
            seq = log.append(RecordType.CONFIG_CHANGE, Outcome.DONE, body={"what": f"{number} ".ljust(100, "x")})
            if number % 4 == 3:
                await log.durable(seq)
        await log.close()


@dataclass(frozen=True)
class Log:
    files: Files
    other: Files
    stolen: Ed25519PrivateKey


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Log:
    root = tmp_path_factory.mktemp("pristine")
    asyncio.run(write(root / "node-0"))
    asyncio.run(write(root / "node-1"))
    (stolen,) = (root / "node-0").glob("*.key")
    key = serialization.load_pem_private_key(stolen.read_bytes(), None)
    assert isinstance(key, Ed25519PrivateKey)
    return Log(read(root / "node-0"), read(root / "node-1"), key)


@pytest.fixture
def judged(tmp_path: Path) -> Callable[..., Verdict]:
    """The verdict on files as given, all else removed."""
    directory = tmp_path / "node-0"
    directory.mkdir()
    there: Files = {}

    def judge(files: Files, *anchors: str) -> Verdict:
        for name in there.keys() - files.keys():
            (directory / name).unlink()
        for name, data in files.items():
            if there.get(name) != data:
                (directory / name).write_bytes(data)
        there.clear()
        there.update(files)
        return verify(tmp_path, ROOT.public, anchors)[0]

    return judge


def read(directory: Path) -> Files:
    kept = [path for path in directory.iterdir() if path.suffix == ".ndjson" or path.name == "keys"]
    return {path.name: path.read_bytes() for path in kept}


def names(files: Files) -> list[str]:
    return sorted(name for name in files if name != "keys")


def lines(data: bytes) -> list[bytes]:
    return data.split(b"\n")[:-1]


def joined(parts: list[bytes]) -> bytes:
    return b"".join(part + b"\n" for part in parts)


def last_note(files: Files) -> str:
    return note_of(lines(files[names(files)[-1]])[-1])


def test_what_was_written_is_whole(log: Log, judged: Callable[..., Verdict]) -> None:
    verdict = judged(log.files)
    every = [line for name in names(log.files) for line in lines(log.files[name])]
    assert verdict.is_whole
    assert (verdict.findings, verdict.notices) == ([], [])
    assert (verdict.directory, verdict.origin) == ("node-0", "acme/audit/node-0")
    assert (verdict.segments, verdict.lines) == (len(names(log.files)), len(every))
    assert verdict.segments > 3
    assert verdict.records == sum(b'"seq":' in line for line in every)
    assert verdict.bytes == sum(len(line) + 1 for line in every)
    assert verdict.size == verdict.unanchored == len(every) - 1
    assert verdict.checkpoint == last_note(log.files)


def test_a_checkpoint_kept_elsewhere_bounds_what_could_have_been_removed(
    log: Log, judged: Callable[..., Verdict]
) -> None:
    notes = [note_of(line) for name in names(log.files) for line in lines(log.files[name]) if line.startswith(PREFIX)]
    for note in notes:
        verdict = judged(log.files, note)
        size = int(note.split("\n")[1])
        assert verdict.is_whole
        assert (verdict.anchored, verdict.unanchored) == (size, verdict.size - size)
    assert judged(log.files, *notes).unanchored == 0


def test_every_bit_of_a_segment_and_of_its_keys_is_guarded(tmp_path: Path) -> None:
    """A segment as short as one can be: each bit costs a verification."""
    notary = Notary(Keyring(tmp_path, "acme/n", ROOT))
    notary.open(None)
    header = encode({"header": {"first_seq": 1, **notary.header()}})
    notary.begun(header)
    notary.add(record := b'{"seq":1}\n')
    checkpoint = notary.checkpoint()
    assert checkpoint is not None
    (tmp_path / f"{1:020d}.ndjson").write_bytes(header + record + checkpoint)
    assert verify(tmp_path, ROOT.public)[0].is_whole
    for name in (f"{1:020d}.ndjson", "keys"):
        good = (tmp_path / name).read_bytes()
        with (tmp_path / name).open("r+b", buffering=0) as file:
            for at, byte in enumerate(good):
                for bit in range(8):
                    os.pwrite(file.fileno(), bytes([byte ^ 1 << bit]), at)
                    assert not verify(tmp_path, ROOT.public)[0].is_whole, f"{name}, byte {at}, bit {bit}"
                os.pwrite(file.fileno(), bytes([byte]), at)
    assert verify(tmp_path, ROOT.public)[0].is_whole


# -- mutants: each gives the files after somebody was there


def at(log: Log, index: int) -> tuple[str, list[bytes]]:
    name = names(log.files)[index]
    return name, lines(log.files[name])


def with_lines(log: Log, name: str, parts: list[bytes]) -> Files:
    return {**log.files, name: joined(parts)}


def each_line_deleted(log: Log) -> Iterator[Files]:
    for index in range(len(names(log.files))):
        name, parts = at(log, index)
        is_last = name == names(log.files)[-1]
        for number in range(len(parts) - is_last):  # the log's very last line is pure loss of the tail
            yield with_lines(log, name, parts[:number] + parts[number + 1 :])


def each_line_duplicated(log: Log) -> Iterator[Files]:
    for index in range(len(names(log.files))):
        name, parts = at(log, index)
        for number in range(len(parts)):
            yield with_lines(log, name, [*parts[: number + 1], *parts[number:]])


def neighbours_swapped(log: Log) -> Iterator[Files]:
    for index in range(len(names(log.files))):
        name, parts = at(log, index)
        for number in range(len(parts) - 1):
            swapped = [*parts[:number], parts[number + 1], parts[number], *parts[number + 2 :]]
            yield with_lines(log, name, swapped)


def a_value_edited(log: Log) -> Iterator[Files]:
    for name in names(log.files):
        yield {**log.files, name: log.files[name].replace(b'"seq":', b'"seq": ', 1)}
        if b"config.change" in log.files[name]:
            yield {**log.files, name: log.files[name].replace(b"config.change", b"config.chance", 1)}


def back_dated(log: Log) -> Iterator[Files]:
    for name in names(log.files):
        yield {**log.files, name: log.files[name].replace(b'"time":"2023', b'"time":"2022')}


def lines_joined_and_divided(log: Log) -> Iterator[Files]:
    for name in names(log.files):
        yield {**log.files, name: log.files[name].replace(b"\n", b"", 1)}
        yield {**log.files, name: log.files[name].replace(b'"boot"', b'\n"boot"', 1)}
        yield {**log.files, name: log.files[name].replace(b"\n", b"\n\n", 1)}
        yield {**log.files, name: log.files[name].replace(b"\n", b"\r\n")}


def tail_cut_behind_the_last_checkpoint_but_one(log: Log) -> Iterator[Files]:
    name, parts = at(log, -1)
    whole = joined(parts)
    before = max(i for i, line in enumerate(parts[:-1]) if line.startswith(PREFIX))
    for end in range(len(joined(parts[: before + 1])) + 1, len(whole)):
        yield {**log.files, name: whole[:end]}


def a_sealed_segment_cut_anywhere(log: Log) -> Iterator[Files]:
    name, parts = at(log, 1)
    whole = joined(parts)
    for end in range(0, len(whole), 37):
        yield {**log.files, name: whole[:end]}


def a_record_appended(log: Log) -> Iterator[Files]:
    for index in range(len(names(log.files))):
        name, parts = at(log, index)
        record = next(line for line in parts if b'"seq":' in line)
        yield with_lines(log, name, [*parts, record])
        yield {**log.files, name: log.files[name] + record}
        yield {**log.files, name: log.files[name] + b"\x00" * 4096}


def a_segment_removed(log: Log) -> Iterator[Files]:
    for name in names(log.files):
        yield {other: data for other, data in log.files.items() if other != name}
        yield {**log.files, name: b""}


def segments_renamed_and_exchanged(log: Log) -> Iterator[Files]:
    every = names(log.files)
    for one, two in pairwise(every):
        yield {**log.files, one: log.files[two], two: log.files[one]}
    yield {**{k: v for k, v in log.files.items() if k != every[1]}, f"{999:020d}.ndjson": log.files[every[1]]}


def an_old_segment_put_back_as_another(log: Log) -> Iterator[Files]:
    every = names(log.files)
    for name in every:
        yield {**log.files, f"{999:020d}.ndjson": log.files[name]}
        yield {**log.files, every[-1].replace(".", "-1."): log.files[name]}
    for name in every[1:]:
        yield {**log.files, name: log.files[every[0]]}


def a_segment_of_another_writer(log: Log) -> Iterator[Files]:
    for name in names(log.files):
        if name in log.other:
            yield {**log.files, name: log.other[name]}
    yield {**log.files, "keys": log.other["keys"]}


def an_entry_of_keys_changed(log: Log) -> Iterator[Files]:
    parts = lines(log.files["keys"])
    for number in range(len(parts)):
        yield {**log.files, "keys": joined(parts[:number] + parts[number + 1 :])}
        yield {**log.files, "keys": joined([*parts[: number + 1], *parts[number:]])}
    for number in range(len(parts) - 1):
        yield {**log.files, "keys": joined([*parts[:number], parts[number + 1], parts[number], *parts[number + 2 :]])}
    yield {**log.files, "keys": log.files["keys"] + parts[-1][:40]}
    yield {**log.files, "keys": b""}
    yield {name: data for name, data in log.files.items() if name != "keys"}


def checkpoints_respelt(log: Log) -> Iterator[Files]:
    name, parts = at(log, -1)
    note = note_of(parts[-1])
    signature = note.split()[-1]
    for line in (
        json.dumps({"checkpoint": note}).encode(),
        json.dumps({"checkpoint": note}, separators=(",", ":")).encode(),
        parts[-1].replace(b'{"checkpoint":', b'{"checkpoint":"x","checkpoint":'),
        parts[-1].replace(b"}", b',"more":1}'),
        to_line(note.replace(signature, signature[:-1]))[:-1],
        to_line(note.replace(signature, signature + "=="))[:-1],
        to_line(note + note.split("\n\n")[1])[:-1],
        to_line("x" + note)[:-1],
    ):
        yield with_lines(log, name, [*parts[:-1], line])


def an_old_checkpoint_in_place_of_a_new_one(log: Log) -> Iterator[Files]:
    name, parts = at(log, -1)
    old = next(line for line in parts if line.startswith(PREFIX))
    yield with_lines(log, name, [*parts[:-1], old])
    yield with_lines(log, name, [*parts, old])
    yield with_lines(log, name, [old, *parts])


def rewritten(parts: list[bytes], signer: Ed25519Signer, edit: Callable[[bytes], bytes]) -> list[bytes]:
    """A segment with other records and each checkpoint signed anew, as by somebody who has a key."""
    tree, made = parse_header(parts[0]).tree, []
    for line in parts:
        new = (
            to_line(signed(Checkpoint(signer.public.name, tree.size, tree.root()), signer))[:-1]
            if line.startswith(PREFIX)
            else edit(line)
        )
        tree.add(new)
        made.append(new)
    return made


def forged(line: bytes) -> bytes:
    return line.replace(b"xxxx", b"yyyy")


def signed_anew_with_a_key_of_ones_own(log: Log) -> Iterator[Files]:
    mine = Ed25519Signer.of("acme/audit/node-0", Ed25519PrivateKey.from_private_bytes(bytes([7]) * 32))
    for index in range(len(names(log.files))):
        name, parts = at(log, index)
        key = str(parse_header(parts[0]).key).encode()
        yield with_lines(log, name, rewritten(parts, mine, forged))
        mine_in_header = rewritten(
            parts, mine, lambda line, key=key: forged(line.replace(key, str(mine.public).encode()))
        )
        yield with_lines(log, name, mine_in_header)
        entry = key_line(vouched(SegmentKey(parse_header(parts[0]).size, mine.public, by_root=True), mine))
        yield {**with_lines(log, name, mine_in_header), "keys": entry}


def sealed_segments_signed_anew_with_the_stolen_newest_key(log: Log) -> Iterator[Files]:
    thief = Ed25519Signer.of("acme/audit/node-0", log.stolen)
    for index in range(len(names(log.files)) - 1):
        name, parts = at(log, index)
        key = str(parse_header(parts[0]).key).encode()
        yield with_lines(log, name, rewritten(parts, thief, forged))
        yield with_lines(
            log, name, rewritten(parts, thief, lambda line, key=key: line.replace(key, str(thief.public).encode()))
        )
        header = parse_header(parts[0])
        entries = lines(log.files["keys"])
        again = key_line(vouched(SegmentKey(header.size, thief.public, by_root=False), thief))[:-1]
        yield {**with_lines(log, name, rewritten(parts, thief, forged)), "keys": joined([*entries, again])}


def sealed_lines_cut_with_the_stolen_newest_key(log: Log) -> Iterator[Files]:
    """The newest segment is made to go on from an earlier checkpoint of the one before."""
    thief = Ed25519Signer.of("acme/audit/node-0", log.stolen)
    sealed_name, sealed = at(log, -2)
    name, parts = at(log, -1)
    tree = parse_header(sealed[0]).tree
    for number, line in enumerate(sealed[:-1]):
        tree.add(line)
        if line.startswith(PREFIX):
            header = json.loads(parts[0])
            header["header"].update(signed_fields(thief.public.name, tree, thief.public))
            again = [json.dumps(header).encode(), *parts[1:]]
            files = with_lines(log, name, rewritten(again, thief, lambda line: line))
            yield {**files, sealed_name: joined(sealed[: number + 1])}


def the_newest_segment_signed_anew_as_another_log(log: Log) -> Iterator[Files]:
    thief = Ed25519Signer.of("acme/audit/node-0", log.stolen)
    name, parts = at(log, -1)
    yield with_lines(
        log, name, rewritten([parts[0].replace(b'"origin":"acme', b'"origin":"acmf'), *parts[1:]], thief, forged)
    )


def another_past_signed_with_the_stolen_newest_key(log: Log) -> Iterator[Files]:
    """The newest segment goes on from a log of as many lines, or fewer, that never was."""
    thief = Ed25519Signer.of("acme/audit/node-0", log.stolen)
    name, parts = at(log, -1)
    size = parse_header(parts[0]).size
    past = Tree()
    past.extend(b"%d" % number for number in range(size))
    header = json.loads(parts[0])
    header["header"].update(signed_fields(thief.public.name, past, thief.public))
    yield with_lines(log, name, rewritten([json.dumps(header).encode(), *parts[1:]], thief, lambda line: line))


def segments_renamed_in_order(log: Log) -> Iterator[Files]:
    for name in names(log.files):
        number = int(name.split(".")[0])
        yield {**{k: v for k, v in log.files.items() if k != name}, f"{number + 1:020d}.ndjson": log.files[name]}


def a_header_edited(log: Log) -> Iterator[Files]:
    for index in range(len(names(log.files))):
        name, parts = at(log, index)
        for old, new in (
            (b'"first_seq":', b'"first_seq":1'),
            (b'"size":', b'"size":1'),
            (b'"start":', b'"stort":'),
            (b'"origin":"acme', b'"origin":"acmf'),
            (b'"frontier":["', b'"frontier":["AAAA'),
            (b'"tree":', b'"tree":null,"trie":'),
        ):
            if old in parts[0]:
                yield with_lines(log, name, [parts[0].replace(old, new), *parts[1:]])


MUTANTS = [
    each_line_deleted,
    each_line_duplicated,
    neighbours_swapped,
    a_value_edited,
    back_dated,
    lines_joined_and_divided,
    tail_cut_behind_the_last_checkpoint_but_one,
    a_sealed_segment_cut_anywhere,
    a_record_appended,
    a_segment_removed,
    segments_renamed_and_exchanged,
    an_old_segment_put_back_as_another,
    a_segment_of_another_writer,
    an_entry_of_keys_changed,
    checkpoints_respelt,
    an_old_checkpoint_in_place_of_a_new_one,
    signed_anew_with_a_key_of_ones_own,
    sealed_segments_signed_anew_with_the_stolen_newest_key,
    sealed_lines_cut_with_the_stolen_newest_key,
    the_newest_segment_signed_anew_as_another_log,
    another_past_signed_with_the_stolen_newest_key,
    segments_renamed_in_order,
    a_header_edited,
]


@pytest.mark.parametrize("mutants", MUTANTS, ids=lambda one: one.__name__)
def test_every_mutant_is_found(
    log: Log, judged: Callable[..., Verdict], mutants: Callable[[Log], Iterator[Files]]
) -> None:
    count = 0
    for number, files in enumerate(mutants(log)):
        if files != log.files:
            count += 1
            verdict = judged(files)
            assert verdict.findings, f"number {number}"
            assert not verdict.is_whole
    assert count


def tails_lost_whole(log: Log) -> Iterator[Files]:
    """What nothing on this disk can show: the log ends earlier, at one of its own checkpoints."""
    name, parts = at(log, -1)
    for number, line in enumerate(parts[:-1]):
        if line.startswith(PREFIX):
            yield with_lines(log, name, parts[: number + 1])
    entries = lines(log.files["keys"])
    kept = names(log.files)
    for index in range(1, len(kept)):
        yield {**{one: log.files[one] for one in kept[:index]}, "keys": joined(entries[:index])}


def test_a_lost_tail_is_found_with_a_checkpoint_that_was_kept_elsewhere(
    log: Log, judged: Callable[..., Verdict]
) -> None:
    anchor = last_note(log.files)
    count = 0
    for files in tails_lost_whole(log):
        count += 1
        assert judged(files).is_whole
        assert [one.kind for one in judged(files, anchor).findings] == [Kind.ANCHOR]
    assert count > 3


def test_a_tail_rewritten_with_the_stolen_key_is_found_with_a_checkpoint_that_was_kept_elsewhere(
    log: Log, judged: Callable[..., Verdict]
) -> None:
    name, parts = at(log, -1)
    thief = Ed25519Signer.of("acme/audit/node-0", log.stolen)
    files = with_lines(log, name, rewritten(parts, thief, lambda line: line.replace(b'"boot":"b"', b'"boot":"c"')))
    assert judged(files).is_whole
    (finding,) = judged(files, last_note(log.files)).findings
    assert (finding.kind, finding.message) == (
        Kind.ANCHOR,
        f"the first {judged(files).size} lines are not those that a checkpoint kept elsewhere speaks of",
    )


def test_a_checkpoint_kept_elsewhere_that_is_forged_is_found(log: Log, judged: Callable[..., Verdict]) -> None:
    mine = Ed25519Signer.of("acme/audit/node-0", Ed25519PrivateKey.from_private_bytes(bytes([7]) * 32))
    forged_note = signed(Checkpoint("acme/audit/node-0", 5, bytes(32)), mine)
    (finding,) = judged(log.files, forged_note).findings
    assert finding == Finding(
        Kind.ANCHOR, "keys", "a checkpoint of 5 lines, kept elsewhere, is signed by no key of this log"
    )
    with pytest.raises(NoteError, match="kept elsewhere is none"):
        judged(log.files, "rubbish")


def test_a_writer_that_is_gone_is_found_by_a_checkpoint_of_it(tmp_path: Path, log: Log) -> None:
    directory = tmp_path / "node-0"
    directory.mkdir()
    for name, data in log.files.items():
        (directory / name).write_bytes(data)
    here, lost = verify(tmp_path, ROOT.public, [last_note(log.other)])
    assert here.is_whole
    assert lost.findings == [
        Finding(Kind.MISSING, "acme/audit/node-1", "a checkpoint speaks of this log, and it is not here")
    ]


def test_two_directories_with_one_origin_are_a_finding(tmp_path: Path, log: Log) -> None:
    for directory in (tmp_path / "a", tmp_path / "b"):
        directory.mkdir()
        for name, data in log.files.items():
            (directory / name).write_bytes(data)
    first, second = verify(tmp_path, ROOT.public)
    assert first.is_whole
    assert second.findings == [Finding(Kind.ADDED, "b", "a holds a log of the same origin, acme/audit/node-0")]


# -- where


def test_an_edited_record_is_named_by_segment_lines_and_bytes(log: Log, judged: Callable[..., Verdict]) -> None:
    name, parts = at(log, 1)
    number = next(i for i, line in enumerate(parts) if b'"what":"' in line)
    edited = [*parts[:number], parts[number].replace(b"xxxx", b"yyyy"), *parts[number + 1 :]]
    (finding,) = judged(with_lines(log, name, edited)).findings
    checkpoints = [i for i, line in enumerate(parts) if line.startswith(PREFIX)]
    after = min(i for i in checkpoints if i > number)
    before = max((i for i in checkpoints if i < number), default=-1)
    assert finding == Finding(
        Kind.ALTERED,
        name,
        "these lines are not those that the checkpoint behind them signs",
        before + 2,
        after,
        len(joined(parts[: before + 1])),
        len(joined(parts[:after])),
    )
    assert finding.place == f"{name}, lines {before + 2}-{after}, bytes {finding.first_byte}-{finding.end_byte}"


def test_a_deleted_record_is_counted_and_the_line_behind_it_is_odd(log: Log, judged: Callable[..., Verdict]) -> None:
    name, parts = at(log, 0)
    number = next(i for i, line in enumerate(parts) if b'"seq":3,' in line)
    (finding,) = judged(with_lines(log, name, parts[:number] + parts[number + 1 :])).findings
    begin = len(joined(parts[:number]))
    assert finding.message.startswith("1 lines are missing here: the checkpoint behind them counts ")
    odd = f"; line {number + 1}, bytes {begin}-{begin + len(parts[number + 1]) + 1}, is the first that is odd"
    assert finding.message.endswith(odd)


def test_a_segment_that_was_put_back_is_told_as_that(log: Log, judged: Callable[..., Verdict]) -> None:
    name = f"{999:020d}.ndjson"
    copied = log.files[names(log.files)[1]].replace(b'"first_seq":', b'"first_seq":999,"was":', 1)
    (finding,) = judged({**log.files, name: copied}).findings
    assert (finding.file, finding.kind) == (name, Kind.ALTERED)
    assert finding.message == "its key belongs to a segment that came before: it was copied or put back"


def test_a_damaged_checkpoint_is_named_itself(log: Log, judged: Callable[..., Verdict]) -> None:
    name, parts = at(log, 0)
    number = next(i for i, line in enumerate(parts) if line.startswith(PREFIX))
    note = note_of(parts[number])
    raw = bytearray(b64decode(note.split()[-1]))
    parts[number] = parts[number].replace(b"\\n", b"\\n\\n", 1)
    (finding,) = judged(with_lines(log, name, parts)).findings
    assert (finding.first_line, finding.last_line, len(raw)) == (number + 1, number + 1, 68)
    assert finding.message.startswith("a checkpoint: ")


def test_a_segment_that_goes_on_from_another_past_is_named_by_its_header(
    log: Log, judged: Callable[..., Verdict]
) -> None:
    (files,) = another_past_signed_with_the_stolen_newest_key(log)
    name = names(log.files)[-1]
    end = len(lines(files[name])[0]) + 1
    assert judged(files).findings == [
        Finding(Kind.ALTERED, name, "the header does not go on from the segment before", 1, 1, 0, end)
    ]


def test_a_segment_behind_a_gap_is_named_by_its_header_with_how_many_lines_are_missing(
    log: Log, judged: Callable[..., Verdict]
) -> None:
    first, second, *_ = names(log.files)
    count, header = len(lines(log.files[first])), lines(log.files[second])[0]
    found = judged({name: data for name, data in log.files.items() if name != first}).findings
    assert found == [
        Finding(
            Kind.MISSING, second, f"{count} lines of the log are missing before this segment", 1, 1, 0, len(header) + 1
        ),
        Finding(Kind.MISSING, "keys", f"the segment that holds line 1 to line {count} of the log is not here"),
    ]


def test_what_cannot_be_judged_is_counted_all_the_same(log: Log, judged: Callable[..., Verdict]) -> None:
    name = names(log.files)[1]
    damaged = {**log.files, name: log.files[name].replace(b'{"header"', b'{"hoader"', 1)}
    true, found = judged(log.files), judged(damaged)
    assert (found.lines, found.bytes) == (true.lines, true.bytes)


def test_what_comes_after_a_damaged_segment_is_still_verified(log: Log, judged: Callable[..., Verdict]) -> None:
    name, parts = at(log, 1)
    last_name, last_parts = at(log, -1)
    files = with_lines(log, name, [parts[0], parts[1].replace(b"seq", b"sec"), *parts[2:]])
    files[last_name] = joined([last_parts[0], last_parts[1].replace(b"seq", b"sec"), *last_parts[2:]])
    verdict = judged(files)
    assert [one.file for one in verdict.findings] == [name, last_name]
    assert verdict.lines == sum(len(lines(log.files[one])) for one in names(log.files))


def test_a_killed_writers_tail_is_told_as_signed_by_nobody(log: Log, judged: Callable[..., Verdict]) -> None:
    name, parts = at(log, -1)
    (finding,) = judged(with_lines(log, name, parts[:-1])).findings
    before = max(i for i, line in enumerate(parts[:-1]) if line.startswith(PREFIX))
    assert (finding.kind, finding.first_line, finding.last_line) == (Kind.UNSIGNED, before + 2, len(parts) - 1)
    assert finding.message.startswith(f"{len(parts) - before - 2} lines behind the last checkpoint")


# -- other


def test_a_log_that_is_being_written_is_waited_for(tmp_path: Path, log: Log) -> None:
    directory = tmp_path / "node-0"
    directory.mkdir()
    for name, data in log.files.items():
        (directory / name).write_bytes(data)
    name, parts = at(log, -1)
    path = directory / name
    path.write_bytes(joined(parts[:-1])[:-5])

    def wait() -> bool:
        path.write_bytes(joined(parts))
        return True

    (verdict,) = verify(tmp_path, ROOT.public, patience=wait)
    assert verdict.is_whole
    assert verdict.lines == sum(len(lines(log.files[one])) for one in names(log.files))


def test_progress_ends_where_the_files_end(tmp_path: Path, log: Log) -> None:
    for name, data in log.files.items():
        (tmp_path / name).write_bytes(data)
    steps: list[int] = []
    assert verify(tmp_path, ROOT.public, progress=steps.append)[0].is_whole
    assert sum(steps) == total_bytes(tmp_path)
    assert len(steps) == len(names(log.files))


def test_half_a_line_is_excused_only_where_the_log_says_that_its_segment_was_given_up(
    log: Log, judged: Callable[..., Verdict]
) -> None:
    name = names(log.files)[0]
    (finding,) = judged({**log.files, name: log.files[name] + b'{"v":1,"se'}).findings
    assert (finding.kind, finding.message) == (Kind.ADDED, "10 bytes behind the last line")


def test_an_unsigned_log_is_not_whole(tmp_path: Path) -> None:
    (tmp_path / f"{1:020d}.ndjson").write_bytes(b'{"header":{"v":1,"first_seq":1}}\n')
    (verdict,) = verify(tmp_path, ROOT.public)
    assert [one.kind for one in verdict.findings] == [Kind.KEYS, Kind.ALTERED]
    assert not verdict.is_whole


def test_nothing_is_not_whole(tmp_path: Path) -> None:
    assert verify(tmp_path, ROOT.public) == []
    (tmp_path / "keys").write_bytes(b"")
    assert not verify(tmp_path, ROOT.public)[0].is_whole


# -- what was removed in order


async def write_removals(directory: Path, *bodies: dict[str, object]) -> None:
    log = AuditLog(
        LogSettings(directory, directory.name),
        loop=asyncio.get_running_loop(),
        clock=lambda: 1_700_000_000.0,
        mono=lambda: 0.0,
        new_id=lambda: "id",
        boot="b",
        notary=Notary(Keyring(directory, f"acme/audit/{directory.name}", ROOT)),
    )
    await log.open()
    for body in bodies:
        log.append(RecordType.LOG_REMOVED, Outcome.DONE, body=body)
    await log.close()


def stretch(log: Log, first: int, behind: int) -> dict[str, object]:
    """As a tombstone names the lines of segments `first` to `behind`, which is not among them."""
    headers = [parse_header(lines(log.files[name])[0]) for name in names(log.files)]
    root = b64encode(headers[behind].tree.root()).decode()
    start, end = headers[first].size, headers[behind].size
    return {"origin": "acme/audit/node-0", "start": start, "end": end, "root": root}


@pytest.fixture
def without(tmp_path: Path, log: Log) -> Callable[..., list[Verdict]]:
    """The verdicts on the log without segments `gone`, beside a writer's that says that `standing` are removed."""

    def judge(gone: slice, *standing: dict[str, object], anchors: tuple[str, ...] = ()) -> list[Verdict]:
        (tmp_path / "node-0").mkdir()
        missing = names(log.files)[gone]
        for name, data in log.files.items():
            if name not in missing:
                (tmp_path / "node-0" / name).write_bytes(data)
        asyncio.run(write_removals(tmp_path / "node-web", {"standing": list(standing)}))
        return verify(tmp_path, ROOT.public, anchors)

    return judge


@pytest.mark.parametrize(("first", "behind"), [(0, 1), (0, 3), (1, 2), (1, 3)])
def test_segments_that_were_removed_as_a_signed_record_says_are_told_and_no_finding(
    log: Log, without: Callable[..., list[Verdict]], first: int, behind: int
) -> None:
    gone = stretch(log, first, behind)
    verdict, keeper = without(slice(first, behind), gone)
    assert (verdict.findings, keeper.findings) == ([], [])
    assert verdict.is_whole
    start, end = int(str(gone["start"])), int(str(gone["end"]))
    assert verdict.removed == end - start
    assert verdict.notices == [f"lines {start + 1}-{end} of the log were removed, as a record of log.removed says"]


def test_a_removal_that_was_cut_off_is_no_finding(log: Log, without: Callable[..., list[Verdict]]) -> None:
    verdict, _ = without(slice(0, 1), stretch(log, 0, 3))
    assert verdict.is_whole
    assert verdict.removed == stretch(log, 0, 1)["end"]


def test_a_segment_more_than_was_removed_in_order_is_missing(log: Log, without: Callable[..., list[Verdict]]) -> None:
    verdict, _ = without(slice(0, 2), stretch(log, 0, 1))
    assert {one.kind for one in verdict.findings} == {Kind.MISSING}
    assert not verdict.is_whole


def test_the_newest_segment_is_missing_where_only_the_one_before_was_removed_in_order(
    log: Log, without: Callable[..., list[Verdict]]
) -> None:
    verdict, _ = without(slice(-2, None), stretch(log, -2, -1))
    assert [one.kind for one in verdict.findings] == [Kind.MISSING] * 2
    assert verdict.removed == 0


@pytest.mark.parametrize("change", [{"origin": "acme/audit/node-1"}, {"root": "x"}, {"start": 1}, {"end": "9"}])
def test_another_removal_excuses_nothing(
    log: Log, without: Callable[..., list[Verdict]], change: dict[str, object]
) -> None:
    verdict, _ = without(slice(0, 2), {**stretch(log, 0, 2), **change})
    assert {one.kind for one in verdict.findings} == {Kind.MISSING}


def test_a_writer_that_ended_long_ago_may_be_removed_whole(log: Log, without: Callable[..., list[Verdict]]) -> None:
    every = sum(len(lines(log.files[name])) for name in names(log.files))
    gone = {"origin": "acme/audit/node-0", "start": 0, "end": every, "root": "r"}
    verdict, _ = without(slice(0, None), gone)
    assert (verdict.findings, verdict.removed, verdict.is_whole) == ([], every, True)


def test_a_checkpoint_kept_elsewhere_of_lines_that_were_removed_in_order_is_no_finding(
    log: Log, without: Callable[..., list[Verdict]]
) -> None:
    first, second = (
        note_of(next(line for line in lines(log.files[name]) if line.startswith(PREFIX)))
        for name in names(log.files)[:2]
    )
    verdict, _ = without(slice(0, 1), stretch(log, 0, 1), anchors=(first, second))
    assert verdict.is_whole
    assert verdict.anchored == int(second.split("\n")[1])


def test_a_removal_that_nobody_signed_excuses_nothing(tmp_path: Path, log: Log) -> None:
    """A line behind the last checkpoint: anybody could have put it there."""
    record = {"v": 1, "seq": 99, "type": "log.removed", "body": {"standing": [stretch(log, 0, 1)]}}
    for name, data in log.files.items():
        if name != names(log.files)[0]:
            (tmp_path / name).write_bytes(data)
    with (tmp_path / names(log.files)[-1]).open("ab") as file:
        file.write(encode(record))
    (verdict,) = verify(tmp_path, ROOT.public)
    assert {one.kind for one in verdict.findings} == {Kind.MISSING, Kind.UNSIGNED}


def test_a_sealed_file_that_is_damaged_is_a_finding_of_its_own(tmp_path: Path, log: Log) -> None:
    for name, data in log.files.items():
        (tmp_path / name).write_bytes(data)
    plain = tmp_path / names(log.files)[1]
    plain.unlink()
    plain.with_name(plain.name + ".zst").write_bytes(b"not Zstandard at all")
    (verdict,) = verify(tmp_path, ROOT.public)
    (finding,) = verdict.findings
    assert (finding.kind, finding.file) == (Kind.ALTERED, plain.name + ".zst")
    assert finding.message.startswith("it cannot be read: ")
    assert total_bytes(tmp_path) == verdict.bytes


@given(st.data())
def test_no_few_changed_bytes_anywhere_go_unseen(data: st.DataObject) -> None:
    tree = Tree()
    good = [b"%d" % number for number in range(data.draw(st.integers(1, 9)))]
    for line in good:
        tree.add(line)
    at = data.draw(st.integers(0, len(good) - 1))
    changed = Tree()
    for number, line in enumerate(good):
        changed.add(line + b"x" if number == at else line)
    assert changed.root() != tree.root()

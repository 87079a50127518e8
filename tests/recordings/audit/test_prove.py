"""Claims about making proofs: none is made of what does not verify, and the reason is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from recordings.audit.merkle import ProofError
from recordings.audit.prove import prove
from recordings.audit.record import Outcome, RecordType
from recordings.audit.segments import forwards, segments


@pytest.fixture
async def log(signed: Any) -> Any:
    writer = signed.log()
    await writer.open()
    await writer.durable(writer.append(RecordType.CONFIG_CHANGE, Outcome.DONE))
    await writer.close()
    return signed


async def test_an_id_that_no_record_has_is_refused(log: Any) -> None:
    for wanted in ("id-00000000", "id-000000002 ", "", "\ud800"):
        with pytest.raises(ProofError, match="no record has the id"):
            prove(log.directory, wanted)


async def test_a_record_in_a_value_of_another_is_not_taken_for_it(log: Any) -> None:
    with pytest.raises(ProofError, match=r"no record has the id 'config\.change'"):
        prove(log.directory, "config.change")


async def test_a_record_that_nobody_has_signed_yet_is_told_so(log: Any) -> None:
    path = segments(log.directory)[0]
    path.write_bytes(b"".join(line + b"\n" for line in list(forwards(path))[:-1]))
    assert prove(log.directory, "id-000000002").records
    with pytest.raises(ProofError, match="no checkpoint speaks of the record yet"):
        prove(log.directory, "id-000000003")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"config.change", b"config.chance"),
        (b"acme/audit/node-0\\n", b"acme/audit/node-1\\n"),
        (b'"tree":', b'"trie":'),
    ],
)
async def test_a_record_of_a_segment_that_was_changed_is_not_proven(log: Any, old: bytes, new: bytes) -> None:
    path = segments(log.directory)[0]
    path.write_bytes(path.read_bytes().replace(old, new))
    with pytest.raises(ProofError, match=r"does not verify|is not leaf"):
        prove(log.directory, "id-000000002")


async def test_a_key_that_is_not_vouched_for_proves_nothing(log: Any) -> None:
    keys = log.directory / "keys"
    good = keys.read_bytes()
    keys.write_bytes(b"rubbish\n" + good)
    with pytest.raises(ProofError, match="keys does not verify"):
        prove(log.directory, "id-000000002")
    for harm in (lambda: keys.write_bytes(b""), keys.unlink):
        harm()
        with pytest.raises(ProofError, match="keys has no key for the segment"):
            prove(log.directory, "id-000000002")


async def test_an_id_that_several_writers_know_needs_one_to_be_named(log: Any, tmp_path: Path) -> None:
    other = tmp_path / "audit" / "node-1"
    other.mkdir()
    for path in log.directory.iterdir():
        (other / path.name).write_bytes(path.read_bytes())
    with pytest.raises(ProofError, match="several writers have records of this id; name the directory of one"):
        prove(tmp_path / "audit", "id-000000002")
    assert prove(other, "id-000000002") == prove(log.directory, "id-000000002")

"""The short form of the tampering battery, and bit rot: every bit of a segment."""

from __future__ import annotations

from pathlib import Path

import pytest

from recordings.audit.verdict import Kind
from recordings.audit.verify import verify
from tests.battery.log.tamper import KINDS, ROOT, Judge, Log, names, run, written

MUTANTS = 2_000
"""`python -m tests.battery.log.tamper 1000000` is the long form."""


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Log:
    return written(tmp_path_factory.mktemp("true"))


def test_every_change_is_seen_but_a_loss_behind_the_last_checkpoint_that_was_kept_elsewhere(
    log: Log, tmp_path: Path
) -> None:
    tally = run(log, tmp_path, range(MUTANTS))
    assert tally.missed == []
    assert set(tally.tried) == {kind.__name__ for kind in KINDS}
    assert sum(tally.tried.values()) > MUTANTS * 0.8
    assert 0 < sum(tally.unseen.values()) < MUTANTS * 0.1


def test_the_judge_knows_the_true_log_and_a_pure_loss(log: Log, tmp_path: Path) -> None:
    judge = Judge(log, tmp_path)
    assert judge.is_called_whole(log.files)
    assert judge.may_go_unseen(log.files)
    last = names(log.files)[-1]
    edited = {**log.files, last: log.files[last].replace(b"xx", b"yy", 1)}
    assert not judge.may_go_unseen(edited)
    assert not judge.may_go_unseen({last: log.files[last]})
    assert not judge.is_called_whole(edited)


def test_a_rotten_bit_is_found_in_its_segment_and_the_rest_of_the_log_still_verifies(log: Log, tmp_path: Path) -> None:
    """Each byte of the second segment, one bit of it in turn; every bit of a shorter one: test_verify."""
    judge = Judge(log, tmp_path)
    judge.is_called_whole(log.files)
    name = names(log.files)[1]
    good = log.files[name]
    for at in range(0, len(good), 3):
        rotten = good[:at] + bytes([good[at] ^ 1 << at % 8]) + good[at + 1 :]
        (tmp_path / name).write_bytes(rotten)
        (verdict,) = verify(tmp_path, ROOT.public)
        assert verdict.findings, f"byte {at}"  # a newline that is gone shows as a line missing before the next segment
        others = [one for one in verdict.findings if one.file != name]
        assert all(one.kind in {Kind.MISSING, Kind.ALTERED} for one in others), f"byte {at}: {others}"
        assert verdict.checkpoint, "the segments behind it were verified"

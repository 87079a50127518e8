"""Claims about the log's arithmetic, against a model that keeps a standing for each number."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from recordings.audit.batch import Ledger, Standing

STEPS = st.lists(st.one_of(st.just("write"), st.just("fail"), st.just("begin"), st.just("end")), max_size=60)


@given(STEPS)
def test_a_number_is_durable_only_if_a_sync_begun_after_it_succeeded_without_failure_between(steps: list[str]) -> None:
    ledger, model = Ledger(), dict[int, Standing]()
    begun: int | None = None
    for step in steps:
        if step == "write":
            model[ledger.write()] = Standing.PENDING
        elif step == "begin":
            begun = ledger.written
        elif step == "end" and begun is not None:
            ledger.sync(begun)
            model.update({seq: Standing.DURABLE for seq in model if seq <= begun and model[seq] is Standing.PENDING})
            begun = None
        elif step == "fail":
            lost = [seq for seq, standing in model.items() if standing is Standing.PENDING]
            assert ledger.fail() == ((lost[0], lost[-1]) if lost else None)
            model.update(dict.fromkeys(lost, Standing.LOST))
            begun = None
    assert {seq: ledger.standing(seq) for seq in model} == model


def test_failures_in_a_row_are_kept_as_one_range() -> None:
    ledger = Ledger(written=10, synced=10)
    for _ in range(1000):
        ledger.write()
        ledger.fail()
    assert ledger.lost == [(11, 1010)]

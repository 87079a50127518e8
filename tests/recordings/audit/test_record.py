"""Claims about the table of types."""

from __future__ import annotations

from recordings.audit.record import TYPES, Outcome, RecordType


def test_every_type_has_one_row_with_a_meaning_for_it_and_each_field() -> None:
    assert [row.type for row in TYPES] == list(RecordType)
    for row in TYPES:
        assert row.meaning.endswith(".")
        assert all(name and meaning for name, meaning in row.fields), row.type


def test_names_that_are_stored_do_not_change() -> None:
    assert {str(one) for one in Outcome} == {
        "intent",
        "started",
        "done",
        "refused",
        "aborted",
        "failed",
        "unknown-after-crash",
    }
    assert {str(one) for one in RecordType} >= {
        "kube.request",
        "request.refused",
        "connection.refused",
        "refusals.rollup",
        "user.login",
        "user.login.failed",
        "user.logout",
        "login.ended",
        "cert.issue",
        "cert.refuse",
        "cluster.add",
        "role.change",
        "config.change",
        "server.start",
        "log.start",
        "log.stop",
        "log.recovered",
        "log.suspect",
        "log.clock",
    }

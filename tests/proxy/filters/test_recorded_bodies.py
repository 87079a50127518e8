"""Claims about requests of which no body passed; tests/proxy/test_bodies_recorded.py has the others."""

from types import SimpleNamespace

from proxy.filters.recorded_bodies import RecordedBodies
from proxy.relay import RelayResult


def test_where_nothing_was_decided_nothing_is_said():
    context = SimpleNamespace(detail=None, info=None)
    assert RecordedBodies(b"k").of(context, RelayResult()) == ({}, {})

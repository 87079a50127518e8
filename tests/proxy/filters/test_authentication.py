"""Who is let in: every refusal with its reason and its whole sentence, in the order in which they are asked."""

from dataclasses import replace

import pytest

from auth.errors import Reason
from auth.identity import Credential, Identity, KeyHash, Login, LoginID
from auth.locks import Lock, LockKind, LockTarget
from proxy.context import RequestContext
from proxy.filters.authentication import AuthenticationFilter
from proxy.http1 import parse_request_head
from proxy.status import Refusal

NOW = 1000.0
ID = LoginID("a" * 26)
CREDENTIAL = Credential("demo", "c1", ID, "1", 0.0, 2000.0, "f")
LOGIN = Login(ID, Identity("corp", "https://idp", "1", "alice"), KeyHash("k"), 0.0, 5000.0, NOW, "127.0.0.1")
AGAIN = "run `kwit login` to sign in again"
ENDPOINT = object()
LOCK = Lock("l1", LockTarget(LockKind.USER, "alice"), "stolen laptop", NOW, "sec")


class FakeState:
    def __init__(self, login=LOGIN, lock=None, age=0.0):
        self._login, self._lock, self._age = login, lock, age

    def login(self, login_id):
        return self._login if login_id == ID else None

    def lock_for(self, login, cluster):
        return self._lock

    def age(self, now):
        return self._age


def asked(state, credential=CREDENTIAL):
    head = parse_request_head(b"GET /api HTTP/1.1\r\nHost: a\r\n\r\n")
    context = RequestContext(head, credential, "127.0.0.1", NOW, 0.0, "id")
    decide = AuthenticationFilter(state, {"c1": ENDPOINT}, state_max_age_seconds=60.0, groups_max_age_seconds=100.0)
    return decide(context), context


@pytest.mark.parametrize(
    ("state", "refusal"),
    [
        (FakeState(login=None), Refusal(Reason.LOGIN_UNKNOWN, f"this login is not known any more; {AGAIN}")),
        (
            FakeState(login=replace(LOGIN, ended_at=1.0), lock=LOCK),
            Refusal(Reason.LOCKED, "you are locked out by lock l1; ask your security team to remove the lock"),
        ),
        (
            FakeState(login=replace(LOGIN, ended_at=1.0, expires_at=1.0)),
            Refusal(Reason.LOGIN_ENDED, f"this login has ended (logged out); {AGAIN}"),
        ),
        (
            FakeState(login=replace(LOGIN, ended_at=1.0, ended_reason="disabled")),
            Refusal(Reason.LOGIN_ENDED, f"this login has ended (disabled); {AGAIN}"),
        ),
        (
            FakeState(login=replace(LOGIN, expires_at=NOW, groups_checked_at=0.0)),
            Refusal(Reason.LOGIN_EXPIRED, f"this login is over; {AGAIN}"),
        ),
        (
            FakeState(login=replace(LOGIN, groups_checked_at=NOW - 100.5)),
            Refusal(
                Reason.GROUPS_STALE,
                f"the identity provider has not confirmed your groups for too long; {AGAIN}, or wait until it answers",
            ),
        ),
        (
            FakeState(login=None, age=60.5),
            Refusal(
                Reason.STATE_STALE,
                "the proxy cannot read its state and refuses everything until it can; tell your platform team",
                1,
            ),
        ),
    ],
)
def test_a_login_that_does_not_live_is_refused_with_the_next_step(state, refusal):
    found, context = asked(state)
    assert (found, context.endpoint) == (refusal, None)
    known = refusal.reason not in (Reason.LOGIN_UNKNOWN, Reason.STATE_STALE)
    assert (context.login is not None) is known  # so that the refusal's record names them


@pytest.mark.parametrize(
    ("dates", "reason"),
    [
        ({"not_after": NOW}, Reason.CERTIFICATE_EXPIRED),
        ({"not_before": NOW + 1}, Reason.CERTIFICATE_NOT_YET_VALID),
    ],
)
def test_a_certificate_outside_its_dates_is_refused_before_anything_else(dates, reason):
    found, _ = asked(FakeState(login=None, age=1e9), replace(CREDENTIAL, **dates))
    assert (found.reason, found.code) == (reason, 401)


def test_a_cluster_that_is_not_served_is_refused():
    found, context = asked(FakeState(), replace(CREDENTIAL, cluster="gone"))
    assert (found.reason, context.endpoint) == (Reason.UNKNOWN_CLUSTER, None)


def test_a_live_login_passes_up_to_the_last_second_of_its_groups():
    login = replace(LOGIN, groups_checked_at=NOW - 100.0)
    found, context = asked(FakeState(login=login, age=60.0))
    assert (found, context.login, context.endpoint) == (None, login, ENDPOINT)

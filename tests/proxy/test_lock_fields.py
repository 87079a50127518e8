from auth.locks import Lock, LockKind, LockTarget
from proxy.lock_fields import lock_fields


def test_a_lock_is_written_whole():
    lock = Lock("l1", LockTarget(LockKind.USER, "ada"), "stolen", 0.5, "bob", 60.0, True, (("idp", "1"),))
    assert lock_fields(lock) == {
        "id": "l1",
        "kind": "user",
        "name": "ada",
        "reason": "stolen",
        "created": "1970-01-01T00:00:00.500000Z",
        "by": "bob",
        "until": "1970-01-01T00:01:00.000000Z",
        "shows_reason": True,
        "persons": [{"issuer": "idp", "subject": "1"}],
    }
    assert lock_fields(Lock("l2", LockTarget(LockKind.CLUSTER, "eu"), "", 0.0, "bob"))["until"] is None

"""Claims about whole requests: what each side sees and what the log says, whichever way they end."""

from recordings.audit.record import Outcome
from tests.proxy.dataplane import PODS, plane, request

INTENT, STARTED, DONE = Outcome.INTENT, Outcome.STARTED, Outcome.DONE
REFUSED, ABORTED, FAILED = Outcome.REFUSED, Outcome.ABORTED, Outcome.FAILED


async def test_a_read_is_one_request_upstream_and_one_record():
    async with plane() as it:
        client = it.client()
        answer = await client.ask(request())
        (seen,), (record,) = it.server.seen, it.log.records
        assert (seen.method, seen.target, seen.body) == (b"GET", PODS, b"")
        assert answer == (
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n"
            b"audit-id: " + record.audit_id.encode() + b"\r\n\r\n{}"
        )
        assert (record.outcome, record.code) == (DONE, 200)
        assert not client.closed

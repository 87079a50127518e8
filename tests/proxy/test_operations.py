import socket

import aiohttp
import pytest

from proxy.operations import Check, OperationsListener, readiness


@pytest.mark.parametrize(
    ("checks", "ready", "text"),
    [
        ([], True, "readyz check passed\n"),
        ([Check("log"), Check("state")], True, "[+]log ok\n[+]state ok\nreadyz check passed\n"),
        ([Check("log", "No space left on device")], False, "[-]log No space left on device\nreadyz check failed\n"),
        ([Check("roles", "a.yaml:3: no", fatal=False)], True, "[!]roles a.yaml:3: no\nreadyz check passed\n"),
        (
            [Check("roles", "bad", fatal=False), Check("state", "old")],
            False,
            "[!]roles bad\n[-]state old\nreadyz check failed\n",
        ),
    ],
)
def test_only_what_is_fatal_takes_a_server_out_of_service(checks, ready, text):
    assert readiness(checks) == (ready, text)


async def test_each_page_is_made_when_it_is_asked_for():
    checks = [Check("log", "full")]
    listening = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    operations = OperationsListener(lambda: checks, lambda: "kwit_é 1\n")
    await operations.start(listening)
    try:
        async with aiohttp.ClientSession() as client:

            async def get(path):
                async with client.get(url + path) as answer:
                    return answer.status, answer.headers["Content-Type"], await answer.text()

            plain = "text/plain; charset=utf-8"
            assert await get("/livez") == (200, plain, "ok\n")
            assert await get("/readyz") == (503, plain, "[-]log full\nreadyz check failed\n")
            checks.clear()
            assert await get("/readyz") == (200, plain, "readyz check passed\n")
            assert await get("/metrics") == (200, "text/plain; version=0.0.4; charset=utf-8", "kwit_é 1\n")
            async with client.post(url + "/livez") as answer:
                assert answer.status == 405
    finally:
        await operations.stop()

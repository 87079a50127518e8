from __future__ import annotations

import asyncio
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from auth.ca import IssuedCertificate
from auth.state.sqlite import SqliteStore
from auth.state.store import StoreError
from tests.conformance.store import Again, StoreConformance, login


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(tmp_path / "state" / "state.db")
    await store.open()
    yield store
    await store.close()


@pytest.fixture
def again(tmp_path: Path) -> Again:
    async def opened() -> SqliteStore:
        other = SqliteStore(tmp_path / "state" / "state.db")
        await other.open()
        return other

    return opened


class TestSqliteStore(StoreConformance):
    pass


async def test_what_was_stored_outlives_the_process(tmp_path: Path) -> None:
    for _ in range(2):
        store = SqliteStore(tmp_path / "state.db")
        await store.open()
        if await store.get_login(login().id) is None:
            await store.add_login(login())
        assert await store.get_login(login().id) == login()
        await store.close()


async def test_a_file_of_an_older_version_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    store = SqliteStore(path)
    await store.open()
    await store.add_login(login())
    await store.close()
    with sqlite3.connect(path) as old:
        old.execute("DROP INDEX logins_changed")
        old.execute("ALTER TABLE logins DROP COLUMN changed")
        for column in ("shows_reason", "persons", "recorded", "withdrawn_at", "withdrawn_by"):
            old.execute(f"ALTER TABLE locks DROP COLUMN {column}")
    for _ in range(2):
        store = SqliteStore(path)
        await store.open()
        generation = await store.generation()
        assert (await store.get_login(login().id), await store.changed_logins(generation)) == (login(), ())
        await store.update_identity(login().id, login().identity, login().groups_checked_at, None)
        assert await store.changed_logins(generation) == (login(),)
        await store.close()


async def test_nobody_else_may_read_the_file(store: SqliteStore, tmp_path: Path) -> None:
    await store.add_login(login())
    files = list((tmp_path / "state").iterdir())
    assert len(files) >= 2  # the write-ahead log is beside it
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


@pytest.mark.parametrize("serial", ["ab12"])
async def test_a_serial_is_issued_once(store: SqliteStore, serial: str) -> None:
    issued = IssuedCertificate("pem", serial, 1.0, 2.0, login().id, "staging")
    await store.add_certificate(issued)
    with pytest.raises(StoreError):
        await store.add_certificate(issued)


async def test_a_login_is_added_once_and_a_failure_leaves_the_store_usable(store: SqliteStore) -> None:
    await store.add_login(login())
    with pytest.raises(StoreError):
        await store.add_login(login())
    await store.add_login(login("b"))


async def test_a_file_that_is_no_database_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_bytes(b"not a database, but long enough to be looked at" * 100)
    store = SqliteStore(tmp_path / "state.db")
    with pytest.raises(StoreError):
        await store.open()
    await store.close()


async def test_a_place_that_cannot_be_written_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = SqliteStore(tmp_path / "file" / "state.db")
    with pytest.raises(StoreError):
        await store.open()
    await store.close()


async def test_before_it_is_open_and_after_it_is_closed_it_says_so(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "state.db")
    with pytest.raises(StoreError):
        await store.generation()
    await store.close()
    with pytest.raises(StoreError):
        await store.generation()


async def test_many_logins_are_read_without_holding_up_the_loop(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = []

    def decode(row: tuple[object, ...]) -> object:
        threads.append(threading.current_thread())
        return row

    await store.add_login(login())
    monkeypatch.setattr("auth.state.sqlite._login", decode)
    await store.live_logins(login().created_at)
    assert len(threads) == 1
    assert threads[0] is not threading.main_thread()


ELSEWHERE = """
import asyncio, sys
from pathlib import Path
from auth.state.sqlite import SqliteStore

async def count():
    store = SqliteStore(Path(sys.argv[1]))
    await store.open()
    print(len(await store.live_logins(0.0)))
    await store.close()

asyncio.run(count())
"""


async def test_a_second_opening_in_this_process_does_not_cut_it_off_from_others(tmp_path: Path) -> None:
    """A process that closes any descriptor of a file loses its locks on it (POSIX, `fcntl`).

    Another process would then take itself for the last one, and remove the write-ahead log that this one writes.
    """
    store = SqliteStore(tmp_path / "state.db")
    await store.open()
    again = SqliteStore(tmp_path / "state.db")
    await again.open()
    await again.close()
    for number, name in enumerate("ab", 1):
        await store.add_login(login(name))
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-c", ELSEWHERE, tmp_path / "state.db"],
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parents[3],
        )
        assert done.stdout == f"{number}\n"
    await store.close()

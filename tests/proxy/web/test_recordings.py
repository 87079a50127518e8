"""Recordings through the web listener: who may, what is recorded of it, and what nobody learns."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace

import aiohttp
import pytest
from yarl import URL

from auth.rbac import Role, Rule
from proxy.cli.client.problem import Problem
from proxy.cli.recordings_source import Server
from recordings.recorder.directory import RecordingDirectory
from recordings.replay.commands import Command
from recordings.replay.index_files import make_index
from recordings.replay.jsonl import read, read_head
from recordings.replay.play_index import read_index
from recordings.replay.shelf import Wanted
from tests.proxy.web.conftest import Engineer, Installation, bound, developer
from tests.proxy.web.test_command_line import api, signed_in
from tests.recordings.replay.conversation import HEAD, SHELL, said
from tests.recordings.replay.library import DONE, Library
from tests.recordings.replay.test_index_files import NOISE

HERS = replace(HEAD, id="a" * 26, cluster="staging-eu")
HIS = replace(HERS, id="b" * 26, subject="bob", username="bob@example.com", namespace="bank")
NOBODYS = "c" * 26


def auditor(*verbs: str, namespaces: tuple[str, ...] = ("bank",)) -> Role:
    return developer("auditor", allow=(Rule(verbs, ("kubewitness.dev",), ("recordings",), namespaces=namespaces),))


@pytest.fixture
async def library(at: Installation, ada: Engineer) -> AsyncIterator[Library]:
    """Ada's recording and Bob's; Ada is signed in."""
    await ada.sign_in()
    root = at.deps.recordings
    assert root is not None
    one = Library(root)
    login = await at.store.get_login(ada.login_id)
    assert login is not None
    await one.add(replace(HERS, issuer=login.identity.issuer, subject=login.identity.subject), SHELL)
    await one.add(HIS, [said(1, b"his")])
    at.records.clear()
    yield one
    await one.close()


async def raw(ada: Engineer, method: str, path: str) -> aiohttp.ClientResponse:
    """A call whose path is sent as it stands."""
    url = URL(ada.at.deps.url + path, encoded=True)
    return await ada.at.browser.request(method, url, headers={"DPoP": ada.proof(method, path)})


async def ids(ada: Engineer, query: str = "") -> list[str]:
    headers = {"DPoP": ada.proof("GET", "/api/v1/recordings")}
    response = await ada.at.browser.get(f"{ada.at.deps.url}/api/v1/recordings{query}", headers=headers)
    answer = await response.json()
    assert response.status == 200, answer
    return sorted(one["head"]["id"] for one in answer["recordings"])


async def test_a_person_sees_their_own_and_nothing_is_recorded_of_that(library, ada, at):
    assert await ids(ada) == [HERS.id]
    assert at.records == []


async def test_the_same_subject_at_another_provider_is_another_person(library, ada, at):
    login = await at.store.get_login(ada.login_id)
    await library.add(replace(HIS, id="d" * 26, subject=login.identity.subject, issuer="https://other"), SHELL)
    assert await ids(ada) == [HERS.id]
    assert (await ada.call("GET", f"/api/v1/recordings/{'d' * 26}")).status == 404


async def test_a_role_shows_those_of_others_and_that_is_recorded(library, ada, at):
    at.policy = bound(developer(), auditor("list"))
    assert await ids(ada, "?namespace=bank&text=his") == [HIS.id]
    ((kind, record),) = at.records
    assert kind == "recording.access"
    assert record["actor"]["username"] == "ada@example.com"
    assert record["body"] == {"how": "list", "count": 1, "question": {"namespace": "bank", "text": "his"}}


async def test_a_role_for_another_namespace_shows_nothing(library, ada, at):
    at.policy = bound(developer(), auditor("list", "get", "delete", namespaces=("shop",)))
    assert await ids(ada) == [HERS.id]
    assert (await ada.call("GET", f"/api/v1/recordings/{HIS.id}")).status == 404


async def test_a_recording_is_sent_as_it_happened_once_that_is_on_record(library, ada, at):
    response = await ada.call("GET", f"/api/v1/recordings/{HERS.id}/moments")
    assert response.status == 200
    first, *rest = (await response.text()).splitlines()
    assert read_head(first).id == HERS.id
    *moments, footer = read(rest)
    assert tuple(moments) == SHELL
    assert footer.exit_code == 3
    ((kind, record),) = at.records
    assert kind == "recording.access"
    assert record["outcome"] == "done"
    assert record["cluster"] == "staging-eu"
    assert record["body"] == {
        "recording": HERS.id,
        "how": "open",
        "of": "ada@example.com",
        "pod": "staging-eu/shop/web-0",
    }


@pytest.mark.parametrize("path", ["", "/moments"])
async def test_without_a_durable_record_nothing_of_a_recording_is_sent(library, ada, at, path):
    at.log_down = True
    response = await ada.call("GET", f"/api/v1/recordings/{HERS.id}{path}")
    assert response.status == 503
    assert b"secret" not in await response.read()


async def test_a_list_of_others_is_not_sent_without_a_record(library, ada, at):
    at.policy = bound(developer(), auditor("list"))
    at.log_down = True
    response = await ada.call("GET", "/api/v1/recordings")
    assert response.status == 503


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("GET", "/moments"), ("DELETE", "")])
async def test_what_is_not_there_and_what_is_not_allowed_get_the_same_answer(library, ada, at, method, path):
    answers = []
    for wanted in (HIS.id, NOBODYS, "x", "a" * 27, "A" * 26, "..%2f..%2fetc", "%00", "a" * 300):
        response = await raw(ada, method, f"/api/v1/recordings/{wanted}{path}")
        answers.append((response.status, await response.text()))
    assert len(set(answers)) == 1
    assert answers[0][0] == 404
    assert [record["outcome"] for _, record in at.records] == ["refused"] * len(answers)
    assert [record["body"]["reason"] for _, record in at.records] == ["not allowed"] + ["unknown"] * 7


async def test_an_auditor_opens_what_a_role_allows(library, ada, at):
    at.policy = bound(developer(), auditor("get"))
    response = await ada.call("GET", f"/api/v1/recordings/{HIS.id}")
    answer = await response.json()
    assert answer["head"]["username"] == "bob@example.com"
    assert answer["end"]["exit_code"] == 3
    assert [record["body"]["of"] for _, record in at.records] == ["bob@example.com"]


async def test_nobody_removes_what_they_were_recorded_in_for_being_in_it(library, ada, at):
    assert (await ada.call("DELETE", f"/api/v1/recordings/{HERS.id}")).status == 404
    assert RecordingDirectory(library.root).path_of(HERS.id) is not None


async def test_a_removal_is_recorded_with_what_was_removed_and_then_done(library, ada, at):
    at.policy = bound(developer(), auditor("delete"))
    assert (await ada.call("DELETE", f"/api/v1/recordings/{HIS.id}")).status == 204
    assert RecordingDirectory(library.root).path_of(HIS.id) is None
    ((kind, record),) = at.records
    assert kind == "recording.remove"
    assert len(record["body"]["sha256"]) == 64
    assert record["body"]["size"] > 0


async def test_a_removal_without_a_record_does_not_happen(library, ada, at):
    at.policy = bound(developer(), auditor("delete"))
    at.log_down = True
    assert (await ada.call("DELETE", f"/api/v1/recordings/{HIS.id}")).status == 503
    assert RecordingDirectory(library.root).path_of(HIS.id) is not None


async def test_the_index_of_a_recording_is_sent_to_who_may_open_it(library, ada, at):
    long = replace(HERS, id="d" * 26, subject="bob", namespace="bank")
    await library.add(long, (*SHELL, NOISE))
    path = RecordingDirectory(library.root).path_of(long.id)
    assert path is not None
    where = f"/api/v1/recordings/{long.id}/index"
    assert (await raw(ada, "GET", where)).status == 404
    at.policy = bound(auditor("get"))
    assert (await raw(ada, "GET", where)).status == 204
    assert make_index(path)
    answer = await raw(ada, "GET", where)
    assert read_index(await answer.read(), None).commands[0] == Command(2_000_000, "ls")
    assert [record["outcome"] for _, record in at.records] == ["refused", "done", "done"]


async def test_a_call_without_proof_gets_nothing(library, at):
    for path in ("", f"/{HERS.id}", f"/{HERS.id}/moments"):
        response = await at.get(f"{at.deps.url}/api/v1/recordings{path}")
        assert response.status == 401
    assert at.records == []


@pytest.mark.parametrize("query", ["?since=x", "?limit=-1", "?shape=round", "?user=" + "x" * 300])
async def test_a_query_that_cannot_be_understood_is_refused(library, ada, query):
    headers = {"DPoP": ada.proof("GET", "/api/v1/recordings")}
    response = await ada.at.browser.get(f"{ada.at.deps.url}/api/v1/recordings{query}", headers=headers)
    assert response.status == 400


async def test_a_listing_says_that_there_are_more(library, ada):
    await library.add(replace(HERS, id="d" * 26, issuer=(HERS.issuer), subject="x"), [])
    headers = {"DPoP": ada.proof("GET", "/api/v1/recordings")}
    response = await ada.at.browser.get(f"{ada.at.deps.url}/api/v1/recordings?limit=1", headers=headers)
    assert (await response.json())["more"] is False


async def test_one_that_is_being_made_is_followed_to_its_end(library, ada, at):
    login = await at.store.get_login(ada.login_id)
    head = replace(HERS, id="e" * 26, issuer=login.identity.issuer, subject=login.identity.subject)
    recorder = await library.begin(head, [said(1, b"first")])
    headers = {"DPoP": ada.proof("GET", f"/api/v1/recordings/{head.id}/moments")}
    url = f"{at.deps.url}/api/v1/recordings/{head.id}/moments?follow=1"
    async with at.browser.get(url, headers=headers) as response:
        await response.content.readline()
        assert json.loads(await response.content.readline())["text"] == "first"
        await library.go_on(recorder, [said(2, b"second")])
        assert json.loads(await response.content.readline())["text"] == "second"
        await recorder.close(DONE, "")
        assert json.loads(await response.content.readline())["end"]["exit_code"] == 3


async def test_following_ends_with_the_login(library, ada, at):
    login = await at.store.get_login(ada.login_id)
    head = replace(HERS, id="e" * 26, issuer=login.identity.issuer, subject=login.identity.subject)
    recorder = await library.begin(head, [said(1, b"first")])
    headers = {"DPoP": ada.proof("GET", f"/api/v1/recordings/{head.id}/moments")}
    url = f"{at.deps.url}/api/v1/recordings/{head.id}/moments?follow=1"
    async with at.browser.get(url, headers=headers) as response:
        await response.content.readline()
        await response.content.readline()
        await at.store.end_login(ada.login_id, at.now, "logged out")
        assert "login has ended" in json.loads(await response.content.readline())["error"]
    await recorder.close(DONE, "")


async def test_the_command_line_lists_opens_and_removes_what_it_may(at, tmp_path, monkeypatch):
    monkeypatch.setenv("KWIT_HOME", str(tmp_path / "home"))
    await signed_in(at)
    library = Library(at.deps.recordings)
    await library.add(HIS, SHELL)
    await library.close()
    at.policy = bound(developer(), auditor("list", "get", "delete"))
    server = Server(api(at, clock_error=7200.0))
    rows, more = await asyncio.to_thread(server.rows, Wanted(namespace="bank", since=5.0), 10)
    assert ([row["head"]["id"] for row in rows], more) == ([HIS.id], False)
    opened = await asyncio.to_thread(server.open, HIS.id)
    assert opened.head == HIS
    assert tuple(await asyncio.to_thread(lambda: list(opened.moments()))) == SHELL
    assert opened.footer.exit_code == 3
    await asyncio.to_thread(server.remove, HIS.id)
    with pytest.raises(Problem, match="no recording of this id that you may open; `kwit recordings ls`"):
        await asyncio.to_thread(server.open, HIS.id)

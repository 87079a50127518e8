"""A person of the demo: their commands run in a terminal of their own, and their browser goes to the end of the way."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml
from aiohttp import web

from proxy.demo import engineer as engineers
from proxy.demo.engineer import BrowserError, Engineer, Said, pick, without


@pytest.fixture
def alice(tmp_path: Path) -> Engineer:
    environ = {"PATH": "/bin", "KUBECONFIG": "/somebody/elses", "KUBERNETES_EXEC_INFO": "{}", "COLUMNS": "10"}
    return Engineer("alice", tmp_path / "alice", tmp_path, "sandbox", (sys.executable,), environ)


def test_nothing_of_whoever_runs_the_demo_is_used(alice: Engineer, tmp_path: Path) -> None:
    assert alice.environment() == {
        "PATH": "/bin",
        "KUBECONFIG": str(tmp_path / "alice" / "kubeconfig"),
        "KWIT_HOME": str(tmp_path / "alice" / "kwit"),
        "KUBECACHEDIR": str(tmp_path / "alice" / "cache"),
    }


def test_the_context_is_the_demos_and_what_is_there_stays(alice: Engineer) -> None:
    alice.settle()
    document = yaml.safe_load(alice.kubeconfig.read_text())
    assert document == {"apiVersion": "v1", "kind": "Config", "current-context": "kwit-sandbox"}
    assert (alice.home.stat().st_mode & 0o777, alice.kubeconfig.stat().st_mode & 0o777) == (0o700, 0o600)
    alice.kubeconfig.write_text("theirs")
    alice.settle()
    assert alice.kubeconfig.read_text() == "theirs"


async def test_a_command_is_run_where_they_are_and_quoted_whole(alice: Engineer, tmp_path: Path) -> None:
    code = "import json, os, sys; print(json.dumps([os.getcwd(), os.environ['KWIT_HOME']])); sys.exit('no')"
    said = await alice.run_kwit("-c", code)
    assert (said.code, json.loads(said.out), said.err) == (1, [str(tmp_path), str(alice.kwit_home)], "no\n")


async def test_a_command_on_the_terminal_is_not_quoted(alice: Engineer) -> None:
    assert await alice.run_kwit("-c", "", on_terminal=True) == Said(0, "", "")


async def test_a_command_that_does_not_end_is_ended(alice: Engineer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engineers, "COMMAND_SECONDS", 0.0)
    said = await alice.run_kwit("-c", "import time; time.sleep(60)")
    assert said == Said(124, "", "ended after 0 s: it took too long\n")


def test_a_search_path_is_kept_but_for_one_directory() -> None:
    path = os.pathsep.join(("/bin", "/venv/bin", "", "/usr/bin"))
    assert without(path, Path("/venv/bin")) == os.pathsep.join(("/bin", "", "/usr/bin"))
    assert without("", Path("/venv/bin")) == ""


# -- the browser


@pytest.fixture
async def site() -> AsyncIterator[tuple[str, list[str]]]:
    """A sign-in page behind a redirect that sets a cookie, and what came to its end."""
    ended: list[str] = []

    async def first(_: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "/page?q=1", "Set-Cookie": "a=b; HttpOnly"})

    async def page(request: web.Request) -> web.Response:
        return web.Response(text="page", status=200 if request.cookies.get("a") == "b" else 400)

    async def chosen(request: web.Request) -> web.Response:
        form = await request.post()
        ended.append(f"{request.query['q']} {form['person']}")
        away = {"mallory": "http://localhost:1/", "nobody": "/absent"}.get(str(form["person"]), "/end")
        return web.Response(status=303, headers={"Location": away})

    async def end(_: web.Request) -> web.Response:
        return web.Response(text="done")

    app = web.Application()
    app.router.add_get("/login", first)
    app.router.add_get("/page", page)
    app.router.add_post("/page", chosen)
    app.router.add_get("/end", end)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}", ended
    await runner.cleanup()


async def test_the_button_with_the_persons_name_is_pressed(site: tuple[str, list[str]]) -> None:
    url, ended = site
    await pick(f"{url}/login", "alice")
    assert ended == ["1 alice"]


async def test_an_end_that_is_none_is_told(site: tuple[str, list[str]]) -> None:
    url, _ = site
    with pytest.raises(BrowserError, match=r"/absent answered 404$"):
        await pick(f"{url}/login", "nobody")
    with pytest.raises(BrowserError, match="the sign-in pages could not be read"):
        await pick(f"{url}/login", "mallory")
    with pytest.raises(BrowserError, match="led to localhost"):
        await pick(f"{url.replace('127.0.0.1', 'localhost')}/login", "alice")


async def test_a_login_that_ends_by_itself_is_quoted_from_its_beginning(alice: Engineer, tmp_path: Path) -> None:
    program = tmp_path / "kwit"
    program.write_text("#!/bin/sh\necho first >&2\necho last >&2\nexit 1\n")
    program.chmod(0o755)
    theirs = Engineer("alice", alice.home, tmp_path, "sandbox", (str(program),), alice.environ)
    assert await theirs.sign_in("http://127.0.0.1:1") == Said(1, "", "first\nlast\n")


async def test_a_login_whose_pages_fail_is_ended(alice: Engineer, tmp_path: Path, site: tuple[str, list[str]]) -> None:
    url, _ = site
    program = tmp_path / "kwit"
    program.write_text(f"#!/bin/sh\necho '  {url}/login?x=1' >&2\nexec sleep 60\n")
    program.chmod(0o755)
    theirs = Engineer("nobody", alice.home, tmp_path, "sandbox", (str(program),), alice.environ)
    with pytest.raises(BrowserError):
        await theirs.sign_in(url)

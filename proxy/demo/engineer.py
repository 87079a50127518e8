"""A person of the demo: what they type runs as it would in their own terminal, and their browser says who they are.

Each has a KUBECONFIG and a KWIT_HOME of their own, so nothing of the person who runs the demo is read or changed.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from auth.kubeconfig import PREFIX

COMMAND_SECONDS = 60.0
"""For one command; the slowest measured takes two, on a busy machine more."""
BROWSER_SECONDS = 20.0
TOO_LONG = 124
"""The exit code of a command that had to be ended; `timeout` has the same."""
MAX_SAID = 1 << 20
"""Bytes of one command's output that are looked at."""
_NOT_THEIRS = ("KUBERNETES_EXEC_INFO", "KUBECTL_EXTERNAL_DIFF", "COLUMNS", "LINES")


@dataclass(frozen=True, slots=True)
class Said:
    """What a command said, and its exit code."""

    code: int
    out: str
    err: str = ""


class BrowserError(Exception):
    """The way through the sign-in pages ended somewhere else than at the command line."""


@dataclass(frozen=True, slots=True)
class Engineer:
    """`name` is the sample person; `home` a directory of their own; `at` where they are; `kwit` how it is called."""

    name: str
    home: Path
    at: Path
    cluster: str
    kwit: tuple[str, ...]
    environ: Mapping[str, str]

    @property
    def kubeconfig(self) -> Path:
        return self.home / "kubeconfig"

    @property
    def kwit_home(self) -> Path:
        return self.home / "kwit"

    def settle(self) -> None:
        """Make the directory, and a kubeconfig whose current context will be the demo's. Raises OSError."""
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self.kubeconfig.exists():
            text = f"apiVersion: v1\nkind: Config\ncurrent-context: {PREFIX}{self.cluster}\n"
            self.kubeconfig.touch(mode=0o600)
            self.kubeconfig.write_text(text, encoding="ascii")

    def environment(self) -> dict[str, str]:
        """The environment of their terminal."""
        kept = {name: value for name, value in self.environ.items() if name not in _NOT_THEIRS}
        theirs = {"KUBECONFIG": self.kubeconfig, "KWIT_HOME": self.kwit_home, "KUBECACHEDIR": self.home / "cache"}
        return kept | {name: str(path) for name, path in theirs.items()}

    async def run(self, argv: Sequence[str], *, on_terminal: bool = False) -> Said:
        """Run a command until it ends or takes too long. `on_terminal`: it writes there itself. Raises OSError."""
        pipe = None if on_terminal else asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *argv, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe, cwd=self.at, env=self.environment()
        )
        return await self._ended(process)

    async def run_kwit(self, *arguments: str, on_terminal: bool = False) -> Said:
        """As `run`, for one of our own commands."""
        return await self.run([*self.kwit, *arguments], on_terminal=on_terminal)

    async def sign_in(self, web_url: str) -> Said:
        """`kwit login`, with a browser in which this person is picked. Raises BrowserError, TimeoutError, OSError."""
        # found by name, kwit would be written into the kubeconfig by name, and another terminal may not find it
        environment = self.environment() | {"PATH": without(self.environ.get("PATH", ""), Path(self.kwit[0]).parent)}
        process = await asyncio.create_subprocess_exec(
            *self.kwit,
            *("login", web_url, "--print-url", "--timeout", str(int(COMMAND_SECONDS))),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=self.at,
            env=environment,
        )
        before = ""
        try:
            async with asyncio.timeout(COMMAND_SECONDS):
                assert process.stderr is not None
                while line := (await process.stderr.readline()).decode(errors="replace"):
                    before += line
                    if (word := line.strip()).startswith(f"{web_url}/login?"):
                        await pick(word, self.name)
                        break
        except BaseException:
            await _end(process)
            raise
        said = await self._ended(process)
        return Said(said.code, said.out, said.err if said.code == 0 else before + said.err)

    async def _ended(self, process: asyncio.subprocess.Process) -> Said:
        try:
            async with asyncio.timeout(COMMAND_SECONDS):
                out, err = await process.communicate()
        except TimeoutError:
            await _end(process)
            return Said(TOO_LONG, "", f"ended after {COMMAND_SECONDS:.0f} s: it took too long\n")
        except BaseException:
            await _end(process)
            raise
        assert process.returncode is not None
        return Said(process.returncode, _text(out), _text(err))


async def _end(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.kill()
    await process.wait()


def _text(data: bytes | None) -> str:
    return (data or b"")[:MAX_SAID].decode(errors="replace")


def without(path: str, directory: Path) -> str:
    """A search path that does not lead to `directory`."""
    return os.pathsep.join(part for part in path.split(os.pathsep) if not part or Path(part) != directory)


async def pick(address: str, person: str) -> None:
    """What a browser does: follow the links from `address`, and press the button with this person's name.

    Raises BrowserError, also where a link leads away from this machine.
    """
    timeout = aiohttp.ClientTimeout(total=BROWSER_SECONDS)
    try:
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True), timeout=timeout) as browser:
            async with browser.get(address) as page:
                _at_home(page)
                form = page.url
            async with browser.post(form, data={"person": person}) as end:
                _at_home(end)
    except (aiohttp.ClientError, TimeoutError) as error:
        raise BrowserError(f"the sign-in pages could not be read: {error!r}") from error


def _at_home(page: aiohttp.ClientResponse) -> None:
    here = {urlsplit(str(one.url)).hostname for one in (*page.history, page)}
    if here != {"127.0.0.1"}:
        raise BrowserError(f"a sign-in page led to {', '.join(sorted(str(host) for host in here))}")
    if page.status != 200:
        raise BrowserError(f"{page.url.with_query(None)} answered {page.status}")

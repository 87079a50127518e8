"""The order of the story, and its two ways of being told: shown with every command, or claim by claim (`--check`)."""

from __future__ import annotations

import asyncio
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from proxy.cli.client.problem import Problem
from proxy.demo import direct, evidence, recorded, screen, shell, tampering
from proxy.demo.direct import Direct, PluginError
from proxy.demo.engineer import BrowserError, Engineer, Said
from proxy.demo.folder import SANDBOX
from proxy.demo.furniture import NAMESPACE, SECRET
from proxy.demo.kubectl import Kubectl
from proxy.demo.recorded import Recorded
from proxy.demo.story import BOBS, MANIFEST, MANIFEST_FILE, Line, Request, Step, judge, reading_story, sandbox_story
from proxy.demo.terminal import Sat
from proxy.demo.world import World
from recordings.audit.query import oldest_first
from recordings.audit.question import Question

PERSON, GROUPS = "alice", ("kwit:developers", "system:authenticated")
"""Who plays, and the groups that the sandbox must see her with."""
SEAL_LOOKS, SEAL_SECONDS = 200, 0.05
"""How often, and how far apart, we look for the end of a recording in the log; it takes some milliseconds."""


@dataclass(slots=True)
class Performance:
    """`await run()`; `problems` is what did not come out as claimed."""

    world: World
    alice: Engineer
    bob: Engineer
    mallory: Engineer
    kubectl: Kubectl | None
    checking: bool
    clock: Callable[[], float]
    problems: list[str] = field(default_factory=list)
    _began: float = 0.0
    _direct: Direct | None = None
    _sat: Sat | None = None
    _recorded: Recorded | None = None

    async def run(self) -> None:
        """The whole story. Raises Problem where it cannot go on."""
        self._began = self.clock()
        (self.world.folder.path / MANIFEST_FILE).write_text(MANIFEST, encoding="ascii")
        await self._sign_in()
        await self._work()
        await self._open_shell()
        await self._records()
        await self._play()
        await self._examine()
        await self._verify()
        if self.checking:
            await self._others()
            await self._log_out()

    # -- the parts

    async def _sign_in(self) -> None:
        self._heading("1. Sign in")
        self._prose(
            "Alice signs in with her company's single sign-on. A browser would open there; the demo has its own "
            "provider, and picks Alice on its page by itself."
        )
        url = self.world.config.web.url
        self._command(f"kwit login {url}")
        said = await self._signing_in(self.alice, url)
        self._output(said)
        self._verdict("alice signs in, and her kubeconfig has a context", self._signed_in(said))
        if said.code:
            raise Problem("without a login the story ends here")
        await self._kwit("status", claim="kwit status says who she is", word="alice")

    async def _signing_in(self, engineer: Engineer, url: str) -> Said:
        engineer.settle()
        try:
            return await engineer.sign_in(url)
        except (BrowserError, TimeoutError) as error:
            why = str(error) or "nothing happened for too long"
            raise Problem(f"the sign-in did not come to its end: {why}") from error

    def _signed_in(self, said: Said) -> str:
        words = (f"Signed in to {self.world.config.installation} as {PERSON} (eng) until ", f"kwit-{self._cluster}")
        missing = [word for word in words if word not in said.out]
        return f"exit code {said.code}, without {missing}: {said.err}" if said.code or missing else ""

    async def _work(self) -> None:
        self._heading("2. Work")
        if self.kubectl is None:
            self._direct = await self._connect(self.alice)
        for step in self._steps():
            if step.title:
                self._prose(step.title)
            said = await self._do(step)
            problem = judge(step, said, with_kubectl=self.kubectl is not None)
            told = f"{problem}:\n{said.out}{said.err}".rstrip() + f"\n{step.hint}".rstrip()
            self._verdict(step.claim, told if problem else "")
        self._prose("Ask before you try:")
        namespace = NAMESPACE if self._cluster == SANDBOX else "default"
        await self._kwit(
            *("can-i", "get", "secrets", "-n", namespace), claim="kwit can-i knows it before", word="deny[0]", code=1
        )

    async def _connect(self, engineer: Engineer) -> Direct:
        try:
            return await direct.connect(engineer)
        except (PluginError, OSError) as error:
            raise Problem(f"the certificate could not be had: {error}") from error

    async def _do(self, step: Step) -> Said:
        if self.kubectl is not None:
            self._command(shlex.join(("kubectl", *step.kubectl)))
            said = await self.alice.run([self.kubectl.path, *step.kubectl])
        else:
            assert self._direct is not None
            said = await self._send(step.request, self._direct)
        self._output(said)
        return said

    async def _send(self, request: Request, way: Direct) -> Said:
        headers = "".join(f"  {name}: {value}" for name, value in request.headers)
        self._command(f"{request.method} {request.path}{headers}", prompt=">")
        try:
            return await asyncio.to_thread(way.send, request)
        except OSError as error:
            return Said(1, "", f"no answer: {error}")

    async def _open_shell(self) -> None:
        """In the sandbox, where a command is a process of this machine; pseudo-terminals are POSIX's."""
        if self._cluster != SANDBOX or sys.platform == "win32":
            return
        self._heading("3. A shell")
        self._prose("Alice looks into a pod. Every byte passes as ever, and is kept:")
        self._command(shlex.join(("kubectl", *shell.KUBECTL)))
        try:
            if self.kubectl is not None:
                self._sat = await shell.by_kubectl(self.kubectl, self.alice)
            else:
                assert self._direct is not None
                self._sat = await shell.by_socket(self._direct)
        except OSError as error:
            self._sat = Sat(str(error).encode(), b"", -1)
        self._output(Said(0, recorded.plain(self._sat.shown)))
        missing = [word for word in shell.SAYS if word not in self._sat.shown]
        problem = f"exit code {self._sat.code}, without {missing}: {self._sat.shown!r}"
        self._verdict("alice works in a shell in a pod", problem if self._sat.code or missing else "")

    async def _play(self) -> None:
        """The shell's recording, as text. What it must hold is claimed later."""
        if self._sat is None:
            return
        seal = await self._sealed(SEAL_LOOKS if self._sat.code == 0 else 1)
        self._heading("5. Played again")
        if seal is not None:
            self._recorded = recorded.read(self.world.config.recordings_directory, str(seal["recording"]))
        if self._recorded is not None:
            directory = self._from_here(self.world.config.recordings_directory)
            self._prose("What happened in the shell, from its recording. On a terminal it would play:")
            play = ("play", self._recorded.id, "--dir", directory)
            await self._kwit(*play, claim="kwit play shows the shell again", word="colour=blue\nsize=7\n")
        for finding in recorded.compare(self._recorded, seal or {}, self._sat):
            self._verdict(finding.claim, finding.problem, always=True)

    async def _sealed(self, looks: int) -> dict[str, Any] | None:
        """What the log says of the recording; it is written when the shell has ended, a moment after kubectl has."""
        for _ in range(looks):
            if found := recorded.seals(self._since_began()):
                return found[-1]
            await asyncio.sleep(SEAL_SECONDS)
        return None

    async def _verify(self) -> None:
        """The log as it is, and a copy in which somebody has changed a name."""
        self._heading("7. Changed")
        here, log = self.world.folder.path, self.world.config.audit_directory
        key = ("--key", self._from_here(self._root_key()))
        self._prose("Every record is part of a signed tree. Is the log whole?")
        await self._kwit(
            *("audit", "verify", self._from_here(log), *key),
            claim="kwit audit verify finds the log whole",
            word="",
        )
        copy = here / "log-copy"
        changed = await asyncio.to_thread(tampering.changed_copy, log, copy, b'"alice"', b'"carol"')
        if changed is None:
            self._verdict("one changed name is found", "no record names alice")
            return
        self._prose("Somebody who has the disk puts the blame on another; here in a copy:")
        self._command(shlex.join(("cp", "-r", self._from_here(log), copy.name)))
        self._command(f"""sed -i '0,/"alice"/s//"carol"/' {self._from_here(changed)}""")
        await self._kwit(*("audit", "verify", copy.name, *key), claim="one changed name is found", word="", code=1)

    def _from_here(self, path: Path) -> str:
        """As it is typed in the demo's directory; a changed configuration may keep it elsewhere."""
        here = self.world.folder.path
        return str(path.relative_to(here) if path.is_relative_to(here) else path)

    def _root_key(self) -> Path:
        """The public part of the key that all of the log's keys come from."""
        return self.world.config.ca_directory / "audit-root.key.pub"

    async def _records(self) -> None:
        self._heading("4. The record")
        self._prose("What the log says now. What changes something was on disk before the cluster was asked.")
        if self.checking:
            await self._kwit(
                "audit", "search", "--user", PERSON, "--since", "1h", claim="kwit audit search finds it", word=PERSON
            )
            return
        namespace = ("-n", NAMESPACE) if self._cluster == SANDBOX else ()
        await self._shown("audit", "search", "--since", "10m", "--user", PERSON, *namespace)
        refused = [one for one in self._since_began() if evidence.line(one)[1:4:2] == ("secrets", "refused")]
        if refused:
            self._prose("The refusal in full, with the login and the certificate behind it:")
            await self._shown("audit", "show", evidence.id_of(refused[0]))

    async def _examine(self) -> None:
        self._heading("6. Checked")
        sandbox, records = self.world.sandbox, self._since_began()
        expected: list[Line] = [line for step in self._steps() for line in step.lines]
        seen = [one for one in sandbox.seen if one.user] if sandbox is not None else None
        if self._sat is not None:
            expected += shell.lines(one.method for one in seen or () if "/exec?" in one.target)
        findings = evidence.examine(records, seen, person=PERSON, groups=GROUPS, expected=expected)
        secrets = [self.world.folder.provider_secret]
        if sandbox is not None:
            secrets += [sandbox.token, SECRET]
        findings.append(evidence.secrets_in(log_lines(self.world.config.audit_directory), secrets))
        for finding in findings:
            self._verdict(finding.claim, finding.problem, always=True)

    async def _others(self) -> None:
        """Who else there is, and what their groups open to them."""
        url, sandbox = self.world.config.web.url, self._cluster == SANDBOX
        people = [(self.mallory, "mallory, whom no role names, has no cluster")]
        people += [] if sandbox else [(self.bob, "nor has bob, for whom there is no role here")]
        for engineer, claim in people:
            said = await self._signing_in(engineer, url)
            right = said.code == 0 and "No cluster is open to you yet" in said.out
            self._verdict(claim, "" if right else said.out + said.err)
        if sandbox:
            await self._signing_in(self.bob, url)
            way = await self._connect(self.bob)
            for request, claim in BOBS:
                said = await self._send(request, way)
                right = all(word in said.out + said.err for word in (f"{request.status} ", *request.says))
                self._verdict(claim, "" if right else said.out + said.err)

    async def _log_out(self) -> None:
        """A certificate that is good for an hour ends with its login."""
        way = self._direct or await self._connect(self.alice)
        await self._kwit("logout", claim="kwit logout ends the login", word="")
        said = await self._send(Request("GET", "/api/v1/namespaces/default/pods", 403), way)
        right = said.code == 1 and said.err.startswith("403 ")
        self._verdict("and alice's certificate with it, at the next request", "" if right else said.out + said.err)

    # -- how it is told

    @property
    def _cluster(self) -> str:
        return self.world.folder.cluster

    def _steps(self) -> list[Step]:
        story = sandbox_story if self._cluster == SANDBOX else reading_story
        minor = self.kubectl.minor if self.kubectl is not None else None
        return [step for step in story(self._cluster) if minor is None or step.minor <= minor]

    def _since_began(self) -> list[evidence.Record]:
        return list(oldest_first(self.world.config.audit_directory, Question(since=self._began)))

    async def _kwit(self, *arguments: str, claim: str, word: str, code: int = 0) -> None:
        self._command(shlex.join(("kwit", *arguments)))
        said = await self.alice.run_kwit(*arguments)
        self._output(said)
        right = said.code == code and word in said.out
        self._verdict(claim, "" if right else f"exit code {said.code}: {said.out}{said.err}".rstrip())

    async def _shown(self, *arguments: str) -> None:
        """By the command itself where there is a terminal: then it fits, and has its colours."""
        self._command(shlex.join(("kwit", *arguments)))
        on_terminal = screen.is_terminal()
        said = await self.alice.run_kwit(*arguments, on_terminal=on_terminal)
        if not on_terminal:
            self._output(said)

    def _heading(self, text: str) -> None:
        if not self.checking:
            screen.heading(text)

    def _prose(self, text: str) -> None:
        if not self.checking:
            screen.prose(text)

    def _command(self, text: str, prompt: str = "$") -> None:
        if not self.checking:
            screen.command(text, prompt)

    def _output(self, said: Said) -> None:
        if not self.checking:
            screen.output(said)

    def _verdict(self, claim: str, problem: str = "", *, always: bool = False) -> None:
        if problem:
            self.problems.append(claim)
        if problem or always or self.checking:
            screen.verdict(claim, problem)


def log_lines(directory: Path) -> list[bytes]:
    """Every line of every file of the log."""
    return [line for path in sorted(directory.glob("*/*.ndjson")) for line in path.read_bytes().splitlines()]

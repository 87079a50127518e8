"""The benchmark: contenders side by side, in short interleaved rounds, on this machine. See README.md beside this."""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import ssl
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from tests.bench import certificates as pki
from tests.bench.contenders.go import start_reverseproxy, start_upstream
from tests.bench.contenders.kwit import start_kwit
from tests.bench.contenders.nginx import nginx_version, start_nginx
from tests.bench.processes import Running, StartError
from tests.bench.programs import Programs, UnavailableError, build, cache, go_version
from tests.bench.rounds import Round, RoundError, measure
from tests.bench.scenarios import SCENARIOS, Scenario
from tests.bench.table import DIRECT, OURS, REFERENCE, Row, ciphers, goals, summary, table

GO = "reverseproxy"
CONTENDERS = (DIRECT, REFERENCE, GO, OURS)


@dataclass(slots=True)
class Findings:
    """What a run gave. `notes` are sentences on what was left out and why; `failed`: one of them is a fault."""

    rows: dict[tuple[str, str], Row] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    absent: set[str] = field(default_factory=set)
    failed: bool = False


def main(arguments: Sequence[str]) -> int:
    """0 when every round was without errors; 1 otherwise; 2 when nothing could be measured."""
    options = _options(arguments)
    scenarios = [s.quick if options.quick else s for s in SCENARIOS if not options.only or s.name in options.only]
    if options.rounds:
        scenarios = [replace(s, rounds=options.rounds) for s in scenarios]
    try:
        programs = build()
    except UnavailableError as error:
        print(f"no benchmark: {error}")
        return 2
    found, facts = Findings(), machine()
    signal.signal(signal.SIGTERM, signal.default_int_handler)

    def one(scenario: Scenario) -> None:
        with tempfile.TemporaryDirectory(prefix="kwit-bench.") as folder:
            _scenario(scenario, options.contenders or CONTENDERS, programs, Path(folder), found)

    run(scenarios, one, found, lambda: _write(options.json, facts, scenarios, found))
    print(f"\n{table(scenarios, found.rows)}\n")
    facts |= {"ciphers": ciphers(found.rows), "figures": str(options.json)}
    print("\n".join((*goals(scenarios, found.rows), *found.notes, "", *(f"{k}: {v}" for k, v in facts.items()))))
    return int(found.failed or any(row.errors for row in found.rows.values()))


def run(
    scenarios: Sequence[Scenario], one: Callable[[Scenario], None], found: Findings, keep: Callable[[], None]
) -> None:
    """`one` after the other; rows are shown, and kept, when their scenario is done: an interruption loses only its own.

    Ctrl-C or SIGTERM ends it with a note in `found`, which has then failed.
    """
    for scenario in scenarios:
        print(f"{scenario.title} …", file=sys.stderr, flush=True)
        try:
            one(scenario)
        except KeyboardInterrupt:
            found.notes.append(f"INTERRUPTED in {scenario.title}: what was measured before it stands")
            found.failed = True
            break
        print(f"\n{table([scenario], found.rows)}\n", flush=True)
        keep()


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests/bench/run", description="What kubewitness costs beside others.")
    parser.add_argument("--quick", action="store_true", help="shorter and fewer rounds: shows that everything works")
    parser.add_argument("--only", nargs="+", choices=[s.name for s in SCENARIOS], metavar="SCENARIO")
    parser.add_argument("--rounds", type=int, metavar="N", help="of each contender; the more, the surer a minimum is")
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS)
    parser.add_argument("--json", type=Path, default=cache() / "bench.json", help="where the figures go (%(default)s)")
    return parser.parse_args(arguments)


@dataclass(frozen=True, slots=True)
class Stage:
    """One scenario's processes stand in `folder`, all before the same upstream."""

    folder: Path
    upstream: Running
    keys: pki.Certificates
    programs: Programs

    def start(self, name: str) -> Running:
        """Start one contender. Raises UnavailableError, StartError."""
        starts: dict[str, Callable[[Path], Running]] = {
            DIRECT: lambda _: self.upstream,
            REFERENCE: lambda own: start_nginx(own, self.upstream.address, self.keys),
            GO: lambda own: start_reverseproxy(own, self.upstream.address, self.keys, self.programs),
            OURS: lambda own: start_kwit(own, self.upstream.address, self.keys),
        }
        return starts[name](_new(self.folder / name))


def _scenario(scenario: Scenario, contenders: Sequence[str], programs: Programs, folder: Path, found: Findings) -> None:
    """Fresh processes, so that memory is this scenario's own; then the rounds, one contender after the other."""
    keys = pki.make(folder)
    stage = Stage(folder, start_upstream(_new(folder / "upstream"), keys, programs), keys, programs)
    running: dict[str, Running] = {}
    try:
        for name in contenders:
            if name not in found.absent:
                _start(name, stage, running, found)
        rounds: dict[str, list[Round]] = {name: [] for name in running}
        for number in range(scenario.rounds):
            for name, contender in running.items():
                pids = () if name == DIRECT else contender.pids()
                try:
                    rounds[name].append(measure(scenario, programs.loadgen, contender, stage.upstream, pids, number))
                except (RoundError, OSError) as error:
                    found.notes.append(f"FAILED {name}, {scenario.title}: {error} {_last_words(folder / name)}".strip())
                    found.failed = True
        for name, own in rounds.items():
            if own:
                found.rows[scenario.name, name] = summary(scenario, name, own)
    finally:
        for contender in {id(one): one for one in (*running.values(), stage.upstream)}.values():
            contender.stop()


def _start(name: str, stage: Stage, running: dict[str, Running], found: Findings) -> None:
    """Start one contender, or note why it is absent from now on."""
    try:
        running[name] = stage.start(name)
    except UnavailableError as error:
        found.absent.add(name)
        found.notes.append(f"left out {name}: {error}")
    except StartError as error:
        found.absent.add(name)
        found.notes.append(f"FAILED {name}: {error}")
        found.failed = True


def _new(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _last_words(folder: Path) -> str:
    """The end of what a contender printed: where a round failed, it often says why."""
    log = folder / "output.log"
    return log.read_text(errors="replace")[-500:].strip() if log.exists() else ""


def machine() -> dict[str, str]:
    processor = next(
        (line.partition(": ")[2] for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.machine(),
    )
    try:
        nginx = nginx_version()
    except UnavailableError:
        nginx = "none"
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": f"{os.cpu_count()} cores of {processor}, Linux {platform.release()}, load {os.getloadavg()[0]:.2f}",
        "versions": f"Python {platform.python_version()}, {ssl.OPENSSL_VERSION}, {nginx}, {go_version()}",
    }


def _write(path: Path, facts: dict[str, str], scenarios: Sequence[Scenario], found: Findings) -> None:
    """Beside the old figures first: an interruption leaves one or the other, whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figures = {
        "machine": facts,
        "scenarios": [asdict(scenario) for scenario in scenarios],
        "rows": [asdict(row) for row in found.rows.values()],
        "notes": found.notes,
    }
    new = path.with_name(path.name + ".new")
    new.write_text(json.dumps(figures, indent=1) + "\n")
    new.replace(path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""`make fuzz`: every target in turn, each in a process of its own with limits on time, memory, length and count.

Inputs that reach something new are kept in `.venv/fuzz-corpus`, so that runs build upon each other; an input that is a
finding is written to `.venv/fuzz-findings`. Turn it into a seed: `python -m tests.fuzz.run --keep TARGET NAME FILE`.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
import subprocess
import sys
import time
from pathlib import Path

from tests.fuzz.all_targets import TARGETS
from tests.fuzz.seeds import Seed, keep, seeds

PLACE = Path(__file__).parents[2] / ".venv"
MAX_BYTES = 4_096
"""Of one input. What is larger says nothing new, and limits are met by named seeds."""
MEMORY_MIB = 512
HANG_SECONDS = 5
"""Of one input; far more than any takes on a busy machine."""
MAX_RUNS = 20_000_000
GRACE_SECONDS = 60
"""For starting, and for the last input."""


def fuzz(name: str, seconds: int) -> tuple[bool, str]:
    """(whether nothing was found, a sentence)."""
    corpus, findings = PLACE / "fuzz-corpus" / name, PLACE / "fuzz-findings"
    corpus.mkdir(parents=True, exist_ok=True)
    findings.mkdir(exist_ok=True)
    for number, seed in enumerate(seeds(name)):
        (corpus / f"seed-{number}").write_bytes(seed.data)
    limits = (
        f"-max_total_time={seconds}", f"-rss_limit_mb={MEMORY_MIB}", f"-timeout={HANG_SECONDS}", f"-runs={MAX_RUNS}",
        f"-max_len={MAX_BYTES}", f"-artifact_prefix={findings}/{name}-", "-print_final_stats=1",
    )  # fmt: skip
    began = time.monotonic()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "tests.fuzz.one", name, *limits, str(corpus)],
            check=False, capture_output=True, text=True, errors="replace", timeout=seconds + GRACE_SECONDS,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return False, f"{name}: it did not end within {seconds + GRACE_SECONDS} s"
    told = dict(re.findall(r"stat::(\w+):\s+(\d+)", done.stderr))
    said = f"{name}: {told.get('number_of_executed_units', '?')} inputs in {time.monotonic() - began:.0f} s"
    said += f", {told.get('peak_rss_mb', '?')} MiB"
    if done.returncode == 0:
        return True, said
    written = re.findall(r"Test unit written to (\S+)", done.stderr)
    return False, f"{said}; FOUND {' '.join(written)}\n{done.stdout[-2000:]}"


def main() -> int:
    parser = argparse.ArgumentParser(description="fuzz the parsers")
    parser.add_argument("--seconds", type=int, default=20, help="for each target")
    parser.add_argument("--keep", nargs=3, metavar=("TARGET", "NAME", "FILE"), help="make a seed of a finding")
    parser.add_argument("targets", nargs="*", help="all of them by default")
    asked = parser.parse_args()
    if asked.keep:
        target, name, file = asked.keep
        data = Path(file).read_bytes()
        keep([*seeds(target), Seed(target, name, data, TARGETS[target](data))])
        return 0
    if importlib.util.find_spec("atheris") is None:
        print("atheris is not installed: it needs CPython 3.11 on Linux x86-64 (tests/fuzz/README.md)")
        return 2
    if unknown := set(asked.targets) - TARGETS.keys():
        print(f"there is no target {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
        return 2
    is_good = True
    for name in asked.targets or TARGETS:
        is_well, said = fuzz(name, asked.seconds)
        print(said, flush=True)
        is_good = is_good and is_well
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())

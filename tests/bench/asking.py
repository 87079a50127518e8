"""What it costs to ask a log of a million records: `python -m tests.bench.asking [--records N] [--keep DIR]`.

Makes the log from real Events in segments as `kwit serve` would have closed them, has all but the last sealed, with
Parquet, and asks each question in a process of its own, as a person at a terminal does. Printed are the seconds of the
whole command and of the asking alone, the median of three; the bar is for the asking.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from proxy.audit_id import uuid7
from recordings.audit.encode import encode, rfc3339
from recordings.audit.event import RequestFacts, event
from recordings.audit.housekeeping import housekeep
from recordings.audit.segments import segment_name

START = 1_790_000_000.0
SECONDS_APART = 0.6
"""A million records are a week."""
PEOPLE = 500
SEGMENT_BYTES = 128 << 20
"""The default's half: so there are seven sealed segments and one that is open."""
ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Asked:
    """One question: `kwit audit` arguments, code that asks the same in Python, and the bar in seconds, if any."""

    name: str
    arguments: tuple[str, ...]
    code: str
    bar: float | None = None


def make_log(root: Path, records: int) -> None:
    """One writer's log. Unsigned: reading does not look at signatures."""
    writer = root / "node-0"
    writer.mkdir(parents=True)
    size, file = 0, None
    for seq, line in enumerate(_lines(records), 1):
        if file is None or size > SEGMENT_BYTES:
            if file is not None:
                file.close()
            file = (writer / segment_name(seq, 0)).open("wb")
            size = file.write(encode({"header": {"v": 1, "writer": "node-0", "first_seq": seq}}))
        size += file.write(line)
    if file is not None:
        file.close()


def _lines(records: int) -> Iterator[bytes]:
    draw = random.Random(7)  # the same log each time
    for seq in range(1, records + 1):
        at = START + seq * SECONDS_APART
        person = f"person-{draw.randrange(PEOPLE):03d}@example.com"
        namespace, resource = f"team-{draw.randrange(40)}", draw.choice(("pods", "deployments", "secrets", "services"))
        verb, name = draw.choice(("get", "list", "watch", "create", "delete")), f"{resource}-{draw.randrange(2000)}"
        audit_id = uuid7(at, draw.randbytes(10))
        facts = RequestFacts(
            audit_id=audit_id,
            verb=verb,
            request_uri=f"/api/v1/namespaces/{namespace}/{resource}/{name}",
            user_agent="kubectl/v1.30.0 (linux/amd64) kubernetes/7c48c2b",
            source=f"10.0.{draw.randrange(256)}.{draw.randrange(256)}",
            received_at=at - 0.01,
            is_resource_request=True,
            api_version="v1",
            resource=resource,
            namespace=namespace,
            name=name,
        )
        user = {"username": person, "uid": person[:10], "groups": ["eng", "oncall"], "extra": {}}
        is_denied = draw.random() < 0.01
        annotations = {
            "authorization.k8s.io/decision": "forbid" if is_denied else "allow",
            "kubewitness.dev/role": "developer",
            "kubewitness.dev/rule": "allow[0]",
        }
        yield encode(
            {
                "v": 1,
                "seq": seq,
                "id": uuid7(at, draw.randbytes(10)),
                "time": rfc3339(at),
                "boot": "0" * 32,
                "mono": seq * SECONDS_APART,
                "type": "kube.request",
                "outcome": "refused" if is_denied else "done",
                "cluster": "prod",
                "actor": {"connector": "corp", "issuer": "https://id.example.com", "subject": "s", "username": person},
                "login": "l" * 26,
                "source": facts.source,
                "event": event(facts, "ResponseComplete", at, user=user, annotations=annotations, code=200),
            }
        )


def questions(root: Path, records: int) -> list[Asked]:
    """With an id from the middle of the log, which is sealed."""
    from recordings.audit.query import newest
    from recordings.audit.question import Question

    middle = START + records * SECONDS_APART / 2
    audit_id = newest(root, Question(until=middle), 1)[0]["event"]["auditID"]
    since, until = rfc3339(middle), rfc3339(middle + 86_400)
    person = "person-123@example.com"
    aggregate = "SELECT verb, count(*) FROM records GROUP BY 1"
    newest_of = (
        "from recordings.audit.query import newest; from recordings.audit.question import *; newest(root, {}, 100)"
    )
    sql = "from recordings.audit.sql import LogDatabase\nwith LogDatabase(root) as log: list(log.ask({!r}).rows)"
    return [
        Asked("by id", ("search", "--id", audit_id), newest_of.format(f"Question(id={audit_id!r})"), 0.5),
        Asked(
            "a person and a day",
            ("search", "--user", person, "--since", since, "--until", until),
            newest_of.format(f"Question(user={person!r}, since={middle}, until={middle + 86_400})"),
            1.0,
        ),
        Asked("an aggregate", ("sql", aggregate), sql.format(aggregate), 0.5),
        Asked("a person", ("search", "--user", person), newest_of.format(f"Question(user={person!r})")),
        Asked(
            "who was refused", ("search", "--decision", "deny"), newest_of.format("Question(decision=Decision.DENY)")
        ),
        Asked("text that is nowhere", ("search", "--text", "no-such"), newest_of.format("Question(text='no-such')")),
        Asked("statistics", ("stats",), _STATS),
    ]


_STATS = (
    "from recordings.audit.sql import LogDatabase; from recordings.audit.stats import stats\n"
    "from recordings.audit.question import Question\n"
    "with LogDatabase(root) as log: stats(log, Question())"
)
_TIMED = "import sys, time; from pathlib import Path; root = Path(sys.argv[1]); begun = time.perf_counter()\n"
_PRINTED = "\nprint(time.perf_counter() - begun)"


def measure(root: Path, asked: Asked) -> tuple[float, float]:
    """(the whole command, the asking), in seconds."""
    command = [sys.executable, "-m", "proxy.cli", "audit", *asked.arguments, "--dir", str(root)]
    alone = [sys.executable, "-c", _TIMED + asked.code + _PRINTED, str(root)]
    whole: list[float] = []
    asking: list[float] = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        whole.append(time.perf_counter() - begun)
        done = subprocess.run(alone, capture_output=True, text=True, check=True)
        asking.append(float(done.stdout))
    return statistics.median(whole), statistics.median(asking)


def run(root: Path, records: int) -> dict[str, tuple[float, float]]:
    """Makes the log where it is not there, prints, and returns what was measured."""
    if not root.joinpath("node-0").exists():
        begun = time.perf_counter()
        make_log(root, records)
        print(f"{records:,} records written in {time.perf_counter() - begun:.1f} s")
        begun = time.perf_counter()
        done = housekeep(root, time.time() + 3600)
        print(
            f"{len(done.sealed)} segments sealed, with Parquet, in {time.perf_counter() - begun:.1f} s {done.problems}"
        )
    stored = sum(path.stat().st_size for path in root.rglob("*") if path.is_file())
    print(f"{stored / (1 << 20):,.0f} MiB on the disk\n\n{'question':<22}{'command':>9}{'asking':>9}{'bar':>7}")
    found = {}
    for asked in questions(root, records):
        whole, asking = found[asked.name] = measure(root, asked)
        bar = "" if asked.bar is None else f"{asked.bar:.1f} s"
        verdict = "" if asked.bar is None else "   met" if asking <= asked.bar else "   MISSED"
        print(f"{asked.name:<22}{whole:>7.2f} s{asking:>7.2f} s{bar:>7}{verdict}", flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--keep", type=Path, help="Where the log is made, or is already.")
    parser.add_argument("--json", type=Path, help="Where the figures go.")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        found = run(given.keep or Path(scratch), given.records)
    if given.json is not None:
        given.json.write_text(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()

"""What is measured: one row a scenario."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

POD = "/api/v1/namespaces/default/pods/web-0"
NEW_POD = "/api/v1/namespaces/default/pods/web-0000000000"
"""The load generator counts in the zeros: no name is asked for twice."""
LIST_200K = "/api/v1/namespaces/default/pods"
LIST_2M = "/api/v1/pods"
CHUNKED_2M = "/api/v1/pods?limit=5000"
WATCH = "/api/v1/namespaces/default/pods?watch=true"
CREATE = "/api/v1/namespaces/default/configmaps"

GIB = 1024**3


class Mode(StrEnum):
    """A mode of the load generator."""

    REQUESTS = "requests"
    CONNECTS = "connects"
    WATCHES = "watches"
    UPLOAD = "upload"


@dataclass(frozen=True, slots=True)
class Scenario:
    """`seconds` is one round's measured part; `upload_bytes` is for `UPLOAD` alone.

    `form` makes the title from `connections` and `gib`. `goal`: the highest CPU against nginx that is wanted of us.
    """

    name: str
    form: str
    mode: Mode
    path: str
    connections: int
    seconds: float
    rounds: int
    upload_bytes: int = 0
    goal: float | None = None

    @property
    def title(self) -> str:
        return self.form.format(connections=self.connections, gib=self.upload_bytes / GIB)

    @property
    def quick(self) -> Scenario:
        """The same in about a fifth of the time; good enough to see that everything works."""
        return replace(
            self,
            connections=min(self.connections, 200) if self.mode is Mode.WATCHES else self.connections,
            seconds=min(self.seconds, 1.0),
            rounds=min(self.rounds, 2),
            upload_bytes=self.upload_bytes // 8,
        )


SCENARIOS = (
    Scenario("get-1", "1 KB GET, 1 connection", Mode.REQUESTS, POD, 1, 1.5, 8),
    Scenario("get-2", "1 KB GET, 2 connections", Mode.REQUESTS, POD, 2, 1.5, 8, goal=2.5),
    Scenario("get-32", "1 KB GET, 32 connections", Mode.REQUESTS, POD, 32, 1.5, 8, goal=2.5),
    Scenario("get-256", "1 KB GET, 256 connections", Mode.REQUESTS, POD, 256, 1.5, 8),
    Scenario("new-32", "1 KB GET, a new name each, 32 connections", Mode.REQUESTS, NEW_POD, 32, 1.5, 8),
    Scenario("list-200k", "200 KB list, 2 connections", Mode.REQUESTS, LIST_200K, 2, 3.0, 3),
    Scenario("list-2m", "2 MB list, 2 connections", Mode.REQUESTS, LIST_2M, 2, 3.0, 3, goal=1.1),
    Scenario("chunked-2m", "2 MB list in 1 KB pieces, 2 connections", Mode.REQUESTS, CHUNKED_2M, 2, 3.0, 3),
    Scenario("connect", "new connection for each GET, 4 at once", Mode.CONNECTS, POD, 4, 3.0, 3),
    Scenario("watch", "{connections:,} watches held", Mode.WATCHES, WATCH, 1000, 6.0, 2),
    Scenario("upload", "{gib:g} GiB body", Mode.UPLOAD, CREATE, 1, 0.0, 3, upload_bytes=2 * GIB),
)
"""Four operations at once where the number is not the point: the machine has two cores."""

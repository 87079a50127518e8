"""What of the log one person may see: what they did themselves, and what is about a place that they may look at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from recordings.audit.question import at

May = Callable[[str | None, str], bool]
"""(cluster, namespace) → whether records about it may be seen. No cluster: what is about none, as a sign-in is; no
namespace: what is about a cluster as a whole.
"""


@dataclass(slots=True)
class Visible:
    """`own`: issuer and subject of who asks. What was answered once holds as long as this does."""

    own: tuple[str, str]
    may: May
    _known: dict[tuple[str | None, str], bool] = field(default_factory=dict)

    def sees(self, record: Mapping[str, Any]) -> bool:
        """Whether a record may be shown to them."""
        if (at(record, "actor", "issuer"), at(record, "actor", "subject")) == self.own:
            return True
        cluster, namespace = record.get("cluster"), at(record, "event", "objectRef", "namespace")
        return self.sees_place(None if cluster is None else str(cluster), str(namespace or ""))

    def sees_place(self, cluster: str | None, namespace: str) -> bool:
        """Whether what others did there may be."""
        key = (cluster, namespace)
        if key not in self._known:
            self._known[key] = self.may(cluster, namespace)
        return self._known[key]

"""What roles said of the same request a moment ago: the verdict and the lines that tell the API server who asks.

Both follow from the person's login, the policy, the cluster's labels and permitted names, the header lines and the
target, and from nothing else. They are looked up by the last two and hold while each of the others is still the very
same object. So a reload, a lock, new groups act at the next request, as without this. Refusals are not remembered, nor
is what was asked with `--as`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from auth.identity import Login
from auth.rbac import Policy, Verdict
from proxy.context import RequestContext
from proxy.filters.authorization import AuthorizationFilter
from proxy.filters.impersonation import ImpersonationFilter
from proxy.filters.request_info import Reading
from proxy.http1 import Fields
from proxy.impersonation import Impersonation
from proxy.status import Refusal
from recordings.audit.policy.policy import Decided

Key = tuple[str, str, Fields, Reading | None]
"""(the certificate's fingerprint, source address, header lines, target)."""

KEPT = 4096
"""Passages, each of about 3 KiB with its record's pieces: 12 MiB; for people in 500 groups five times that."""
MAX_KEPT_TARGET_BYTES = 1024
"""A target that is longer comes from nobody who asks often."""


@dataclass(slots=True, eq=False)
class Passage:
    """What let a request pass, and the pieces of its record by status code (`recordings.audit.pieces`)."""

    login: Login | None
    policy: Policy
    labels: Mapping[str, str]
    system_names: Collection[str]
    verdict: Verdict | None
    impersonation: Impersonation | None
    identity_lines: bytes
    records: dict[int, tuple[bytes, ...] | None] = field(default_factory=dict)
    detail: Decided | None = None


class RoleSteps:
    """May they, and as whom: both steps, or what they found before, which is then `passage`. Sets what they set."""

    def __init__(
        self,
        policy: Callable[[], Policy],
        labels: Callable[[str], Mapping[str, str]],
        allowed_system_names: Callable[[str], Collection[str]],
    ) -> None:
        self._policy = policy
        self._labels = labels
        self._allowed = allowed_system_names
        self._steps = (AuthorizationFilter(policy, labels), ImpersonationFilter(allowed_system_names))
        self._passages: dict[Key, Passage] = {}

    def __call__(self, context: RequestContext) -> Refusal | None:
        credential = context.credential
        cluster = credential.cluster
        policy, labels, allowed = self._policy(), self._labels(cluster), self._allowed(cluster)
        key = (credential.fingerprint, context.source, context.head.fields, context.reading)
        known = self._passages.get(key)
        if (
            known is not None
            and known.login is context.login
            and known.policy is policy
            and known.labels is labels
            and known.system_names == allowed
        ):
            context.verdict, context.impersonation = known.verdict, known.impersonation
            context.identity_lines, context.passage = known.identity_lines, known
            return None
        for step in self._steps:
            refusal = step(context)
            if refusal is not None:
                return refusal
        if context.requested is None and context.head.fields.kept and len(context.head.target) <= MAX_KEPT_TARGET_BYTES:
            self._keep(key, Passage(context.login, policy, labels, allowed, *_found(context)))
        return None

    def _keep(self, key: Key, passage: Passage) -> None:
        self._passages.pop(key, None)
        if len(self._passages) >= KEPT:
            del self._passages[next(iter(self._passages))]  # the oldest
        self._passages[key] = passage


def _found(context: RequestContext) -> tuple[Verdict | None, Impersonation | None, bytes]:
    return context.verdict, context.impersonation, context.identity_lines

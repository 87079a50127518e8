"""May they: the verdict of our roles over everything that the request does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from auth.errors import Reason
from auth.identity import Identity
from auth.rbac import Attributes, Decision, Policy, Verdict
from proxy.context import RequestContext
from proxy.effects import Effect
from proxy.filters.impersonation import Requested, requested_identity
from proxy.request_info import RequestInfo
from proxy.status import Refusal


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a request is, what it does, and as whom its client asks to do it."""

    info: RequestInfo
    effects: tuple[Effect, ...]
    requested: Requested | None = None

    def acts(self) -> Iterator[tuple[Effect, str | None]]:
        """Everything that must be allowed, with its path where it is about no resource."""
        path = None if self.info.is_resource_request else self.info.path
        for effect in self.effects:
            yield effect, path
        if self.requested is not None:
            for effect in self.requested.effects():
                yield effect, None


def verdict_on(policy: Policy, identity: Identity, cluster: str, labels: Mapping[str, str], wanted: Wanted) -> Verdict:
    """The one place where a request meets the roles: who asks beforehand is answered from here too."""
    return policy.decide_all([Attributes.of(identity, cluster, labels, act, path=path) for act, path in wanted.acts()])


class AuthorizationFilter:
    """Sets `verdict`. The policy is asked for at each request, so a reload acts at the next one."""

    def __init__(self, policy: Callable[[], Policy], labels: Callable[[str], Mapping[str, str]]) -> None:
        self._policy = policy
        self._labels = labels

    def __call__(self, context: RequestContext) -> Refusal | None:
        asked = requested_identity(context.head)
        if isinstance(asked, Refusal):
            return asked
        login, info = context.login, context.info
        assert login is not None
        assert info is not None
        cluster = context.credential.cluster
        wanted = Wanted(info, context.effects, asked)
        verdict = verdict_on(self._policy(), login.identity, cluster, self._labels(cluster), wanted)
        context.verdict = verdict
        if verdict.decision is Decision.ALLOW:
            context.requested = asked
            return None
        if asked is not None and verdict.attributes is not None and verdict.attributes.verb == "impersonate":
            return Refusal(Reason.IMPERSONATION_DENIED, f"--as is not allowed: {verdict.reason}")
        reason = Reason.DENIED if verdict.role else Reason.NO_ROLE
        return Refusal(reason, verdict.reason)


__all__ = ["AuthorizationFilter", "Requested", "Wanted", "verdict_on"]

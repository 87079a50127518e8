"""May they: the verdict of our roles over everything that the request does."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from auth.errors import Reason
from auth.rbac import Attributes, Decision, Policy
from proxy.context import RequestContext
from proxy.effects import Effect
from proxy.filters.impersonation import Requested, requested_identity
from proxy.status import Refusal


class AuthorizationFilter:
    """Sets `verdict`. The policy is asked for at each request, so a reload acts at the next one."""

    def __init__(self, policy: Callable[[], Policy], labels: Callable[[str], Mapping[str, str]]) -> None:
        self._policy = policy
        self._labels = labels

    def __call__(self, context: RequestContext) -> Refusal | None:
        asked = requested_identity(context.head)
        if isinstance(asked, Refusal):
            return asked
        effects = context.effects + (asked.effects() if asked is not None else ())
        attributes = [self._attributes(context, effect) for effect in effects]
        verdict = self._policy().decide_all(attributes)
        context.verdict = verdict
        if verdict.decision is Decision.ALLOW:
            context.requested = asked
            return None
        if asked is not None and verdict.attributes is not None and verdict.attributes.verb == "impersonate":
            return Refusal(Reason.IMPERSONATION_DENIED, f"--as is not allowed: {verdict.reason}")
        reason = Reason.DENIED if verdict.role else Reason.NO_ROLE
        return Refusal(reason, verdict.reason)

    def _attributes(self, context: RequestContext, effect: Effect) -> Attributes:
        login, info = context.login, context.info
        assert login is not None
        assert info is not None
        identity, cluster = login.identity, context.credential.cluster
        return Attributes(
            connector=identity.connector,
            username=identity.username,
            groups=identity.groups,
            claims=identity.claims,
            cluster=cluster,
            cluster_labels=self._labels(cluster),
            verb=effect.verb,
            api_group=effect.api_group,
            resource=effect.resource,
            subresource=effect.subresource,
            namespace=effect.namespace,
            name=effect.name,
            path=info.path,
            is_resource_request=info.is_resource_request or effect.verb == "impersonate",
        )


__all__ = ["AuthorizationFilter", "Requested"]

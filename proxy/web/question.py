"""`kwit can-i`: a question of a person → what a request of theirs would be → the answer that the request would get.

A question is put into the words of a request and judged by what judges requests: `proxy.effects` says what it does,
`proxy.filters.authorization` what the roles say of it, `proxy.impersonation` whether the identity can be sent.
tests/proxy/web/test_question.py holds the answers against those steps of the journey.

What a question cannot have and a request can: a body, so a verdict that depends on one (names that only the body has)
is that of a request whose body says nothing.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from auth.identity import Identity
from auth.rbac import KUBERNETES_VERBS, OWN_VERBS, URL_VERBS, Decision, Policy, Verdict
from proxy.effects import APPLY, Effect, effects
from proxy.filters.authorization import Wanted, verdict_on
from proxy.filters.impersonation import Requested
from proxy.impersonation import Impersonation, ImpersonationError, lines
from proxy.request_info import RequestInfo, parse
from proxy.target import RefusedTarget, canonical, cut_cluster_prefix

_NAMELESS = frozenset(("create", "deletecollection"))
"""A request with one of these names no object in its path: `create` has the name in its body."""
_SENT_AS = {
    "exec": ("create", "exec"),
    "attach": ("create", "attach"),
    "portforward": ("create", "portforward"),
    "proxy": ("get", "proxy"),
    "debug": ("patch", "ephemeralcontainers"),
}
"""Own verb → the verb and subresource that Kubernetes knows it by."""
_BESIDE = frozenset(("escalate", "bind", "impersonate"))
"""Own verbs that a request needs beside another one."""
_RESOURCE = re.compile(r"[a-z0-9.-]+")
_SUBRESOURCE = re.compile(r"[a-z0-9.-]*")


class QuestionError(ValueError):
    """A question that is about no request; the message is a sentence for the person."""


@dataclass(frozen=True, slots=True)
class Question:
    """May I `verb` this resource, or this path, perhaps as somebody else?

    `server_side`: a patch that is a server-side apply.
    """

    cluster: str
    verb: str
    resource: str = ""
    subresource: str = ""
    api_group: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""
    requested: Requested | None = None
    server_side: bool = False

    def wanted(self) -> Wanted:
        """The request that it is about. Raises QuestionError."""
        if self.server_side and self.verb != "patch":
            raise QuestionError("a server-side apply is a patch; ask about patch")
        if self.path:
            return self._of_path()
        if self.verb not in KUBERNETES_VERBS | OWN_VERBS:
            known = " ".join(sorted(KUBERNETES_VERBS | OWN_VERBS))
            raise QuestionError(f"{self.verb[:64]!r} is not a verb; ask about one of {known}")
        if not _RESOURCE.fullmatch(self.resource) or not _SUBRESOURCE.fullmatch(self.subresource):
            raise QuestionError("ask about one resource, by its plural in lower case, such as pods or pods/log")
        return self._of_resource()

    def _of_path(self) -> Wanted:
        if self.resource or self.subresource or self.api_group or self.namespace or self.name:
            raise QuestionError("a path stands alone: no resource, namespace or name beside it")
        if self.verb not in URL_VERBS:
            raise QuestionError(f"{self.verb[:64]!r} of a path: ask about one of {' '.join(sorted(URL_VERBS))}")
        cluster, rest = cut_cluster_prefix(self.path.encode())
        if cluster not in (None, self.cluster):
            raise QuestionError("the path names another cluster than the question")
        method = self.verb.upper()
        try:
            target = canonical(rest)
            info = parse(method, target)
        except RefusedTarget as error:
            raise QuestionError(f"a request with this path is refused: {error}") from error
        return Wanted(info, effects(info, method, target.query, self._content_type()), self.requested)

    def _of_resource(self) -> Wanted:
        verb, subresource = self._spelled()
        name = "" if verb in _NAMELESS and not subresource else self.name
        namespace = self.namespace
        if self.resource == "namespaces" and name and not namespace:
            namespace = name  # as Kubernetes reads /api/v1/namespaces/NAME
        info = RequestInfo(
            True,
            "",
            verb,
            api_group=self.api_group,
            namespace=namespace,
            resource=self.resource,
            subresource=subresource,
            name=name,
        )
        done = effects(info, "", (), self._content_type())
        if self.verb in OWN_VERBS and all(effect.verb != self.verb for effect in done):
            done = (self._itself(),)
        return Wanted(info, done, self.requested)

    def _content_type(self) -> str:
        return APPLY[0] if self.server_side else ""

    def _spelled(self) -> tuple[str, str]:
        """The verb and subresource that Kubernetes knows the act by."""
        if self.verb == "mint":
            return "create", "token" if self.resource == "serviceaccounts" else self.subresource
        if self.verb in _BESIDE:
            return "get", self.subresource
        return _SENT_AS.get(self.verb, (self.verb, self.subresource))

    def _itself(self) -> Effect:
        """An own verb that no request consists of, or none to this resource: the verb alone is asked about."""
        namespace = "" if self.verb == "impersonate" else self.namespace
        return Effect(self.verb, self.api_group, self.resource, self.subresource, namespace, self.name)


def answer(
    policy: Policy,
    identity: Identity,
    labels: Mapping[str, str],
    allowed_system_names: Collection[str],
    question: Question,
) -> Verdict:
    """What a request like that would be told on a cluster with these labels, which accepts these names of the system.

    Raises QuestionError.
    """
    wanted = question.wanted()
    verdict = verdict_on(policy, identity, question.cluster, labels, wanted)
    if verdict.decision is not Decision.ALLOW:
        return verdict
    try:
        lines(_sent(verdict, identity, wanted.requested), allowed_system_names)
    except ImpersonationError as error:
        why = f"your role does not say as whom the cluster shall see you: {error}; tell your platform team"
        return replace(verdict, decision=Decision.DENY, reason=why)
    return verdict


def _sent(verdict: Verdict, identity: Identity, asked: Requested | None) -> Impersonation:
    if asked is None:
        return Impersonation(verdict.as_user or identity.username, verdict.as_groups, identity.uid, ())
    return Impersonation(asked.user, asked.groups or verdict.as_groups, asked.uid, ())

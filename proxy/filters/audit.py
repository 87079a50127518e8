"""Remember: the thin part of the audit log that knows requests. What a record looks like is `recordings.audit`."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from auth.errors import Reason
from auth.identity import Identity
from proxy.context import RequestContext
from proxy.filters.recorded_bodies import RecordedBodies
from proxy.relay import End, RelayResult
from proxy.status import RETRY_AFTER_SECONDS, Refusal
from recordings.audit.encode import rfc3339
from recordings.audit.event import RequestFacts, actor, event, user_info
from recordings.audit.log import AuditLog
from recordings.audit.pieces import BYTES_IN, BYTES_OUT, joined, pieces
from recordings.audit.policy.level import Level
from recordings.audit.policy.policy import AuditPolicy, Decided
from recordings.audit.policy.rule import PolicyAttributes, PolicyRule
from recordings.audit.record import Outcome, RecordType
from recordings.audit.redact import redact_uri
from recordings.errors import LogUnavailableError
from recordings.recorder.recorder import Sealed
from recordings.recorder.seal_record import files_bodies, seal_body

READS = frozenset(("get", "list", "watch", "head"))
OUTCOMES = {
    End.DONE: Outcome.DONE,
    End.CLIENT_GONE: Outcome.ABORTED,
    End.UPSTREAM_GONE: Outcome.FAILED,
    End.UPSTREAM_TIMEOUT: Outcome.FAILED,
    End.UPSTREAM_INVALID: Outcome.FAILED,
    End.LOG_UNAVAILABLE: Outcome.FAILED,
    End.STREAM_FAULT: Outcome.FAILED,
    End.CUT: Outcome.ABORTED,
}
EFFECT = "kubewitness.dev/effect"
"""`unknown`: a write or a stream that was sent and never answered. The API server may have done it, or will yet."""
METADATA_ONLY = AuditPolicy((PolicyRule(Level.METADATA),))
DECIDED = 4096
"""What the policy said, kept by all that it looks at, about 1 KiB each: a name never seen before is seldom among it."""
MAX_CLIENT_AUDIT_ID = 128
"""Characters of a client's own Audit-ID that are kept."""


@lru_cache(maxsize=4096)
def _user(identity: Identity, login: str, serial: str) -> dict[str, Any]:
    return user_info(identity, {"login": login, "certificate": serial})


_actor = lru_cache(maxsize=4096)(actor)


class AuditFilter:
    """Intent, ResponseStarted, outcome and refusal of one request, through one log."""

    def __init__(
        self,
        log: AuditLog,
        clock: Callable[[], float],
        *,
        strict: bool,
        redaction_key: bytes,
        policy: AuditPolicy = METADATA_ONLY,
    ) -> None:
        """`redaction_key`: one per installation, so that hashes of equal values match.

        `strict`: every request waits for its intent; otherwise writes, streams and reads of Secrets do. `policy` says
        whose bodies are kept.
        """
        self._decide = lru_cache(maxsize=DECIDED)(policy.decide)
        self._tells_names_apart = policy.tells_names_apart
        self._log = log
        self._clock = clock
        self._strict = strict
        self._redaction_key = redaction_key
        self._bodies = RecordedBodies(redaction_key)

    def unavailable(self) -> Refusal | None:
        """A refusal while the log cannot be written: nothing happens without a record."""
        if self._log.available:
            return None
        return Refusal(
            Reason.LOG_UNAVAILABLE,
            f"{self._log.cause}; nothing is done without a record. Tell your platform team; it resumes by itself",
            retry_after_seconds=RETRY_AFTER_SECONDS,
        )

    def detail(self, context: RequestContext) -> Decided:
        """What the audit policy says of a request that may pass."""
        passage = context.passage
        if passage is not None and passage.detail is not None:
            return passage.detail
        decided = self._decide(_attributes(context, named=self._tells_names_apart))
        if passage is not None:
            passage.detail = decided
        return decided

    def waits_for_intent(self, context: RequestContext) -> bool:
        info = context.info
        assert info is not None
        return self._strict or may_change(context) or info.resource == "secrets"

    async def intent(self, context: RequestContext) -> Refusal | None:
        """Durable when this returns None."""
        return await self._durably(context, Outcome.INTENT, "RequestReceived", None)

    async def refused(self, context: RequestContext, refusal: Refusal) -> Refusal | None:
        """One record, durable before the refusal is told. A Refusal when even that cannot be written."""
        return await self._durably(
            context,
            Outcome.REFUSED,
            "ResponseComplete",
            refusal.code,
            status_reason=refusal.status_reason,
            message=refusal.message,
            reason=refusal.reason.value,
        )

    async def _durably(
        self, context: RequestContext, outcome: Outcome, stage: str, code: int | None, **rest: Any
    ) -> Refusal | None:
        try:
            await self._log.durable(self._append(context, outcome, stage, code, **rest))
        except LogUnavailableError:
            return self.unavailable() or Refusal(Reason.LOG_UNAVAILABLE, "the audit log failed just now; try again")
        return None

    def started(self, context: RequestContext, result: RelayResult) -> None:
        """A long answer began a second ago; losing this record loses no promise, the outcome says the same."""
        if self._log.available:
            self._append(context, Outcome.STARTED, "ResponseStarted", result.status, extra=result.annotations)

    def outcome(self, context: RequestContext, result: RelayResult) -> bool:
        """True when the outcome is in the kernel's hands."""
        cut = self._pieces(context, result)
        if cut is not None:
            return self._outcome_again(context, result, cut)
        extra = {BYTES_IN: str(result.bytes_in), BYTES_OUT: str(result.bytes_out), **result.annotations}
        if result.unanswered and may_change(context):
            extra[EFFECT] = "unknown"
        bodies, annotations = self._bodies.of(context, result)
        extra |= annotations
        try:
            self._append(
                context,
                OUTCOMES[result.end],
                "ResponseComplete",
                result.status if result.end is End.DONE or result.started else _CODES.get(result.end),
                message=result.detail,
                extra=extra,
                **bodies,
            )
        except LogUnavailableError:
            return False
        return True

    def sealed(self, context: RequestContext, recording: Sealed) -> None:
        """The digest of a finished recording: from here on it cannot be changed unseen; and the files of a copy. Raises
        LogUnavailableError.
        """
        self._own(context, RecordType.RECORDING_SEAL, seal_body(recording, context.audit_id))
        for body in files_bodies(recording, context.audit_id):
            self._own(context, RecordType.STREAM_FILES, body)

    def _own(self, context: RequestContext, record_type: RecordType, body: dict[str, Any]) -> None:
        login = context.login
        self._log.append(
            record_type,
            Outcome.DONE,
            cluster=context.credential.cluster,
            actor=_actor(login.identity) if login is not None else None,
            login=context.credential.login_id,
            source=context.source,
            body=body,
        )

    def _pieces(self, context: RequestContext, result: RelayResult) -> tuple[bytes, ...] | None:
        """The record of a read that passed before, in pieces; None where it has to be made as a whole."""
        passage, status = context.passage, result.status
        if passage is None or status is None or result.end is not End.DONE or result.response_body is not None:
            return None
        if result.annotations:
            return None
        known = passage.records
        if status not in known:
            extra = {BYTES_IN: "", BYTES_OUT: ""}
            known[status] = (
                None
                if self.waits_for_intent(context)
                else pieces(self._members(context, "ResponseComplete", status, extra=extra))
            )
        return known[status]

    def _outcome_again(self, context: RequestContext, result: RelayResult, cut: tuple[bytes, ...]) -> bool:
        now = self._clock()
        time = rfc3339(now)
        received = rfc3339(context.received_at)
        members = joined(cut, context.audit_id, received, time, bytes_in=result.bytes_in, bytes_out=result.bytes_out)
        try:
            self._log.append_encoded(RecordType.KUBE_REQUEST, Outcome.DONE, members, now=now, time=time)
        except LogUnavailableError:
            return False
        return True

    def _append(self, context: RequestContext, outcome: Outcome, stage: str, code: int | None, **rest: Any) -> int:
        return self._log.append(RecordType.KUBE_REQUEST, outcome, **self._members(context, stage, code, **rest))

    def _members(
        self,
        context: RequestContext,
        stage: str,
        code: int | None,
        *,
        status_reason: str = "",
        message: str = "",
        reason: str = "",
        extra: dict[str, str] | None = None,
        request_object: Any = None,
        response_object: Any = None,
    ) -> dict[str, Any]:
        """The record's members behind the envelope."""
        login, credential, verdict = context.login, context.credential, context.verdict
        identity = login.identity if login is not None else None
        annotations = {"cluster_name": credential.cluster}
        if verdict is not None:
            annotations["authorization.k8s.io/decision"] = "allow" if verdict.decision else "forbid"
            annotations["authorization.k8s.io/reason"] = verdict.reason
            if verdict.role:
                annotations["kubewitness.dev/role"] = verdict.role
                annotations["kubewitness.dev/rule"] = verdict.rule
        if reason:
            annotations["kubewitness.dev/refused"] = reason
        if extra:
            annotations.update(extra)
        own = context.head.fields.get(b"audit-id")
        if own is not None:
            annotations["kubewitness.dev/client-audit-id"] = own[:MAX_CLIENT_AUDIT_ID].decode()
        stripped = ["authorization"] if context.head.fields.get(b"authorization") is not None else []
        if context.upgrade is not None and context.upgrade.has_bearer:
            stripped.append("subprotocol")
        if stripped:
            annotations["kubewitness.dev/stripped"] = ",".join(stripped)
        impersonated = None
        if context.requested is not None and context.impersonation is not None:
            impersonated = {"username": context.requested.user, "groups": list(context.impersonation.groups)}
        members = {
            "cluster": credential.cluster,
            "actor": _actor(identity) if identity is not None else None,
            "login": credential.login_id,
            "source": context.source,
            "event": event(
                _facts(context, self._redaction_key),
                stage,
                self._clock(),
                user=_user(identity, credential.login_id, credential.serial_number) if identity is not None else None,
                annotations=annotations,
                code=code,
                status_reason=status_reason,
                message=message,
                impersonated=impersonated,
                level=_held(context.detail),
                request_object=request_object,
                response_object=response_object,
            ),
        }
        return {name: value for name, value in members.items() if value is not None}


def may_change(context: RequestContext) -> bool:
    """Whether it is more than a read: a write, or an upgrade, behind which anything may happen."""
    info = context.info
    return info is None or info.verb not in READS or context.head.fields.upgrade is not None


_CODES = {End.UPSTREAM_GONE: 502, End.UPSTREAM_TIMEOUT: 504, End.UPSTREAM_INVALID: 502}
"""Of answers that are ours, since upstream gave none."""


def _held(detail: Decided | None) -> Level:
    """The level in the log: every request is there at Metadata at least; None keeps it out of exports alone."""
    return Level.METADATA if detail is None or detail.level is Level.NONE else detail.level


def _attributes(context: RequestContext, *, named: bool) -> PolicyAttributes:
    """What a policy looks at: a path where it is about no resource, a name where rules are about names."""
    info, login = context.info, context.login
    assert info is not None
    assert login is not None
    return PolicyAttributes(
        login.identity.username,
        frozenset(login.identity.groups),
        info.verb,
        info.is_resource_request,
        "" if info.is_resource_request else info.path,
        info.api_group,
        info.resource,
        info.subresource,
        info.namespace,
        info.name if named else "",
    )


def _facts(context: RequestContext, key: bytes) -> RequestFacts:
    """What is known of the request; before its target was read, that is its method and address."""
    head, info, target = context.head, context.info, context.target
    raw = target.raw if target is not None else head.target
    common = (
        context.audit_id,
        head.method.lower() if info is None else info.verb,
        redact_uri(raw.decode("ascii", "backslashreplace"), key),
        (head.fields.get(b"user-agent") or b"").decode(),
        context.source,
        context.received_at,
    )
    if info is None:
        return RequestFacts(*common, is_resource_request=False)
    return RequestFacts(
        *common,
        info.is_resource_request,
        info.api_group,
        info.api_version,
        info.resource,
        info.subresource,
        info.namespace,
        info.name,
    )

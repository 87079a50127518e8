"""What is known of one request so far. Each field is set once, by the step that is named beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from auth.identity import Credential, Login
    from auth.rbac import Verdict
    from proxy.effects import Effect
    from proxy.filters.impersonation import Requested
    from proxy.filters.remembered import Passage
    from proxy.filters.request_info import Reading
    from proxy.http1 import RequestHead
    from proxy.impersonation import Impersonation
    from proxy.object_before import Before
    from proxy.request_info import RequestInfo
    from proxy.streams.handshake import Upgrade
    from proxy.target import Target
    from proxy.upstream import Endpoint
    from recordings.audit.policy.policy import Decided


@dataclass(slots=True)
class RequestContext:
    """One request on its journey. Times: `received_at` is wall time, `started` monotonic, both in seconds."""

    head: RequestHead
    credential: Credential
    source: str
    received_at: float
    started: float
    audit_id: str  # audit_id
    reading: Reading | None = None  # request_info
    target: Target | None = None  # request_info
    login: Login | None = None  # authentication
    endpoint: Endpoint | None = None  # authentication
    info: RequestInfo | None = None  # request_info
    effects: tuple[Effect, ...] = ()  # request_info
    verdict: Verdict | None = None  # authorization
    requested: Requested | None = None  # authorization
    impersonation: Impersonation | None = None  # impersonation
    identity_lines: bytes = b""  # impersonation
    passage: Passage | None = None  # remembered, where the same passed before
    upgrade: Upgrade | None = None  # streaming
    detail: Decided | None = None  # audit: what the policy says of it
    before: Before | None = None  # journey: the object that a write names, where the policy wants what it changes

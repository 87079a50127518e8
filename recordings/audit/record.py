"""The record: one JSON line, an envelope around an audit.k8s.io Event or a body of our own.

`{v, seq, id, time, boot, mono, type, outcome, cluster, actor, login, source, event|body}`

How it may grow: a type is never renamed or removed; a field is only added, and readers ignore fields they do not
know; a field's meaning never changes; `v` changes only when a reader of the old form would misread the new one.
`TYPES` is the one table; the docs page is made from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

VERSION = 1


class Outcome(StrEnum):
    """How it ended. `intent` is written before the effect; every intent gets one of the others."""

    INTENT = "intent"
    STARTED = "started"
    DONE = "done"
    REFUSED = "refused"
    ABORTED = "aborted"
    FAILED = "failed"
    UNKNOWN_AFTER_CRASH = "unknown-after-crash"


class RecordType(StrEnum):
    """Every type of record."""

    KUBE_REQUEST = "kube.request"
    USER_LOGIN = "user.login"
    USER_LOGIN_FAILED = "user.login.failed"
    USER_LOGOUT = "user.logout"
    LOGIN_ENDED = "login.ended"
    CERT_ISSUE = "cert.issue"
    CERT_REFUSE = "cert.refuse"
    REFUSALS = "refusals.rollup"
    LOG_START = "log.start"
    LOG_STOP = "log.stop"
    LOG_RECOVERED = "log.recovered"
    ROLE_CHANGE = "role.change"
    CONFIG_CHANGE = "config.change"


@dataclass(frozen=True, slots=True)
class TypeRow:
    """A row of the table: what the type means, and what its `body` holds beside the envelope."""

    type: RecordType
    meaning: str
    fields: tuple[tuple[str, str], ...] = ()


TYPES: tuple[TypeRow, ...] = (
    TypeRow(
        RecordType.KUBE_REQUEST, "A request to a cluster; `event` is an audit.k8s.io/v1 Event whose user is the person."
    ),
    TypeRow(
        RecordType.USER_LOGIN,
        "Somebody signed in.",
        (
            ("connector", "the identity provider's name"),
            ("key", "hash of the key the login is bound to"),
            ("expires", "end"),
        ),
    ),
    TypeRow(
        RecordType.USER_LOGIN_FAILED, "A sign-in that failed.", (("connector", ""), ("reason", ""), ("message", ""))
    ),
    TypeRow(RecordType.USER_LOGOUT, "Somebody signed out.", (("reason", ""),)),
    TypeRow(RecordType.LOGIN_ENDED, "A login was ended by the server.", (("reason", ""),)),
    TypeRow(
        RecordType.CERT_ISSUE,
        "A certificate was issued.",
        (("serial", "hexadecimal"), ("not_after", "RFC 3339"), ("key", "hash of its public key")),
    ),
    TypeRow(RecordType.CERT_REFUSE, "A certificate was asked for and refused.", (("reason", ""), ("message", ""))),
    TypeRow(
        RecordType.REFUSALS,
        "Refusals before authentication, counted exactly.",
        (("counts", "list of {reason, source, count}"), ("since", "RFC 3339"), ("until", "RFC 3339")),
    ),
    TypeRow(RecordType.LOG_START, "A writer began.", (("writer", ""), ("version", ""))),
    TypeRow(RecordType.LOG_STOP, "A writer ended in order.", (("writer", ""),)),
    TypeRow(
        RecordType.LOG_RECOVERED,
        "A torn tail was cut after a crash.",
        (("segment", ""), ("cut_bytes", ""), ("last_seq", "")),
    ),
    TypeRow(
        RecordType.ROLE_CHANGE, "Roles were loaded, or refused with their mistakes.", (("roles", ""), ("error", ""))
    ),
    TypeRow(RecordType.CONFIG_CHANGE, "A cluster or setting changed while running.", (("what", ""), ("error", ""))),
)

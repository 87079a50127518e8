"""What somebody asks the log: filters over one record, and the times that people write. All that is given must hold."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from ipaddress import ip_address, ip_network
from typing import Any

import orjson

from recordings.audit.encode import encode, rfc3339
from recordings.audit.matching import Needle
from recordings.audit.record import Outcome
from recordings.errors import QuestionError

_SPAN = re.compile(r"(\d{1,9})([smhdw])", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_TIME_KEY = b'"time":"'
_TIME_LENGTH = len("2026-01-02T03:04:05.123456Z")
_OBJECT = ("event", "objectRef")
OWN_VERBS = {
    "exec": "exec",
    "attach": "attach",
    "portforward": "portforward",
    "proxy": "proxy",
    "debug": "ephemeralcontainers",
    "mint": "token",
}
"""What people call an act → the subresource that Kubernetes knows it by, under whatever verb its HTTP method makes."""
MIN_ID_PREFIX = 8
"""Characters of an id that must be given: a UUIDv7's first eight are about a minute."""


class Decision(StrEnum):
    """`deny`: anybody was refused anything, by a role, a check, or a failed sign-in."""

    ALLOW = "allow"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class Question:
    """Empty means any. `since` is included, `until` is not; seconds since the epoch.

    Everything is compared whole and exactly, but `source` (an address or a network), `id` (also the beginning of one)
    and `text` (anywhere in the record; A is a).
    """

    user: str = ""
    group: str = ""
    verb: str = ""
    resource: str = ""
    namespace: str = ""
    name: str = ""
    cluster: str = ""
    decision: Decision | None = None
    source: str = ""
    type: str = ""
    id: str = ""
    login: str = ""
    recording: str = ""
    text: str = ""
    since: float | None = None
    until: float | None = None

    def __post_init__(self) -> None:
        """Raises QuestionError."""
        if self.id and len(self.id) < MIN_ID_PREFIX:
            raise QuestionError(f"an id, or at least its first {MIN_ID_PREFIX} characters; got {self.id!r}")
        if self.source:
            _network(self.source)

    def sieve(self) -> Callable[[bytes], bool]:
        """False only for lines that cannot match; ten times as fast as reading them."""
        needles = self._needles()
        since = b"" if self.since is None else rfc3339(self.since).encode()
        until = b"" if self.until is None else rfc3339(self.until).encode()
        text = spelled(self.text)
        is_denied = self.decision is Decision.DENY

        def may_match(line: bytes) -> bool:
            for needle in needles:
                if needle not in line:
                    return False
            if is_denied and b'"forbid"' not in line and b"refus" not in line:
                return False
            if (since or until) and not (since <= time_of(line) and (not until or time_of(line) < until)):
                return False
            return text in line.lower() if text else True

        return may_match

    def needle(self) -> Needle | None:
        """The bytes that a line must hold and fewest others do; None where there are none."""
        needles = self._needles()
        if needles:
            return Needle(max(needles, key=len))
        return Needle(spelled(self.text), folded=True) if self.text else None

    def _needles(self) -> list[bytes]:
        """Plain ASCII stands in a line as it is, in quotes; other text has several spellings there."""
        below = self.resource.lower().partition("/")[0]
        verb = OWN_VERBS.get(self.verb, self.verb)
        of_requests = (verb, self.namespace, self.name, below if "." not in below else "")
        whole = (self.user, self.group, self.cluster, self.type, self.login, self.recording, *of_requests)
        found = [f'"{word}"' for word in whole if word and _is_plain(word)]
        return [one.encode() for one in (*found, f'"{self.id}' if self.id and _is_plain(self.id) else "") if one]

    def may_be_in(self, since: str, until: str) -> bool:
        """Whether a record of a time between these, both included and RFC 3339, may be asked for. Empty: not known."""
        return (self.since is None or not until or until >= rfc3339(self.since)) and (
            self.until is None or not since or since < rfc3339(self.until)
        )

    def matches(self, record: Mapping[str, Any]) -> bool:
        """Whether a record, parsed, is asked for."""
        return (
            self._in_time(record)
            and self.cluster in ("", record.get("cluster"))
            and self.type in ("", record.get("type"))
            and (not self.verb or self._is_verb(record))
            and self.namespace in ("", at(record, *_OBJECT, "namespace"))
            and self.name in ("", at(record, *_OBJECT, "name"))
            and self.user in ("", username(record))
            and self.login in ("", record.get("login"))
            and self.recording in ("", recording(record))
            and (not self.group or self.group in texts(at(record, "event", "user", "groups")))
            and (not self.resource or self.resource.lower() in _resources(record))
            and (self.decision is None or self.decision is decision(record))
            and (not self.source or _from(str(record.get("source", "")), self.source))
            and (not self.id or any(one.startswith(self.id) for one in ids(record)))
            and (not self.text or spelled(self.text) in encode(record).lower())
        )

    def _is_verb(self, record: Mapping[str, Any]) -> bool:
        own = OWN_VERBS.get(self.verb)
        if own is not None:
            return bool(at(record, *_OBJECT, "subresource") == own)
        return bool(at(record, "event", "verb") == self.verb)

    def _in_time(self, record: Mapping[str, Any]) -> bool:
        time = str(record.get("time", ""))
        return (self.since is None or time >= rfc3339(self.since)) and (
            self.until is None or time < rfc3339(self.until)
        )


def decision(record: Mapping[str, Any]) -> Decision:
    """What was decided. A request that was let through and failed later was allowed."""
    forbidden = at(record, "event", "annotations", "authorization.k8s.io/decision") == "forbid"
    refused = record.get("outcome") == Outcome.REFUSED or record.get("type") == "refusals.rollup"
    return Decision.DENY if forbidden or refused else Decision.ALLOW


def username(record: Mapping[str, Any]) -> Any:
    """The person, as the identity provider calls them now."""
    found = at(record, "actor", "username")
    return at(record, "event", "user", "username") if found is None else found


def ids(record: Mapping[str, Any]) -> list[str]:
    """The ids a record is found by: its own, and its Event's audit id."""
    return [str(one) for one in (record.get("id"), at(record, "event", "auditID")) if one]


def certificates(record: Mapping[str, Any]) -> list[str]:
    """Serial numbers of the certificate that a request came with."""
    return texts(at(record, "event", "user", "extra", "kubewitness.dev/certificate"))


def recording(record: Mapping[str, Any]) -> Any:
    """The id of the recording that a record is about."""
    found = at(record, "event", "annotations", "kubewitness.dev/recording")
    return at(record, "body", "recording") if found is None else found


def at(record: object, *path: str) -> Any:
    """What stands at a path of keys; None where it leads nowhere. A stored record is what somebody left us."""
    for key in path:
        if not isinstance(record, Mapping):
            return None
        record = record.get(key)
    return record


def texts(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else []


def moment(text: str, now: float) -> float:
    """`2h`, `1d12h` (ago), `2026-01-31`, `2026-01-31T08:00:00Z` → seconds since the epoch. Raises QuestionError.

    A time without a zone is UTC, as the records' times are.
    """
    if _SPAN.sub("", text) == "" and text:
        return now - sum(int(count) * _SECONDS[unit] for count, unit in _SPAN.findall(text))
    try:
        read = datetime.fromisoformat(text)
        return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError) as error:
        raise QuestionError(
            f"a time like 30m, 2h, 7d, 2026-01-31 or 2026-01-31T08:00:00Z; got {text[:60]!r}"
        ) from error


def _is_plain(word: str) -> bool:
    return word.isascii() and word.isprintable() and not set(word) & {'"', "\\"}


def spelled(text: str) -> bytes:
    """As it stands in a line, in lower case."""
    try:
        return orjson.dumps(text)[1:-1].lower()
    except orjson.JSONEncodeError as error:
        raise QuestionError("text of whole characters") from error


def time_of(line: bytes) -> bytes:
    """The envelope's time; it stands before anything that a client wrote."""
    at = line.find(_TIME_KEY) + len(_TIME_KEY)
    return line[at : at + _TIME_LENGTH]


def _resources(record: Mapping[str, Any]) -> tuple[str, ...]:
    """`pods` finds pods and what is below them; `pods/exec` only that; `deployments.apps` names the group as well."""
    resource, below, group = (str(at(record, *_OBJECT, key) or "") for key in ("resource", "subresource", "apiGroup"))
    if not resource:
        return ()
    names = (resource, f"{resource}.{group}") if group else (resource,)
    return (*names, *(f"{name}/{below}" for name in names if below))


def _network(text: str) -> Any:
    try:
        return ip_network(text, strict=False)
    except ValueError as error:
        raise QuestionError(f"an address like 10.1.2.3, or a network like 10.1.0.0/16; got {text[:60]!r}") from error


def _from(source: str, wanted: str) -> bool:
    try:
        return ip_address(source) in _network(wanted)
    except ValueError:
        return False

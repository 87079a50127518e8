"""A record as people read it: one row of short words; and text that cannot command a terminal.

Whoever asks the log reads what others wrote: names, paths, user agents. Nothing of that reaches a terminal but as
visible text (CVE-2021-25743 is what happens otherwise).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from recordings.audit.question import at, decision, ids, texts
from recordings.audit.record import Outcome

_HARMFUL = re.compile(
    "["
    "\x00-\x1f\x7f-\x9f"  # C0, DEL, C1
    "\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff\ufff9-\ufffb"  # direction, invisible, separators
    "\ud800-\udfff"
    "\U000e0000-\U000e007f"  # tags: text that is not seen
    "]"
)
_HARMFUL_IN_JSON = re.compile(_HARMFUL.pattern.replace("\x00-\x1f", "\x00-\x09\x0b-\x1f", 1))


def harmless(text: str) -> str:
    r"""One visible line: what commands a terminal, turns its direction or hides is shown as `\u009b`."""
    return _HARMFUL.sub(_escape, text)


def harmless_json(text: str) -> str:
    r"""JSON text of the same value, its line ends kept: such characters can only stand in strings, as `\u009b`."""
    return _HARMFUL_IN_JSON.sub(_escape, text)


def is_harmless(text: str) -> bool:
    """Whether lines of text may be shown as they are."""
    return _HARMFUL_IN_JSON.search(text) is None


def _escape(match: re.Match[str]) -> str:
    """JSON knows no more than four digits: above them, UTF-16's two halves."""
    code = ord(match[0])
    if code <= 0xFFFF:
        return f"\\u{code:04x}"
    return f"\\u{0xD800 + (code - 0x10000 >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"


def row(record: Mapping[str, Any]) -> dict[str, str]:
    """The columns of a listing, harmless; `time` is RFC 3339. What a record does not say is empty."""
    is_request = at(record, "event") is not None
    words = {
        "time": record.get("time"),
        "user": at(record, "actor", "username") or at(record, "event", "user", "username"),
        "action": at(record, "event", "verb") if is_request else record.get("type"),
        "object": _object(record) if is_request else _about(record),
        "namespace": at(record, "event", "objectRef", "namespace"),
        "cluster": record.get("cluster"),
        "result": _result(record),
        "code": at(record, "event", "responseStatus", "code"),
        "source": record.get("source"),
        "groups": ",".join(texts(at(record, "event", "user", "groups"))),
        "role": at(record, "event", "annotations", "kubewitness.dev/role"),
        "rule": at(record, "event", "annotations", "kubewitness.dev/rule"),
        "login": record.get("login"),
        "id": (ids(record) or [""])[-1],
        "reason": at(record, "event", "annotations", "kubewitness.dev/refused") or at(record, "body", "reason"),
    }
    return {key: harmless(str(value)) if value is not None else "" for key, value in words.items()}


def _result(record: Mapping[str, Any]) -> str:
    """The outcome; `refused` covers whoever was denied."""
    outcome = str(record.get("outcome", ""))
    return str(Outcome.REFUSED) if outcome == Outcome.DONE and decision(record) == "deny" else outcome


def _object(record: Mapping[str, Any]) -> str:
    """`pods/web-0`, `pods/web-0/exec`, `deployments.apps/web`; the path of what is no resource."""
    if at(record, "event", "objectRef") is None:
        return str(at(record, "event", "requestURI") or "").partition("?")[0]
    resource, group, name, below = (
        str(at(record, "event", "objectRef", key) or "") for key in ("resource", "apiGroup", "name", "subresource")
    )
    return "/".join(part for part in (f"{resource}.{group}" if group else resource, name, below) if part)


def _about(record: Mapping[str, Any]) -> str:
    """The fact of a record of our own that tells most."""
    total = at(record, "body", "total")
    if total is not None:
        return f"{total} refused"
    for key in ("target", "connector", "serial", "segment", "writer", "name", "roles", "what", "detail"):
        value = at(record, "body", key)
        if value:
            return ",".join(texts(value)) if isinstance(value, list) else str(value)
    return ""

"""What the log and the cluster must have seen of the story; each claim is checked on its own.

The promises are those of SECURITY.md: attributed, complete, secret-safe. Records are the log's own lines.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deploy.sandbox.apiserver import SeenRequest
from proxy.demo.story import Line
from recordings.audit.row import row

Record = Mapping[str, Any]
_KEYS = ("action", "object", "namespace", "result", "code", "role", "rule")
_LOGIN_KEY, _CERTIFICATE_KEY = "kubewitness.dev/login", "kubewitness.dev/certificate"


@dataclass(frozen=True, slots=True)
class Finding:
    """A claim; `problem` is empty where it holds."""

    claim: str
    problem: str = ""


def examine(
    records: Sequence[Record],
    seen: Sequence[SeenRequest] | None,
    *,
    person: str,
    groups: tuple[str, ...],
    expected: Sequence[Line],
) -> list[Finding]:
    """All claims, in the order of the story. `seen` None: a cluster that we cannot look into."""
    logins = _of_type(records, "user.login", person)
    certificates = _of_type(records, "cert.issue", person)
    requests = [record for record in records if record.get("type") == "kube.request"]
    login = str(logins[-1].get("login", "")) if logins else ""
    serial = str((certificates[-1].get("body") or {}).get("serial", "")) if certificates else ""
    findings = [
        Finding(f"the log names {person}'s login", "" if login else "no record user.login of hers"),
        Finding("and the certificate that was made for it", _certificate(certificates, login, serial)),
        Finding(f"every request's record names {person}, login and certificate", _named(requests, person, login)),
        Finding("role and rule stand beside what they allowed or denied", _as_expected(requests, expected)),
        Finding("each request has exactly one outcome; what changes something was recorded before", _whole(requests)),
    ]
    if seen is not None:
        who = {(_LOGIN_KEY, login), (_CERTIFICATE_KEY, serial)}
        findings += [
            Finding(
                "the cluster saw each request as hers, with login and certificate", _seen(seen, person, groups, who)
            ),
            Finding("and none that the log does not know", _known(seen, requests)),
        ]
    return findings


def secrets_in(lines: Iterable[bytes], secrets: Iterable[str]) -> Finding:
    """Whether a value that must stay ours is in the log's files."""
    wanted = [secret.encode() for secret in secrets]
    found = sum(any(secret in line for secret in wanted) for line in lines)
    return Finding("no token and no secret is in the log", f"{found} lines hold one" if found else "")


def id_of(record: Record) -> str:
    """What `kwit audit show` takes."""
    return row(record)["id"]


def line(record: Record) -> Line:
    """What is compared of a record of a request."""
    columns = row(record)
    action, object_, namespace, result, code, role, rule = (columns[key] for key in _KEYS)
    return action, object_, namespace, result, code, role, rule


def _of_type(records: Iterable[Record], record_type: str, person: str) -> list[Record]:
    return [record for record in records if record.get("type") == record_type and row(record)["user"] == person]


def _certificate(certificates: Sequence[Record], login: str, serial: str) -> str:
    if not certificates:
        return "no record cert.issue of hers"
    return "" if serial and certificates[-1].get("login") == login else "its record names another login"


def _named(requests: Sequence[Record], person: str, login: str) -> str:
    others = [one for one in requests if row(one)["user"] != person or one.get("login") != login]
    if not requests:
        return "there is no record of a request"
    return f"{len(others)} of {len(requests)} do not" if others else ""


def _as_expected(requests: Sequence[Record], expected: Sequence[Line]) -> str:
    found = [one for one in map(line, requests) if not _on_the_way(one)]
    if found == list(expected):
        return ""
    missing = [one for one in expected if one not in found]
    surplus = [one for one in found if one not in expected]
    return f"missing {missing}, unexpected {surplus}" if missing or surplus else f"in another order: {found}"


def _on_the_way(one: Line) -> bool:
    """What kubectl looks up for itself, which its versions do differently."""
    action, what = one[:2]
    looked_up = action == "get" and not what.endswith(("/exec", "/log"))
    return looked_up or what == "customresourcedefinitions.apiextensions.k8s.io"


def _whole(requests: Sequence[Record]) -> str:
    outcomes: dict[str, list[str]] = {}
    reads: dict[str, bool] = {}
    for record in requests:
        columns = row(record)
        outcomes.setdefault(columns["id"], []).append(str(record.get("outcome")))
        reads[columns["id"]] = columns["action"] in _READS and not columns["object"].endswith("/exec")
    odd = [f"{name}: {found}" for name, found in outcomes.items() if not _is_whole(found, reads=reads[name])]
    return "; ".join(odd)


_READS = ("get", "list", "watch")
_SHELL = ["intent", "started", "done"]


def _is_whole(outcomes: list[str], *, reads: bool) -> bool:
    return outcomes in ([["refused"], ["done"]] if reads else [["refused"], ["intent", "done"], _SHELL])


def _seen(seen: Sequence[SeenRequest], person: str, groups: tuple[str, ...], who: set[tuple[str, str]]) -> str:
    others = [one for one in seen if (one.user, one.groups, set(one.extra)) != (person, groups, who)]
    if not seen:
        return "it saw none"
    return f"{len(others)} of {len(seen)} were not, the first {others[0].method} {others[0].target}" if others else ""


def _known(seen: Sequence[SeenRequest], requests: Sequence[Record]) -> str:
    known = {row(record)["id"] for record in requests}
    unknown = [one.target for one in seen if one.audit_id not in known]
    return f"not recorded: {', '.join(unknown)}" if unknown else ""

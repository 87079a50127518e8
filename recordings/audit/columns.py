"""The columns in which SQL sees a record: their names, types and meaning, and how each is read from a line.

One table for both forms: Parquet files hold these columns, and lines that are no Parquet yet are shown through the same
expressions, so that an answer does not depend on how far sealing has come. A name or type never changes; columns are
only added. What a record does not say is NULL, and so is what has another type than it should; of a damaged line, all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

_ANNOTATION = '$.event.annotations."kubewitness.dev/{}"'
_FORBIDDEN = '$.event.annotations."authorization.k8s.io/decision"'


@dataclass(frozen=True, slots=True)
class Column:
    """`paths`: where in the record it stands (JSON path); of several, the first that says something."""

    name: str
    type: str
    paths: tuple[str, ...]
    meaning: str
    is_list: bool = False


COLUMNS = (
    Column("seq", "BIGINT", ("$.seq",), "number of the record in its writer's log"),
    Column("time", "TIMESTAMP", ("$.time",), "when it was written, UTC"),
    Column("id", "VARCHAR", ("$.id",), "the record's id"),
    Column("type", "VARCHAR", ("$.type",), "`kwit audit types` lists them"),
    Column(
        "outcome", "VARCHAR", ("$.outcome",), "intent, started, done, refused, aborted, failed, unknown-after-crash"
    ),
    Column("cluster", "VARCHAR", ("$.cluster",), "the cluster's name"),
    Column("username", "VARCHAR", ("$.actor.username", "$.event.user.username"), "the person"),
    Column("groups", "VARCHAR[]", ("$.event.user.groups[*]",), "the person's groups", is_list=True),
    Column("connector", "VARCHAR", ("$.actor.connector",), "the identity provider that the person signed in with"),
    Column("subject", "VARCHAR", ("$.actor.subject",), "the person, as the identity provider knows them for ever"),
    Column("login", "VARCHAR", ("$.login",), "the login's id"),
    Column("certificate", "VARCHAR", ('$.event.user.extra."kubewitness.dev/certificate"[0]',), "its serial number"),
    Column("source", "VARCHAR", ("$.source",), "the address that it came from"),
    Column("audit_id", "VARCHAR", ("$.event.auditID",), "one for all records of a request"),
    Column(
        "stage", "VARCHAR", ("$.event.stage",), "of the request: RequestReceived, ResponseStarted, ResponseComplete"
    ),
    Column("verb", "VARCHAR", ("$.event.verb",), "get, list, create, delete, exec …"),
    Column("api_group", "VARCHAR", ("$.event.objectRef.apiGroup",), "of the object"),
    Column("resource", "VARCHAR", ("$.event.objectRef.resource",), "of the object: pods, deployments …"),
    Column("subresource", "VARCHAR", ("$.event.objectRef.subresource",), "exec, log, status …"),
    Column("namespace", "VARCHAR", ("$.event.objectRef.namespace",), "of the object"),
    Column("name", "VARCHAR", ("$.event.objectRef.name",), "of the object"),
    Column("uri", "VARCHAR", ("$.event.requestURI",), "the request's target"),
    Column("user_agent", "VARCHAR", ("$.event.userAgent",), "the client program, as it calls itself"),
    Column("code", "INTEGER", ("$.event.responseStatus.code",), "HTTP status of the answer"),
    Column("message", "VARCHAR", ("$.event.responseStatus.message", "$.body.message"), "what the person was told"),
    Column("authorization", "VARCHAR", (_FORBIDDEN,), "what the roles said: allow, forbid"),
    Column("role", "VARCHAR", (_ANNOTATION.format("role"),), "the role that decided"),
    Column("rule", "VARCHAR", (_ANNOTATION.format("rule"),), "the rule in it"),
    Column("reason", "VARCHAR", (_ANNOTATION.format("refused"), "$.body.reason"), "why it was refused"),
    Column("recording", "VARCHAR", (_ANNOTATION.format("recording"), "$.body.recording"), "the recording's id"),
    Column("received", "TIMESTAMP", ("$.event.requestReceivedTimestamp",), "when the request came, UTC"),
    Column("boot", "VARCHAR", ("$.boot",), "which run of the process"),
    Column("mono", "DOUBLE", ("$.mono",), "seconds of the machine's monotonic clock"),
    Column("body", "JSON", ("$.body",), "what a record of our own says: body->>'connector'"),
)
"""`authorization` is what Kubernetes' annotation says; `decision` below also counts refusals without one."""

_DENIED = "\"authorization\" = 'forbid' OR outcome = 'refused' OR type = 'refusals.rollup'"

DERIVED = (
    (
        "decision",
        "VARCHAR",
        f"CASE WHEN {_DENIED} THEN 'deny' ELSE 'allow' END",
        "deny where anybody was refused anything; else allow",
    ),
)
"""(name, type, SQL over the columns, meaning): made when asked, so that what they mean can be put right."""

STORED = ("writer", *(column.name for column in COLUMNS), "line")
"""What a Parquet file holds, in this order. `line` is the record as it was written, to the byte."""


def select_stored(lines: str, writer: str) -> str:
    """All columns of a relation that has one, `line`: SQL in which each line is parsed once."""
    plain = [path for column in COLUMNS if not column.is_list for path in column.paths if column.type != "JSON"]
    number = {path: index for index, path in enumerate(plain, 1)}
    listed = ", ".join(quoted(path) for path in plain)
    inner = f"SELECT line, TRY(json_extract_string(line, [{listed}])) AS p FROM ({lines}) WHERE {_IS_RECORD}"  # noqa: S608
    columns = _columns(lambda path: f"p[{number[path]}]")
    return f"SELECT {quoted(writer)} AS writer, {columns}, line FROM ({inner})"  # noqa: S608 - quoted


def select_shown(lines: str, writer: str) -> str:
    """The same, of which a query pays only for the columns that it names."""
    columns = _columns(lambda path: f"TRY(json_extract_string(line, {quoted(path)}))")
    return f"SELECT {quoted(writer)} AS writer, {columns}, line FROM ({lines}) WHERE {_IS_RECORD}"  # noqa: S608


def select_derived(stored: str) -> str:
    """What people ask: the stored columns of a relation, and those that follow from them."""
    derived = ", ".join(f"{sql} AS {name}" for name, _, sql, _ in DERIVED)
    return f"SELECT * EXCLUDE (line), {derived}, line FROM ({stored})"  # noqa: S608 - no words of anybody else


def quoted(text: str) -> str:
    """A text as SQL has it."""
    return "'" + text.replace("'", "''") + "'"


_IS_RECORD = """line LIKE '{"v":%}'"""
"""A whole record's line begins and ends so (FORMAT.md), and no header's or checkpoint's does."""


def _columns(extract: Callable[[str], str]) -> str:
    return ", ".join(f'{_expression(column, extract)} AS "{column.name}"' for column in COLUMNS)


def _expression(column: Column, extract: Callable[[str], str]) -> str:
    if column.is_list:
        return f"TRY(json_extract_string(line, {quoted(column.paths[0])}))"
    if column.type == "JSON":
        return f"TRY(json_extract(line, {quoted(column.paths[0])}))"
    found = [extract(path) for path in column.paths]
    one = found[0] if len(found) == 1 else f"coalesce({', '.join(found)})"
    return one if column.type == "VARCHAR" else f"TRY_CAST({one} AS {column.type})"

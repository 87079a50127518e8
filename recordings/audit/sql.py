"""SQL over a log: one prepared view, `records`, of all segments, sealed or not.

DuckDB reads the log's files and no other, writes nothing, loads nothing, and cannot be told otherwise by a question:
one statement is taken, which must be a SELECT (so may DESCRIBE, SUMMARIZE and EXPLAIN be). Its memory is limited; what
does not fit goes to a directory that is removed afterwards.

For one who may not see all, `records` is a table of what they may, without the lines themselves, and DuckDB reads no
file at all once it is made.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

import orjson

from recordings.audit.columns import STORED, quoted, select_derived, select_shown
from recordings.audit.encode import rfc3339
from recordings.audit.manifest import ends_before
from recordings.audit.parquet import connect, lines_of, parquet_path
from recordings.audit.segments import is_sealed, segments, writers
from recordings.audit.visible import Visible
from recordings.errors import QuestionError

MEMORY = "2GB"
MAX_SPILL = "20GB"
"""What a question may take of the disk while it is answered."""
SHARED_MEMORY = "1GB"
SHARED_SPILL = "2GB"
"""The same on a server that has others to serve, and a log to write."""
ROWS = 2048
"""Fetched at once."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`rows` can be read once, while the log is open. A value is what Python has for it; a list stays one."""

    names: tuple[str, ...]
    types: tuple[str, ...]
    rows: Iterator[tuple[Any, ...]]


class LogDatabase:
    """A log as it is when this is opened. Close it, or use it in `with`."""

    def __init__(
        self,
        root: Path,
        also: Sequence[Path] = (),
        *,
        since: float | None = None,
        visible: Visible | None = None,
    ) -> None:
        """`also`: files that answers may be written to. `since`: seconds; earlier records are left out. `visible`: who
        may not see all. Raises QuestionError without DuckDB, OSError.
        """
        self._spill = TemporaryDirectory(prefix="kwit-sql-")
        try:
            self._connection = connect(MEMORY if visible is None else SHARED_MEMORY)
        except BaseException:
            self._spill.cleanup()
            raise
        try:
            self._prepare(root, also, since, visible)
        except BaseException:
            self.close()
            raise

    def _prepare(self, root: Path, also: Sequence[Path], since: float | None, visible: Visible | None) -> None:
        text = "" if since is None else rfc3339(since)
        files, select = _everything(root, text)
        asked = select_derived(select)
        if text:
            asked = f'SELECT * FROM ({asked}) WHERE "time" >= {quoted(text)}::TIMESTAMP'  # noqa: S608 - a time
        self._execute(
            f"SET temp_directory = {quoted(self._spill.name)}",
            f"SET max_temp_directory_size = {quoted(MAX_SPILL if visible is None else SHARED_SPILL)}",
            "SET TimeZone = 'UTC'",
        )
        readable: tuple[Path, ...] = ()
        if visible is None:
            self._execute(f"CREATE VIEW records AS {asked}")
            readable = (*files, *also)
        else:
            self._copy(asked, visible)
        self._execute(
            f"SET allowed_paths = [{', '.join(quoted(str(path)) for path in readable)}]",
            "SET enable_external_access = false",
            "SET lock_configuration = true",
        )

    def _execute(self, *statements: str) -> None:
        for statement in statements:
            self._connection.execute(statement)

    def _copy(self, asked: str, visible: Visible) -> None:
        """What may be seen, as a table: places first, then what is about them."""
        places = self._connection.execute(
            f"SELECT DISTINCT cluster, coalesce(namespace, '') FROM ({asked})"  # noqa: S608 - our own words
        ).fetchall()
        self._execute("CREATE TABLE places (cluster VARCHAR, namespace VARCHAR)")
        for cluster, namespace in places:
            if visible.sees_place(cluster, namespace):
                self._connection.execute("INSERT INTO places VALUES (?, ?)", [cluster, namespace])
        issuer, subject = visible.own
        self._connection.execute(_COPY.format(asked=asked), [subject, issuer])
        self._execute("DROP TABLE places")

    def ask(self, sql: str, values: Sequence[object] = ()) -> Answer:
        """`values` stand where `?` does. Raises QuestionError, with DuckDB's own words."""
        import duckdb

        try:
            cursor = self._connection.execute(self._checked(sql), list(values))
        except duckdb.Error as error:
            raise QuestionError(f"SQL that DuckDB understands: {error}") from error
        described = cursor.description or []
        return Answer(
            tuple(str(one[0]) for one in described), tuple(str(one[1]) for one in described), self._rows(cursor)
        )

    def write_parquet(self, sql: str, path: Path) -> None:
        """The answer as a Parquet file, one of `also`. Raises QuestionError."""
        import duckdb

        try:
            self._connection.sql(self._checked(sql)).write_parquet(str(path), compression="zstd")
        except duckdb.Error as error:
            raise QuestionError(f"SQL that DuckDB understands: {error}") from error

    def close(self) -> None:
        self._connection.close()
        self._spill.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _: TracebackType | None
    ) -> None:
        self.close()

    def _checked(self, sql: str) -> str:
        """Raises QuestionError, duckdb.Error."""
        statements = self._connection.extract_statements(sql)
        if len(statements) != 1 or statements[0].type.name not in ("SELECT", "EXPLAIN"):
            raise QuestionError("one SELECT; `DESCRIBE records` lists the columns")
        return sql

    def _rows(self, cursor: Any) -> Iterator[tuple[Any, ...]]:
        """Raises QuestionError: some mistakes show only when a row is made."""
        import duckdb

        try:
            while rows := cursor.fetchmany(ROWS):
                yield from rows
        except duckdb.Error as error:
            if "pytz" in str(error):  # DuckDB's own words are a traceback
                raise QuestionError("times without a zone in the answer: now()::TIMESTAMP") from error
            raise QuestionError(f"SQL that DuckDB understands: {error}") from error


_COPY = (
    "CREATE TABLE records AS SELECT r.* EXCLUDE (line) FROM ({asked}) r WHERE EXISTS (FROM places p WHERE "
    "p.cluster IS NOT DISTINCT FROM r.cluster AND p.namespace = coalesce(r.namespace, '')) OR "
    "CASE WHEN r.subject = ? THEN TRY(json_extract_string(r.line, '$.actor.issuer')) = ? ELSE false END"
)


def plain(value: object) -> bytes:
    """A value of an answer, or a row, as JSON: times as the log has them; what JSON has no word for, as Python says it.

    A number that 64 bits do not hold is a text: readers of JSON would round it.
    """
    option = orjson.OPT_NON_STR_KEYS | orjson.OPT_PASSTHROUGH_DATETIME
    try:
        return orjson.dumps(value, default=spelled, option=option)
    except TypeError:
        return orjson.dumps(_narrowed(value), default=spelled, option=option)


def _narrowed(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_narrowed(one) for one in value]
    if isinstance(value, dict):
        return {key if isinstance(key, str) else str(key): _narrowed(one) for key, one in value.items()}
    if isinstance(value, int) and not -(1 << 63) <= value < 1 << 64:
        return str(value)
    return value


def spelled(value: Any) -> str:
    """A value that JSON has no word for."""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    if isinstance(value, bytes):
        return value.hex()
    return str(value)


def _everything(root: Path, since: str = "") -> tuple[list[Path], str]:
    """The files that are read, and SQL for the stored columns of all records; no segments that end before `since`."""
    indexed: list[Path] = []
    files: list[Path] = []
    parts: list[str] = []
    for writer in writers(root):
        for path in segments(writer):
            if since and is_sealed(path) and ends_before(path, since):
                continue
            if is_sealed(path) and parquet_path(path).exists():
                indexed.append(parquet_path(path))
            else:
                files.append(path)
                parts.append(select_shown(lines_of(path), writer.name))
    if indexed:
        listed = ", ".join(quoted(str(path)) for path in indexed)
        columns = ", ".join(f'"{name}"' for name in STORED)
        parts.insert(0, f"SELECT {columns} FROM read_parquet([{listed}], union_by_name=true)")  # noqa: S608 - quoted
    parts = parts or [select_shown("SELECT NULL::VARCHAR AS line WHERE false", "")]
    return [*indexed, *files], " UNION ALL ".join(parts)

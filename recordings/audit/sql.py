"""SQL over a log: one prepared view, `records`, of all segments, sealed or not.

DuckDB reads the log's files and no other, writes nothing, loads nothing, and cannot be told otherwise by a question:
one statement is taken, which must be a SELECT (so may DESCRIBE, SUMMARIZE and EXPLAIN be). Its memory is limited; what
does not fit goes to a directory that is removed afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

from recordings.audit.columns import STORED, quoted, select_derived, select_shown
from recordings.audit.parquet import connect, lines_of, parquet_path
from recordings.audit.segments import is_sealed, segments, writers
from recordings.errors import QuestionError

MEMORY = "2GB"
MAX_SPILL = "20GB"
"""What a question may take of the disk while it is answered."""
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

    def __init__(self, root: Path, also: Sequence[Path] = ()) -> None:
        """`also`: files that answers may be written to. Raises QuestionError without DuckDB, OSError."""
        self._spill = TemporaryDirectory(prefix="kwit-sql-")
        try:
            self._connection = connect(MEMORY)
        except BaseException:
            self._spill.cleanup()
            raise
        files, select = _everything(root)
        for statement in (
            f"SET temp_directory = {quoted(self._spill.name)}",
            f"SET max_temp_directory_size = {quoted(MAX_SPILL)}",
            "SET TimeZone = 'UTC'",
            f"CREATE VIEW records AS {select_derived(select)}",
            f"SET allowed_paths = [{', '.join(quoted(str(path)) for path in (*files, *also))}]",
            "SET enable_external_access = false",
            "SET lock_configuration = true",
        ):
            self._connection.execute(statement)

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
            raise QuestionError(f"SQL that DuckDB understands: {error}") from error


def _everything(root: Path) -> tuple[list[Path], str]:
    """The files that are read, and SQL for the stored columns of all records."""
    indexed: list[Path] = []
    files: list[Path] = []
    parts: list[str] = []
    for writer in writers(root):
        for path in segments(writer):
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

"""Segments as Parquet: typed columns for questions, and each line as it was written.

It is made from the segment by DuckDB and can be made again; nothing is proven by it. DuckDB is an extra of the
installation (`kubewitness[query]`) and is imported only here and where SQL is asked.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from recordings.audit.columns import quoted, select_stored
from recordings.audit.manifest import base
from recordings.audit.placing import place, temporary
from recordings.audit.segments import is_sealed
from recordings.errors import QuestionError

MAX_LINE_BYTES = 4 * 1024 * 1024
"""Longer lines are passed over; a record has 1 MiB at most."""
ROW_GROUP_ROWS = 40_960
"""What a reader that wants one record must look through; a segment of 256 MiB has five such groups."""
MEMORY = "1GB"
"""Of DuckDB, before it uses the disk."""
_OPTIONS = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
}
"""Nothing is ever loaded from elsewhere."""


def connect(memory: str = MEMORY, threads: int | None = None) -> Any:
    """An empty DuckDB in memory. Raises QuestionError where DuckDB is not installed."""
    try:
        import duckdb
    except ModuleNotFoundError as error:
        raise QuestionError("DuckDB, which is not installed here: pip install 'kubewitness[query]'") from error
    more = {} if threads is None else {"threads": str(threads)}
    connection = duckdb.connect(":memory:", config={**_OPTIONS, "memory_limit": memory, **more})
    connection.execute("SET enable_progress_bar = false")  # stdout is for answers
    connection.execute("SET python_enable_replacements = false")  # a table's name is never a variable of ours
    return connection


def is_possible() -> bool:
    """Whether DuckDB is installed; without importing it, which takes a tenth of a second."""
    from importlib.util import find_spec

    return find_spec("duckdb") is not None


def parquet_path(path: Path) -> Path:
    """Of a segment, of either form's path."""
    return path.with_name(base(path) + ".parquet")


def lines_of(path: Path) -> str:
    """SQL: a segment's lines as a relation of one column, `line`. What is no text is passed over.

    Read as a CSV without quotes whose delimiter cannot stand in a record: JSON escapes it.
    """
    options = (
        "columns={'line': 'VARCHAR'}",
        "header=false",
        "auto_detect=false",
        "delim=chr(1)",
        "quote=''",
        "escape=''",
        "new_line='\\n'",
        "strict_mode=false",
        "ignore_errors=true",
        f"maximum_line_size={MAX_LINE_BYTES}",
        f"compression='{'zstd' if is_sealed(path) else 'none'}'",
    )
    return f"SELECT line FROM read_csv({quoted(str(path))}, {', '.join(options)})"  # noqa: S608 - quoted


def write_parquet(connection: Any, path: Path) -> int:
    """The Parquet file of a segment, whole and on the disk; how many records it has. Raises duckdb.Error, OSError."""
    target = parquet_path(path)
    made = temporary(target)
    made.unlink(missing_ok=True)
    made.touch(0o600)
    rows = connection.execute(
        f"COPY ({select_stored(lines_of(path), path.parent.name)}) TO {quoted(str(made))} "
        f"(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROW_GROUP_ROWS}, PARQUET_VERSION v1, USE_TMP_FILE false, "
        f"KV_METADATA {{'kubewitness.dev/segment': {quoted(path.name)}}})"
    ).fetchone()
    _sync(made)
    place(target)
    return int(rows[0])


def _sync(path: Path) -> None:
    import os

    with path.open("rb") as file:
        os.fsync(file.fileno())

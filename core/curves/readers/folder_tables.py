"""The tables of a DataForge folder, from the SQLite file or the CSV, JSON or Parquet files they are kept in."""

import csv
import io
import json
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

from ..errors import CurveError
from .las.sections import text_of

TABLES = ("workspace", "curve", "curve_version", "blob_registry")
_SQLITE = (".db", ".sqlite", ".sqlite3")
_MAX_ROWS = 1_000_000
_MAX_BYTES = 1 << 28
Row = dict[str, Any]


def tables_of(folder: Path) -> dict[str, list[Row]]:
    """The rows of each table, column names in lower case; CurveError for a table that is missing or unreadable."""
    databases = sorted(path for path in folder.iterdir() if path.suffix.casefold() in _SQLITE)
    if len(databases) > 1:
        names = ", ".join(path.name for path in databases)
        raise CurveError(f"{folder.name} holds several databases ({names}); keep the one that describes its blobs")
    if databases:
        return _from_sqlite(databases[0])
    return {table: _from_file(folder, table) for table in TABLES}


def is_folder(path: Path) -> bool:
    """Whether a directory is a DataForge folder: it has `blobs` and tables."""
    return path.is_dir() and (path / "blobs").is_dir() and has_tables(path)


def has_tables(folder: Path) -> bool:
    """Whether a folder holds a database or a table of versions."""
    paths = [path for path in folder.iterdir() if path.is_file()]
    known = {"curve_version", "curve_versions"}
    return any(
        path.suffix.casefold() in _SQLITE or (path.stem.casefold() in known and path.suffix.casefold() in _READERS)
        for path in paths
    )


def _from_sqlite(path: Path) -> dict[str, list[Row]]:
    """Read as it lies there: no view, trigger or function of the file is run, and nothing is written beside it."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as database:
            database.execute("PRAGMA trusted_schema = OFF")
            database.row_factory = sqlite3.Row
            there = {
                str(name).casefold(): str(name)
                for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            }
            found: dict[str, list[Row]] = {}
            for table in TABLES:
                name = there.get(table) or there.get(table + "s")
                if name is None:
                    raise CurveError(f"{path.name} has no table {table}; it has {', '.join(sorted(there)) or 'none'}")
                quoted = name.replace('"', '""')
                rows = database.execute(f'SELECT * FROM "{quoted}" LIMIT {_MAX_ROWS + 1}').fetchall()
                found[table] = _checked((dict(row) for row in rows), f"{path.name}, table {name}")
            return found
    except sqlite3.Error as error:
        raise CurveError(f"{path.name} cannot be read as a SQLite database: {error}") from error


def _from_file(folder: Path, table: str) -> list[Row]:
    wanted = {table, table + "s"}
    paths = sorted(
        path for path in folder.iterdir() if path.stem.casefold() in wanted and path.suffix.casefold() in _READERS
    )
    if len(paths) != 1:
        what = f"several files of table {table}" if paths else f"no SQLite file and no file of table {table}"
        raise CurveError(f"{folder.name} holds {what} ({table}.csv, .json or .parquet)")
    path = paths[0]
    if path.stat().st_size > _MAX_BYTES:
        raise CurveError(f"{path.name} has {path.stat().st_size:,} bytes; at most {_MAX_BYTES:,} are read")
    try:
        rows = _READERS[path.suffix.casefold()](path.read_bytes())
    except (ValueError, csv.Error, RecursionError) as error:
        raise CurveError(f"{path.name} cannot be read: {' '.join(str(error).split())[:200]}") from error
    return _checked(rows, path.name)


def _checked(rows: Iterable[Any], what: str) -> list[Row]:
    found: list[Row] = []
    for row in rows:
        if not isinstance(row, dict) or len(found) >= _MAX_ROWS:
            raise CurveError(f"{what}: it is no list of at most {_MAX_ROWS:,} rows with named columns")
        found.append({str(name).casefold(): value for name, value in row.items() if name is not None})
    return found


def _csv_rows(content: bytes) -> list[Any]:
    return list(csv.DictReader(io.StringIO(text_of(content, "CSV")), strict=True))


def _json_rows(content: bytes) -> list[Any]:
    rows = json.loads(content)
    return rows if isinstance(rows, list) else [rows]


def _parquet_rows(content: bytes) -> list[Any]:
    import pyarrow as pa  # here alone: who only looks for folders has no use for it
    import pyarrow.parquet as pq

    from ..artifact.decode import without_hint
    from ..artifact.footer import read_footer

    footer = read_footer(content)
    if footer.rows > _MAX_ROWS or footer.size > _MAX_BYTES:
        raise ValueError(f"{footer.rows:,} rows of {footer.size:,} bytes are too many")
    options: dict[str, Any] = {"arrow_extensions_enabled": False}
    try:
        return pq.ParquetFile(pa.BufferReader(without_hint(content, footer.start)), **options).read().to_pylist()
    except pa.ArrowException as error:
        raise ValueError(str(error)) from error


_READERS: dict[str, Callable[[bytes], list[Any]]] = {".csv": _csv_rows, ".json": _json_rows, ".parquet": _parquet_rows}

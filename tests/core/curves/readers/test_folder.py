"""A DataForge folder: its tables in every form they have, versions in order, blobs that are what their names say."""

import csv
import hashlib
import io
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dataforge_registry.core.curves.errors import CurveError
from dataforge_registry.core.curves.readers.folder import read_folder, versions_of
from dataforge_registry.core.curves.readers.folder_tables import is_folder

Tables = dict[str, list[dict[str, Any]]]


def blob(folder: Path, columns: dict[str, list[float | None]]) -> tuple[str, int]:
    """A Parquet file at the place its hash gives it."""
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    content = sink.getvalue()
    name = hashlib.sha256(content).hexdigest()
    path = folder / "blobs" / name[:2] / name[2:4] / f"{name}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return name, len(content)


def version(key: int, curve: int, number: int, blob: str, parent: int | None = None, why: str = "") -> dict[str, Any]:
    """A row of curve_version."""
    row = {"version_id": key, "curve_id": curve, "version": number, "blob_hash": blob}
    return row | {"parent_version_id": parent, "operation": why}


def tables(folder: Path) -> Tables:
    """Three versions of GR and one of RHOB; version rows are not in order."""
    depth: list[float | None] = [100.0, 100.5, 101.0]
    hashes = [blob(folder, {"DEPTH": depth, "GR": [55.0, None, 57.0 + version]}) for version in range(3)]
    hashes.append(blob(folder, {"z": depth, "value": [2.1, 2.2, 2.3]}))
    return {
        "workspace": [{"workspace_id": 7, "name": "North Sea"}],
        "curve": [
            {"curve_id": 1, "workspace_id": 7, "name": "GR", "well": "15/9-F-1", "unit": "gAPI", "frame": "run 1"},
            {"curve_id": 2, "workspace_id": 7, "name": "RHOB", "well": "", "unit": "g/cm3", "frame": ""},
        ],
        "curve_version": [
            version(12, 1, 3, hashes[2][0], 10, "despike"),
            version(11, 1, 2, hashes[1][0], 10, "edit"),
            version(10, 1, 1, hashes[0][0]),
            version(20, 2, 1, hashes[3][0]),
        ],
        "blob_registry": [{"blob_hash": name, "size": size} for name, size in hashes],
    }  # fmt: skip


def in_sqlite(folder: Path, found: Tables) -> None:
    with closing(sqlite3.connect(folder / "dataforge.db")) as database:
        for table, rows in found.items():
            names = list(rows[0])
            database.execute(f'CREATE TABLE "{table}" ({", ".join(names)})')
            marks = ", ".join("?" * len(names))
            database.executemany(f'INSERT INTO "{table}" VALUES ({marks})', [tuple(row.values()) for row in rows])
        database.commit()


def in_csv(folder: Path, found: Tables) -> None:
    for table, rows in found.items():
        with (folder / f"{table}s.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)


def in_json(folder: Path, found: Tables) -> None:
    for table, rows in found.items():
        (folder / f"{table}.json").write_text(json.dumps(rows))


def in_parquet(folder: Path, found: Tables) -> None:
    for table, rows in found.items():
        pq.write_table(pa.Table.from_pylist(rows), folder / f"{table}.parquet")


@pytest.mark.parametrize("write", [in_sqlite, in_csv, in_json, in_parquet])
def test_versions_come_in_order_with_their_parents(tmp_path: Path, write: Callable[[Path, Tables], None]) -> None:
    assert not is_folder(tmp_path)
    write(tmp_path, tables(tmp_path))
    assert is_folder(tmp_path)
    found = list(read_folder(tmp_path))
    assert [(str(version), version.parent, version.operation) for version, _ in found] == [
        ("North Sea/GR v1", None, ""),
        ("North Sea/GR v2", 1, "edit"),
        ("North Sea/GR v3", 1, "despike"),
        ("North Sea/RHOB v1", None, ""),
    ]
    frames = [frame for _, frame in found]
    assert [frame.curves[0].values.to_pylist()[-1] for frame in frames] == [57.0, 58.0, 59.0, 2.3]
    assert [(frame.well.name, frame.name) for frame in frames[2:]] == [("15/9-F-1", "run 1"), ("North Sea", "log")]
    rhob = frames[3].curves[0]
    assert (rhob.mnemonic, rhob.unit, frames[3].index.mnemonic) == ("RHOB", "g/cm3", "z")
    original = frames[0].original
    assert original is not None and original.format == "DataForge" and original.sha256 == found[0][0].blob
    assert (tmp_path / original.file).exists()


def test_a_version_follows_the_one_before_where_no_parent_is_named(tmp_path: Path) -> None:
    found = tables(tmp_path)
    for row in found["curve_version"]:
        del row["parent_version_id"]
    in_json(tmp_path, found)
    assert [version.parent for version in versions_of(tmp_path)] == [None, 1, 2, None]


def refusal(folder: Path) -> str:
    with pytest.raises(CurveError) as caught:
        list(read_folder(folder))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_blob_that_is_not_what_its_name_says(tmp_path: Path) -> None:
    found = tables(tmp_path)
    in_sqlite(tmp_path, found)
    version = versions_of(tmp_path)[1]
    content = bytearray(version.path.read_bytes())
    content[10] ^= 1
    version.path.write_bytes(content)
    shown = f"blobs/{version.blob[:2]}/{version.blob[2:4]}/{version.blob}.parquet"
    assert f"North Sea/GR v2: {shown} has SHA-256 " in refusal(tmp_path)
    version.path.write_bytes(content[:-1])
    assert "blob_registry says" in refusal(tmp_path)
    version.path.unlink()
    assert refusal(tmp_path) == f"North Sea/GR v2: {shown} is missing"


@pytest.mark.parametrize(
    ("table", "row", "change", "reason"),
    [
        ("curve", 0, {"workspace_id": 9}, "curve 1 has no workspace that table workspace has"),
        ("curve", 0, {"name": ""}, "curve 1 has no name"),
        ("curve", 1, {"curve_id": 1}, "two rows of curve_id 1"),
        ("curve_version", 0, {"curve_id": 5}, "names curve 5, which table curve does not have"),
        ("curve_version", 0, {"version": "x"}, "version of a row of GR is x, no whole number"),
        ("curve_version", 0, {"version": 2}, "two versions of one number"),
        ("curve_version", 0, {"blob_hash": "../../etc/passwd"}, "no SHA-256 in hex"),
        ("curve_version", 0, {"blob_hash": "0" * 64}, "which blob_registry does not list"),
        ("curve_version", 2, {"parent_version_id": 12}, "GR v1 was made from a version that does not come before"),
        ("workspace", 0, {"name": ""}, "workspace 7 has no name"),
        ("curve", 1, {"name": "GR", "well": "15/9-F-1", "frame": "run 1"}, "two curves GR in one frame of one well"),
        ("curve", 0, {"name": "SP"}, None),
    ],
)  # fmt: skip
def test_tables_that_contradict_each_other(
    tmp_path: Path, table: str, row: int, change: dict[str, Any], reason: str | None
) -> None:
    found = tables(tmp_path)
    found[table][row] |= change
    in_json(tmp_path, found)
    if reason is None:  # one column beside the index is the curve, whatever it is called
        assert next(iter(read_folder(tmp_path)))[1].curves[0].mnemonic == "SP"
    else:
        assert reason in refusal(tmp_path)


def test_tables_that_cannot_be_read(tmp_path: Path) -> None:
    in_json(tmp_path, tables(tmp_path))
    (tmp_path / "curve.json").write_text("{nope")
    assert refusal(tmp_path).startswith("curve.json cannot be read")
    (tmp_path / "curve.json").write_text("[1, 2]")
    assert "no list of" in refusal(tmp_path)
    (tmp_path / "curve.json").unlink()
    assert "no SQLite file and no file of table curve (curve.csv, .json or .parquet)" in refusal(tmp_path)
    (tmp_path / "a.db").write_bytes(b"SQLite format 3\0" + b"\xff" * 200)
    assert "a.db cannot be read as a SQLite database" in refusal(tmp_path)
    (tmp_path / "b.sqlite").write_bytes(b"")
    assert "several databases (a.db, b.sqlite)" in refusal(tmp_path)


def test_views_of_a_database_are_not_run(tmp_path: Path) -> None:
    found = tables(tmp_path)
    in_sqlite(tmp_path, {name: rows for name, rows in found.items() if name != "curve"})
    with closing(sqlite3.connect(tmp_path / "dataforge.db")) as database:
        database.execute("CREATE VIEW curve AS SELECT 1 AS curve_id, 7 AS workspace_id, 'GR' AS name")
    assert "has no table curve" in refusal(tmp_path)

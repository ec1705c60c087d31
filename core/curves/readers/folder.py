"""A DataForge folder: hash-named Parquet files and the tables that say which version of which curve each one is.

    FOLDER/NAME.db                      SQLite (.db, .sqlite, .sqlite3), or the tables as workspace.csv, curve.json,
                                        curve_version.parquet ...: one file a table, singular or plural
    FOLDER/blobs/aa/bb/HASH.parquet     HASH: SHA-256 of the file in hex, aa and bb its first two pairs of digits

    workspace       workspace_id, name
    curve           curve_id, workspace_id, name (the mnemonic); optional: well (else the workspace's name is the
                    well's), frame (else `log`), unit, description, uwi, field, operator, country
    curve_version   curve_id, version (1, 2 ...), blob_hash; optional: version_id, parent_version_id or parent_version
                    (else the version before), operation, message, author, created_at
    blob_registry   blob_hash; optional: size

Other columns are let be; `id` stands for a table's own id, `hash` for blob_hash, `sha256:` before a hash is let pass. A
blob holds an index column (named DEPT, DEPTH, MD, TVD or TIME, else the first) and the curve (the other one, or the one
of the curve's name).
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import CurveError
from ..model import Frame
from ..origin import Original, Well
from .folder_tables import Row, tables_of
from .folder_version import Version
from .limits import LIMITS, Limits
from .parquet_files import read_parquet

_HASH = re.compile(r"(?:sha256:)?([0-9a-f]{64})")
FORMAT = "DataForge"


def versions_of(folder: Path, frame: str | None = None, well: str | None = None) -> list[Version]:
    """All versions, curve by curve, each behind the one it was made from; no blob is opened.

    frame: a name for the frame of all, instead of what the tables say; well: of the well where they name none.
    CurveError where a table is missing or contradicts another, in one line that names the row.
    """
    tables = tables_of(folder)
    workspaces = _by_id(tables["workspace"], "workspace")
    curves = _by_id(tables["curve"], "curve")
    blobs = {_hash(row, "blob_registry"): row for row in tables["blob_registry"]}
    rows: dict[str, list[Row]] = {}
    for row in tables["curve_version"]:
        key = _said(row, "curve_id")
        if key not in curves:
            raise CurveError(f"curve_version names curve {key or 'of no id'}, which table curve does not have")
        rows.setdefault(key, []).append(row)
    found: list[Version] = []
    taken: set[tuple[str, str, str, str]] = set()
    for key, row in curves.items():
        curve = row | ({"frame": frame} if frame else {})
        if well and not _said(row, "well", "well_name"):
            curve["well"] = well
        workspace = workspaces.get(_said(curve, "workspace_id"))
        name = _said(curve, "name", "mnemonic")
        if workspace is None or not name:
            raise CurveError(f"curve {key} has no {'name' if workspace else 'workspace that table workspace has'}")
        own = rows.get(key, [])
        versions = _ordered([_version(folder, workspace, curve, name, row, blobs) for row in own], own)
        places = {(version.workspace, version.well.name, version.frame, version.curve) for version in versions}
        if places & taken:
            raise CurveError(f"table curve has two curves {name} in one frame of one well")
        taken |= places
        found += versions
    return sorted(found, key=lambda version: (version.workspace, version.well.name, version.frame, version.curve))


def read_folder(folder: Path, limits: Limits = LIMITS) -> Iterator[tuple[Version, Frame]]:
    """Each version with its frame of one curve, in the order of versions_of; CurveError at the first that is bad."""
    for version in versions_of(folder):
        yield version, read_version(version, limits)


def read_version(version: Version, limits: Limits = LIMITS) -> Frame:
    """The frame, of one curve, that a version's blob holds.

    CurveError names the file where it is missing, is not the one that its hash says, or holds no such curve.
    """
    path = version.path
    shown = path.relative_to(version.folder).as_posix()
    try:
        size = path.stat().st_size
        limits.check_size(path, size)
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise CurveError(f"{version}: {shown} is missing") from error
    if version.size is not None and size != version.size:
        raise CurveError(f"{version}: {shown} has {size:,} bytes, blob_registry says {version.size:,}")
    actual = hashlib.sha256(content).hexdigest()
    if actual != version.blob:
        raise CurveError(f"{version}: {shown} has SHA-256 {actual}, not the one of its name; it was changed or damaged")
    try:
        [frame] = read_parquet(
            path, content, actual, frame=version.frame, well=version.well.name, first_is_index=True, limits=limits
        )
    except CurveError as error:
        raise CurveError(f"{version}: {error}") from error
    curves = frame.curves
    if len(curves) > 1:
        curves = tuple(curve for curve in curves if curve.mnemonic.casefold() == version.curve.casefold())
    if len(curves) != 1:
        raise CurveError(f"{version}: {shown} holds no column {version.curve} among its {len(frame.curves)}")
    curve = replace(
        curves[0], mnemonic=version.curve, unit=version.unit or curves[0].unit, description=version.description
    )
    findings = frame.original.findings if frame.original else ()
    return replace(frame, well=version.well, curves=(curve,), original=Original(shown, FORMAT, actual, findings))


def _version(folder: Path, workspace: Row, curve: Row, name: str, row: Row, blobs: dict[str, Row]) -> Version:
    number = _number(row, name, "version", "version_number")
    blob = _hash(row, f"curve_version of {name}")
    if blob not in blobs:
        raise CurveError(f"version {number} of {name} has the blob {blob}, which blob_registry does not list")
    place = _said(workspace, "name")
    if not place:
        raise CurveError(f"workspace {_said(workspace, 'workspace_id', 'id')} has no name")
    return Version(
        folder=str(folder),
        workspace=place,
        well=Well(
            _said(curve, "well", "well_name") or place,
            uwi=_said(curve, "uwi"),
            country=_said(curve, "country"),
            field=_said(curve, "field"),
            operator=_said(curve, "operator"),
        ),
        frame=_said(curve, "frame") or "log",
        curve=name,
        unit=_said(curve, "unit"),
        description=_said(curve, "description"),
        number=number,
        parent=None,
        blob=blob,
        size=_number(blobs[blob], name, "size") if _said(blobs[blob], "size") else None,
        operation=_said(row, "operation"),
        message=_said(row, "message"),
        author=_said(row, "author", "created_by"),
        created=_said(row, "created_at", "creation_time"),
    )


def _ordered(versions: list[Version], rows: list[Row]) -> list[Version]:
    """By number, each with its parent's; CurveError where a number stands twice or a parent does not come before."""
    numbers = {version.number for version in versions}
    if len(numbers) < len(versions):
        raise CurveError(f"{versions[0].workspace}/{versions[0].curve} has two versions of one number")
    ids = {_said(row, "version_id", "id"): version.number for row, version in zip(rows, versions, strict=True)}
    pairs: list[Version] = []
    for row, version in zip(rows, versions, strict=True):
        earlier = [number for number in numbers if number < version.number]
        parent = max(earlier, default=None)
        if known := _said(row, "parent_version_id", "parent_id"):
            parent = ids.get(known, -1)
        elif _said(row, "parent_version"):
            parent = _number(row, version.curve, "parent_version")
        if parent is not None and parent not in earlier:
            raise CurveError(f"{version} was made from a version that does not come before it")
        pairs.append(replace(version, parent=parent))
    return sorted(pairs, key=lambda version: version.number)


def _by_id(rows: list[Row], table: str) -> dict[str, Row]:
    found: dict[str, Row] = {}
    for row in rows:
        key = _said(row, f"{table}_id", "id")
        if not key or key in found:
            raise CurveError(
                f"table {table} has {'a row without' if not key else 'two rows of'} {table}_id {key}".rstrip()
            )
        found[key] = row
    return found


def _said(row: Row, *columns: str) -> str:
    """The first of the columns that is filled, as text."""
    for column in columns:
        value: Any = row.get(column)
        if value is not None and str(value).strip():
            return str(value).strip()
    return ""


def _number(row: Row, curve: str, *columns: str) -> int:
    text = _said(row, *columns).removeprefix("v")
    if not re.fullmatch(r"\d{1,15}", text, re.ASCII):
        raise CurveError(f"{columns[0]} of a row of {curve} is {text or 'missing'}, no whole number")
    return int(text)


def _hash(row: Row, where: str) -> str:
    text = _said(row, "blob_hash", "hash").casefold()
    match = _HASH.fullmatch(text)
    if match is None:
        raise CurveError(f"{where}: blob_hash is {text[:80] or 'missing'}, no SHA-256 in hex")
    return match[1]

"""A curve version as the catalogue tells it."""

from datetime import date, datetime
from typing import Any

import msgspec


class IndexEntry(msgspec.Struct, frozen=True):
    """first and last: exact texts, in unit or ISO 8601; step in metres or seconds, null where irregular."""

    kind: str
    unit: str
    first: str
    last: str
    step: float | None


class StatsEntry(msgspec.Struct, frozen=True):
    """Of the samples that are there, in the curve's unit."""

    null_fraction: float
    min: float | None
    max: float | None
    mean: float | None
    p50: float | None


class VersionEntry(msgspec.Struct, frozen=True, kw_only=True):
    """ref: the repository, PROJECT/WELL/FRAME/CURVE; names as printed. version: N of vN, null where it has none."""

    ref: str
    well: str
    uwi: str | None
    frame: str
    mnemonic: str
    description: str
    family: str | None
    unit: str
    unit_canonical: str
    dtype: str
    width: int
    samples: int
    index: IndexEntry
    stats: StatsEntry
    version: int | None
    digest: str
    tags: list[str]
    values_id: str
    index_id: str
    wellbore: str | None
    run: str | None
    service_company: str | None
    acquired: date | None
    created: datetime
    pushed: datetime
    author: str
    operation: str
    message: str
    verdict: str
    findings: list[Any]
    severity: int | None
    inputs: list[str] = []
    changed: datetime | None = None
    deleted: bool = False


_PLAIN = (
    *("ref", "well", "uwi", "frame", "mnemonic", "description", "family", "unit", "unit_canonical", "dtype", "width"),
    *("samples", "version", "digest", "tags", "wellbore", "run", "service_company", "acquired", "created", "pushed"),
    *("author", "operation", "message", "verdict"),
)


def version_entry(row: Any) -> VersionEntry:
    """From a row of catalog.ENTRY, and what stands beside it in some."""
    return VersionEntry(
        **{name: row[name] for name in _PLAIN},
        index=IndexEntry(row["index_kind"], row["index_unit"], row["first_index"], row["last_index"], row["step"]),
        stats=StatsEntry(row["null_fraction"], row["vmin"], row["vmax"], row["vmean"], row["p50"]),
        values_id=f"sha256:{row['values_id']}",
        index_id=f"sha256:{row['index_id']}",
        findings=msgspec.json.decode(row["findings"]),
        severity=row["qc_severity"],
        inputs=row.get("inputs", []),
        changed=row["changed"],
        deleted=row["deleted_at"] is not None,
    )

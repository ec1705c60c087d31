"""An envelope of a curve of any length as JSON: made part by part, since bins need none of the rows that are done."""

import json
from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa

from ..artifact.parquet import index_ticks
from ..artifact.read import Window
from ..model import tick_text
from ..schema import Config
from .aligned import align
from .envelope import envelope
from .index_units import IndexUnit, whole_span


def bins(config: Config, pieces: Iterable[pa.Table], count: int, window: Window, unit: str | None) -> tuple[int, bytes]:
    """Rows in the window, and one object: what the curve is, and `bins`, [lower edge, min, max, rows without a value]
    each. pieces: the window's rows, ascending; window in `unit`, open ends are the curve's own."""
    window = _closed(config, window, unit)
    rows, found = 0, None
    head: dict[str, Any] = {}
    for piece in pieces:
        aligned = align([(config, piece)], unit=unit, window=window)
        rows += len(aligned)
        binned = envelope(aligned.table, count, window)
        found = binned if found is None else _merged(found, binned)
        head = {
            "well": config.well.name,
            "frame": config.frame,
            "mnemonic": config.mnemonic,
            "unit": config.unit,
            "index": {"kind": aligned.kind, "mnemonic": aligned.mnemonic, "unit": aligned.unit},
            "columns": [aligned.kind, "min", "max", "nulls"],
        }
    columns = [] if found is None else [_plain(column) for column in found.columns]
    head["bins"] = [list(row) for row in zip(*columns, strict=True)]
    return rows, json.dumps(head, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _closed(config: Config, window: Window, unit: str | None) -> Window:
    """The window with both ends said, so that all pieces have the same bins."""
    said = IndexUnit.of(config, unit)
    first, last = (tick_text(int(tick), said.scale) for tick in said.apply(whole_span(config)))
    return Window(window.start or first, window.stop or last)


def _merged(one: pa.Table, other: pa.Table) -> pa.Table:
    """Bins of two pieces; columns: edge, min, max, nulls."""
    low = np.fmin(_floats(one, 1), _floats(other, 1))
    high = np.fmax(_floats(one, 2), _floats(other, 2))
    nulls = pa.array(one.column(3).to_numpy() + other.column(3).to_numpy())
    arrays: list[Any] = [one.column(0), pa.array(low, mask=np.isnan(low)), pa.array(high, mask=np.isnan(high)), nulls]
    return pa.table(arrays, names=one.column_names)


def _floats(table: pa.Table, column: int) -> Any:
    return table.column(column).to_numpy().astype(np.float64)


def _plain(column: "pa.ChunkedArray[Any]") -> list[Any]:
    """Values as JSON can say them: times as ISO 8601, infinities as texts."""
    if pa.types.is_timestamp(column.type):
        return [tick_text(tick, None) for tick in index_ticks(column.combine_chunks()).tolist()]
    return [str(value) if value in (np.inf, -np.inf) else value for value in column.to_pylist()]

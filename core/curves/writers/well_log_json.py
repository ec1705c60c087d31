"""JSON Well Log Format (jsonwelllogformat.org): a list of one log set of `header`, `curves` and `data`.

The first curve is the index; `dimensions` is how many numbers a row has; absent values are null. Its numbers have no
infinities: one in a curve is written as null.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from ..families import canonical_unit
from ..model import tick_text
from ..unit_table import UNITS
from ..windows.aligned import Aligned, Column
from .extent import Extent, finite
from .json_text import framed

_QUANTITIES = {
    "length": "length", "time": "time", "density": "density", "slowness": "slowness", "pressure": "pressure",
    "temperature": "thermodynamic temperature", "fraction": "dimensionless", "speed": "velocity",
}  # fmt: skip


def write_well_log_json(chunks: Iterable[Aligned], extent: Extent | None = None) -> Iterator[bytes]:
    """The log set; without an extent startIndex, endIndex and step are null, as where an index is irregular."""

    def head(chunk: Aligned) -> str:
        body = {"header": _header(chunk, extent), "curves": [_index(chunk), *map(_curve, chunk.columns)]}
        return "[" + json.dumps(body, ensure_ascii=False, separators=(",", ":"))

    yield from framed(map(finite, chunks), head, "]}]\n")


def _header(chunk: Aligned, extent: Extent | None) -> dict[str, Any]:
    """Keys of the format where the configs say something; what the first curve says stands for all."""
    config = chunk.columns[0].config
    frames = list(dict.fromkeys(column.config.frame for column in chunk.columns))
    said = {
        "name": ", ".join(frames),
        "description": "; ".join(chunk.notes),
        "well": config.well.name,
        "wellbore": config.wellbore,
        "field": config.well.field,
        "country": config.well.country,
        "date": config.acquired,
        "operator": config.well.operator,
        "serviceCompany": config.service_company,
        "runNumber": config.run,
        "source": config.original.file if config.original else None,
    }
    header: dict[str, Any] = {key: value for key, value in said.items() if value}
    ends = (extent.first, extent.last, extent.step) if extent else (None, None, None)
    texts = [None if tick is None else tick_text(tick, chunk.scale) for tick in ends[:2]]
    header["startIndex"], header["endIndex"] = (_number(text, chunk.scale) for text in texts)
    # the step of a date-and-time index is in milliseconds
    step = ends[2]
    header["step"] = step if not step else step / 1000 if chunk.scale is None else float(tick_text(step, chunk.scale))
    return header


def _number(text: str | None, scale: int | None) -> float | str | None:
    return text if text is None or scale is None else float(text)


def _index(chunk: Aligned) -> dict[str, Any]:
    times = chunk.scale is None
    return {
        "name": chunk.mnemonic or chunk.kind,
        "description": chunk.kind,
        "quantity": "time" if times else _quantity(chunk.unit),
        "unit": None if times else chunk.unit or None,
        "valueType": "datetime" if times else "float",
        "dimensions": 1,
    }


def _curve(column: Column) -> dict[str, Any]:
    config = column.config
    return {
        "name": column.name,
        "description": config.description or None,
        "quantity": _quantity(column.unit),
        "unit": column.unit or None,
        "valueType": "string" if config.dtype == "utf8" else "integer" if "int" in config.dtype else "float",
        "dimensions": config.width,
    }


def _quantity(unit: str) -> str | None:
    known = UNITS.get(canonical_unit(unit))
    return _QUANTITIES.get(known.dimension) if known else None

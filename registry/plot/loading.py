"""From versions on a registry to what is drawn: places and values as numbers, older versions below newer ones."""

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from ...core.curves.artifact.parquet import index_ticks
from ...core.curves.artifact.read import WHOLE, Window
from ...core.curves.dtypes import elements_of
from ...core.curves.errors import CurveError
from ...core.curves.model import parse_tick
from ...core.curves.tracks import overview
from ...core.curves.units import conversion
from ...core.curves.windows.index_units import own_window, wanted_unit
from ..client.history import Opened, compare, gathered
from .model import Floats, Log, Page


def places_of(table: pa.Table) -> Floats:
    """The index column as float64; times as seconds since 1970."""
    index = table.column(0).combine_chunks()
    if pa.types.is_timestamp(index.type):
        return index_ticks(index) / 1e6
    scale: int = index.type.scale
    return index_ticks(index) / np.float64(10.0**scale)


def values_of(table: pa.Table, width: int) -> Any:
    """The value column as float64 of shape (rows,) or (rows, width), NaN where absent; texts as a list with None."""
    values = table.column(1).combine_chunks()
    if pa.types.is_string(values.type):
        return values.to_pylist()
    if width > 1:
        values = elements_of(values.cast(pa.list_(values.type.value_type, width)))
    numbers = np.array(values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False), dtype=np.float64)
    return numbers if width == 1 else numbers.reshape(-1, width)


def chosen(opened: Sequence[Opened]) -> list[Opened]:
    """Of a whole well what an overview draws: the curves on the index of most of them."""
    curves = [curve for curve in opened if curve.version.config.index.kind == _usual_kind(opened)]
    return [curves[at] for at in overview([curve.version.config for curve in curves])]


def _usual_kind(opened: Sequence[Opened]) -> str:
    kinds = [curve.version.config.index.kind for curve in opened]
    return "MD" if "MD" in kinds else max(set(kinds), key=kinds.count)


def pairs(opened: Sequence[Opened]) -> list[tuple[Opened, Opened | None]]:
    """Each curve with the version to draw below it: of one repository the one named first."""
    found: dict[str, list[Opened]] = {}
    for curve in opened:
        found.setdefault(f"{curve.reference.base or ''} {curve.reference.repository}", []).append(curve)
    made: list[tuple[Opened, Opened | None]] = []
    for versions in found.values():
        if len(versions) > 2:
            raise CurveError(
                f"{versions[0].reference.repository} is named {len(versions)} times: draw one or two versions"
            )
        made.append((versions[-1], versions[0] if len(versions) == 2 else None))
    return made


async def load(
    opened: Sequence[Opened], window: Window = WHOLE, unit: str | None = None
) -> tuple[list[Log], str, tuple[float, float]]:
    """The curves of a page, the unit of its index, and the interval to draw. window: in that unit."""
    made = pairs(opened)
    first = made[0][0].version.config.index
    for curve, _ in made:
        index = curve.version.config.index
        if index.kind != first.kind or (index.scale is None) != (first.scale is None):
            raise CurveError(
                f"{curve.reference.repository} is over {index.kind} and {made[0][0].reference.repository} over "
                f"{first.kind}: draw them apart"
            )
    wanted = wanted_unit(first, unit)
    logs = await gathered(_log(new, old, window, wanted) for new, old in made)
    held = [log.places for each in logs for log in (each, each.before) if log is not None and len(log.places)]
    if not held:
        raise CurveError(f"no curve has a sample from {window.start or 'the top'} to {window.stop or 'the bottom'}")
    top = _end(window.start, first.scale) if window.start else min(float(places[0]) for places in held)
    bottom = _end(window.stop, first.scale) if window.stop else max(float(places[-1]) for places in held)
    if bottom <= top:
        bottom = top + 1
    return logs, wanted, (top, bottom)


async def _log(new: Opened, old: Opened | None, window: Window, unit: str) -> Log:
    found = None
    if old is not None:
        found = await compare(old, new)
    label = _version(new) if old is not None else ""
    before = None
    if old is not None and found is not None:
        if found.values_equal and not (found.index and found.index.shift):
            label = f"{_version(old)} = {label}"
        else:
            before = await _read(old, window, unit, _version(old))
    drawn = await _read(new, window, unit, label, before)
    if found is None:
        return drawn
    index = new.version.config.index
    factor = 1.0 if index.scale is None else float(conversion(index.unit, unit)[0])
    spans = [
        (_end(each.start, index.scale) * factor, _end(each.stop, index.scale) * factor) for each in found.intervals
    ]
    return Log(drawn.config, drawn.places, drawn.values, drawn.label, before, spans)


async def _read(curve: Opened, window: Window, unit: str, label: str, before: Log | None = None) -> Log:
    config = curve.version.config
    table = await curve.read(own_window(window, unit, config.index))
    factor = 1.0 if config.index.scale is None else float(conversion(config.index.unit, unit)[0])
    values = await asyncio.to_thread(values_of, table, config.width)
    return Log(config, places_of(table) * factor, values, label, before)


def _version(curve: Opened) -> str:
    target = curve.reference.target
    return target.partition(":")[2][:7] if ":" in target else target


def _end(text: str, scale: int | None) -> float:
    """One index value as a number; times in seconds."""
    return float(parse_tick(text, scale)) / (1e6 if scale is None else 10.0**scale)


def page_of(
    opened: Sequence[Opened], unit: str, interval: tuple[float, float], ratio: int | None, title: str, dpi: int
) -> Page:
    """The page that curves stand on, its title block filled from their headers."""
    configs = [curve.version.config for curve in opened]
    first = configs[0]
    times = first.index.scale is None

    def each(*values: str | None) -> str:
        known = list(dict.fromkeys(value for value in values if value))
        return ", ".join(known[:2]) + (" …" if len(known) > 2 else "")

    versions = list(dict.fromkeys(_version(curve) for curve in opened))
    span = f"{interval[0]:.10g} to {interval[1]:.10g} {unit}".strip()
    facts = [
        ("frame", each(*(config.frame for config in configs))),
        ("interval", "" if times else span),
        ("UWI", first.well.uwi),
        ("field", first.well.field),
        ("company", each(*(config.service_company for config in configs))),
        ("acquired", each(*(config.acquired for config in configs))),
        ("version", ", ".join(versions) if len(versions) <= 2 else ""),
        ("from", each(*(config.original.file if config.original else "" for config in configs))),
    ]
    return Page(
        title=title or first.well.name,
        subtitle=each(*(curve.reference.well for curve in opened)),
        unit="" if times else unit,
        kind=first.index.kind,
        top=interval[0],
        bottom=interval[1],
        times=times,
        ratio=ratio,
        facts=[(name, value) for name, value in facts if value],
        dpi=dpi,
    )

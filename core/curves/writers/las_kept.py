"""The header of a LAS file as it was, with what is exported in the place of what it held."""

from collections.abc import Iterator, Sequence

import numpy as np

from ..errors import CurveError
from ..readers.las.check import number_of
from ..readers.las.data import DELIMITERS, split_line
from ..readers.las.header import Item, item_of
from ..readers.las.sections import Section, Title, sections_of, text_of, title_of, version_of
from ..windows.aligned import Aligned, Column
from ..windows.index_units import whole_span
from .extent import Extent, direction_of
from .las_layout import Layout, decimals_of, moved_items, widths_of
from .las_lines import Labels, curve_line, header_line, index_line, null_of, with_value
from .texts import Printed, printed

_MOVED = ("STRT", "STOP", "STEP")


def kept(first: Aligned, extent: Extent, up: bool, header: bytes) -> Layout:
    """The lines of the original file. CurveError (LasRefused) where its header cannot be read."""
    text = text_of(header)
    sections = sections_of(text)
    version = version_of(sections)
    swapped = version.number < 2
    columns = printed(first)
    definition, data = _places(sections, first)
    raw = text.split("\n")
    head, tail = raw[: sections[0].line - 1], list[str]()
    null = null_of(first, _value(sections, "NULL", swapped))
    decimals = printed_decimals(first, extent, data, version.delimiter)
    moved = moved_items(first, extent, up, decimals)
    order: list[int] = []
    for section in sections:
        title, lines = raw[section.line - 1], section.text.removesuffix("\n").split("\n")
        part = tail if section.line > data.line else head
        if section is data:
            whole = len(order) == len(_items(definition))
            names = " ".join(column.name for column in columns)
            head.append(title if whole or "|" in title else f"~A  {first.mnemonic} {names}")
        elif section is definition:
            found, order = _defined(first, columns, section)
            part += [title, *found]
        elif section.title.part == "well":
            part += [title, *_well(lines, first, extent, moved, null, swapped)]
        else:
            part += [title, *lines] if section.text else [title]
    return Layout(
        "\n".join(head) + "\n",
        tuple(order),
        null,
        decimals,
        widths_of(columns, null, first, extent, decimals),
        delimiter=DELIMITERS.get(version.delimiter),
        wrapped=version.wrapped,
        newline="\r\n" if b"\r\n" in header[:4096] else "\n",
        tail="\n".join(tail) + "\n" if tail else "",
    )


def _places(sections: Sequence[Section], first: Aligned) -> tuple[Section, Section]:
    """The definition and data sections that the curves came from: those that define most of them."""
    known = {line for column in first.columns for line in _printed_lines(column)}
    found: list[tuple[int, Section, Section]] = []
    for data in sections:
        if data.title.part != "data":
            continue
        for definition in sections:
            if definition.title.part == "definition" and _defines(definition.title, data.title):
                score = len(known & {item.text for item in _items(definition)})
                found.append((score, definition, data))
    if not found:
        raise CurveError("the original file has no data section that its curves could be put back into")
    _, definition, data = max(found, key=lambda each: each[0])
    return definition, data


def _defines(definition: Title, data: Title) -> bool:
    named = title_of("~" + data.link) if data.link else data
    places = {(named.set, named.number), (data.set, data.number), (data.set, 0)}
    return (definition.set, definition.number) in places


def _items(section: Section) -> list[Item]:
    return [item for number, text in section.lines() if (item := item_of(text, number))]


def _printed_lines(column: Column) -> list[str]:
    original = column.config.original
    return original.header.get("~C", "").split("\n") if original else []


def _defined(first: Aligned, columns: Sequence[Printed], section: Section) -> tuple[list[str], list[int]]:
    """The lines of the definition section: comments, the index's line, and those of the exported curves as printed; and
    which printed column stands where."""
    waiting: list[tuple[int, str]] = []
    at = 0
    for column in first.columns:
        width = len([each for each in columns if each.column is column])
        lines = _printed_lines(column)
        true = len(lines) == width and _still_true(column, lines)
        waiting += [(at + number, lines[number] if true else "") for number in range(width)]
        at += width
    found: list[str] = []
    order: list[int] = []
    labels = Labels()
    for line in section.text.removesuffix("\n").split("\n"):
        bare = line.strip()
        item = None if not bare or bare.startswith("#") else item_of(bare, 0)
        if item is None:
            found.append(line)
        elif -1 not in order and item.mnemonic == first.mnemonic:
            same = first.unit == first.columns[0].config.index.unit
            found.append(line if same else index_line(first, labels))
            order.append(-1)
        elif place := next((each for each in waiting if each[1] == bare), None):
            waiting.remove(place)
            found.append(line)
            order.append(place[0])
    if -1 not in order:
        found.insert(0, index_line(first, labels))
        order.insert(0, -1)
    for rest, _ in waiting:
        found.append(curve_line(columns[rest], labels))
        order.append(rest)
    return found, order


def _still_true(column: Column, lines: Sequence[str]) -> bool:
    """Whether the printed line says what the config says, so that a later version's new unit is not hidden by it."""
    item = item_of(lines[0], 0)
    config = column.config
    return item is not None and (item.unit, item.description, column.unit) == (
        config.unit, config.description, config.unit,
    )  # fmt: skip


def _well(
    lines: Sequence[str], first: Aligned, extent: Extent, moved: dict[str, str], null: str, swapped: bool
) -> Iterator[str]:
    """The ~Well lines with STRT, STOP, STEP and NULL of the export where they say something else."""
    missing = {"NULL"} if _may_be_absent(first) else set()
    for line in lines:
        bare = line.strip()
        item = None if bare.startswith("#") else item_of(bare, 0, swapped=swapped)
        name = item.mnemonic.upper() if item else ""
        if item and name == "NULL":
            missing.discard(name)
            yield (
                line
                if number_of(item.value) == float(null) or not _may_be_absent(first)
                else with_value(line, item, null, item.unit)
            )
        elif item and name in _MOVED and not _agrees(item, name, moved[name], first, extent):
            yield with_value(line, item, moved[name], _moved_unit(item, first))
        else:
            yield line
    for name in sorted(missing):
        yield header_line(name, "", null, "NULL VALUE")


def _may_be_absent(first: Aligned) -> bool:
    joined = len({column.config.index.index_id for column in first.columns}) > 1
    resampled = any(column.decimals != column.config.text_decimals for column in first.columns)
    return joined or resampled or any(column.config.stats.nulls for column in first.columns)


def _moved_unit(item: Item, first: Aligned) -> str:
    return item.unit if first.unit == first.columns[0].config.index.unit else first.unit


def _agrees(item: Item, name: str, actual: str, first: Aligned, extent: Extent) -> bool:
    """Whether a header line may stay: it says the same, within the rounding that headers have."""
    if first.unit != first.columns[0].config.index.unit:
        return False
    said = number_of(item.value)
    if first.scale is None:
        return bool(np.array_equal(whole_span(first.columns[0].config), [extent.first, extent.last]))
    if said is None:
        return False
    usual: float = (extent.last - extent.first) / max(extent.rows - 1, 1) / 10.0**first.scale
    if name == "STEP":
        step = -usual if direction_of(first.columns) == "up" else usual
        rounding: float = max(abs(said) * 0.01, 1.5 * 10.0**-first.scale)
        return said == 0 or extent.rows == 1 or abs(said - step) <= rounding
    return abs(said - float(actual)) <= max(usual / 2, 1e-4)


def printed_decimals(first: Aligned, extent: Extent, data: Section, delimiter: str) -> int | None:
    """As many as the first row of the original has, or more where they are needed."""
    needed = decimals_of(first, extent)
    line = next((text for _, text in data.lines()), "")
    values = split_line(line, DELIMITERS.get(delimiter))
    if needed is None or not values:
        return needed
    return max(needed, len(values[0].partition(".")[2])) if number_of(values[0]) is not None else needed


def _value(sections: Sequence[Section], name: str, swapped: bool) -> str:
    for section in sections:
        if section.title.part == "well":
            for number, text in section.lines():
                item = item_of(text, number, swapped=swapped)
                if item and item.mnemonic.upper() == name and item.value:
                    return item.value
    return ""

"""LAS files (CWLS LAS 1.2, 2.0, 3.0) as frames: exact values, or a refusal with line and reason.

A silently wrong table is worse than none, so a log section that would not be read right refuses the file. A header that
disagrees with its data (STRT, STOP, STEP) is a finding, kept with the curves, and no refusal; so is another data set of
LAS 3.0 (core, tops ...) that cannot be a frame.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ...errors import LasRefused
from ...families import canonical_index_unit, index_kind
from ...model import Curve, Frame, Index, Values
from ...origin import Original, Well
from ..limits import LIMITS, Limits
from .check import check_end, disagreements, number_of
from .columns import array_of, column_of
from .curves import Definition, definitions_of, index_place
from .data import DELIMITERS, delimiter_of, table_of
from .header import Item, unit_of, value_of
from .index import direction_of, index_of
from .sections import Section, Version, items_of, sections_of, text_of, title_of, version_of
from .well import acquired_of, datum_of, run_of, well_of

_LOG = "log"
_Parts = dict[tuple[str, str, int], list[Item]]


@dataclass(frozen=True)
class _DataSet:
    """A data section, the lines that define its columns, and the parameters that go with it."""

    section: Section
    definitions: list[Item]
    parameters: list[Item]

    @property
    def is_log(self) -> bool:
        return self.section.title.set == _LOG

    @property
    def run(self) -> str:
        return run_of(self.parameters)


@dataclass(frozen=True)
class _Shared:
    """What all data sets of a file have in common. null: NULL as a number; null_text: as config headers give it."""

    version: Version
    header: list[Item]
    well: Well
    null: float | None
    null_text: str
    complete: bool  # the file's last line has an end
    limits: Limits


def las_frames(
    content: bytes, file: str, frame: str | None = None, well: str | None = None, limits: Limits = LIMITS
) -> list[Frame]:
    """The frames that a LAS file holds: one of LAS 1.2 and 2.0, one for each data set of LAS 3.0.

    file: its name, for the record and for a well without a name. frame: a name for the log's frame; None takes the run
    from the header (`run ONE`), else `log`; other data sets are named by themselves (`core 2`). well: the well's name
    where WELL is empty. LasRefused says what is wrong and where.
    """
    text = text_of(content)
    sections = sections_of(text)
    version = version_of(sections)
    findings: list[str] = []
    parts = _parts(sections, version, findings)
    header = parts[("", "well", 0)]
    null_text = value_of(header, "NULL")
    null = number_of(null_text)
    if null is None:
        what = f"is {null_text!r}, no number; no value was read as absent" if null_text else "is missing"
        findings.append(f"NULL {what}")
    else:
        null_text = repr(null).removesuffix(".0")  # -999.2500 and -999.25 are one null
    hole = well_of(header, file, well, findings)
    shared = _Shared(version, header, hole, null, null_text, text.endswith("\n"), limits)
    sets = _data_sets(sections, parts)
    read: list[tuple[Frame, list[str]]] = []
    for data, name in zip(sets, _names(sets, header, frame), strict=True):
        own: list[str] = []
        try:
            read.append((_frame(data, name, shared, own), own))
        except LasRefused as error:
            if data.is_log:
                raise
            findings.append(f"section {data.section.title.printed} was not read: {error}")
    if not read:
        raise LasRefused(f"no data set of it can be read: {findings[-1]}")
    digest = hashlib.sha256(content).hexdigest()
    return [
        replace(found, original=Original(file, f"LAS {version.printed}", digest, tuple(findings + own)))
        for found, own in read
    ]


def read_las(content: bytes, file: str, frame: str | None = None) -> Frame:
    """The first frame of a LAS file: of LAS 1.2 and 2.0 the only one. As las_frames."""
    return las_frames(content, file, frame)[0]


def _parts(sections: Sequence[Section], version: Version, findings: list[str]) -> _Parts:
    """The header lines of each section by set, part and number; LasRefused where a part of a log is missing."""
    parts: _Parts = {}
    for section in sections:
        title = section.title
        if title.part == "unknown":
            findings.append(f"section {title.printed} was not read")
        if title.part in {"well", "definition", "parameter"}:
            swapped = title.part == "well" and version.number < 2
            parts.setdefault((title.set, title.part, title.number), []).extend(
                items_of(section, findings, swapped=swapped)
            )
    seen = {section.title.part for section in sections}
    wanted = (("well", "~Well"), ("definition", "~Curve"), ("data", "~A data"))
    missing = [name for part, name in wanted if part not in seen]
    if missing:
        raise LasRefused(f"the file is cut off or incomplete: it has no {' and no '.join(missing)} section")
    return parts


def _data_sets(sections: Sequence[Section], parts: _Parts) -> list[_DataSet]:
    """Each data section with the definition it names behind its bar, else with that of its own set and number."""
    sets: list[_DataSet] = []
    seen: set[tuple[str, int]] = set()
    for section in sections:
        title = section.title
        if title.part != "data":
            continue
        if (title.set, title.number) in seen:
            what = "log data" if title.set == _LOG else f"{title.set} data"
            raise LasRefused(f"a second {what} section; number them, or split the file", section.line)
        seen.add((title.set, title.number))
        named = title_of("~" + title.link) if title.link else title
        places = ((named.set, named.number), (title.set, title.number), (title.set, 0))
        definitions = next((parts[key] for place in places if (key := (place[0], "definition", place[1])) in parts), [])
        parameters = parts.get((title.set, "parameter", title.number), [])
        general = parts.get((_LOG, "parameter", 0), []) if title.set == _LOG and title.number else []
        sets.append(_DataSet(section, definitions, parameters + general))
    return sets


def _names(sets: Sequence[_DataSet], header: Sequence[Item], frame: str | None) -> list[str]:
    """A frame name for each data set, all different."""
    run = run_of(header)
    names: list[str] = []
    for data in sets:
        title = data.section.title
        own = data.run or run
        name = (frame or (f"run {own}" if own else _LOG)) if data.is_log else title.set
        names.append(name)
    numbered = [f"{name} {data.section.title.number}" for name, data in zip(names, sets, strict=True)]
    return [long if names.count(name) > 1 else name for name, long in zip(names, numbered, strict=True)]


def _frame(data: _DataSet, name: str, shared: _Shared, findings: list[str]) -> Frame:
    items, section = data.definitions, data.section
    at = index_place(items, data.is_log)
    declared = shared.version.delimiter
    if declared not in DELIMITERS:
        raise LasRefused(f"DLM is {declared}: LAS knows SPACE, TAB and COMMA")
    delimiter = delimiter_of(section.text, DELIMITERS[declared], len(items))
    if delimiter != DELIMITERS[declared]:
        words = {None: "white space", ",": "commas", "\t": "tabs"}
        findings.append(f"values are parted by {words[delimiter]}, though the header does not say so (DLM)")
    table = table_of(section.text, section.line, len(items), delimiter, shared.version.wrapped, shared.limits)
    ticks, scale = index_of(table, items, at, shared.null, findings)
    unit = canonical_index_unit(items[at].unit or (unit_of(shared.header, "STRT") if data.is_log else ""))
    if data.is_log and not shared.complete:
        check_end(shared.header, ticks, scale, int(table.lines[-1]))
    direction, order = direction_of(ticks, table.lines)
    if data.is_log and not section.title.number:
        findings += disagreements(shared.header, ticks, scale, unit)
    curves: list[Curve] = []
    for definition in definitions_of(items, findings):
        if at in definition.places:
            continue
        places, form = definition.places, definition.format
        column = (
            array_of(definition.mnemonic, table, places, shared.null, form)
            if definition.is_array
            else column_of(definition.mnemonic, table, places[0], shared.null, form)
        )
        for text, count in column.odd.items():
            findings.append(f"{definition.mnemonic}: {text!r} read as absent, {count} times")
        values = column.values if order is None else column.values.take(order)
        curves.append(_curve(definition, values, column.decimals, shared.null_text))
    run = data.run or run_of(shared.header)
    return Frame(
        well=shared.well,
        name=name,
        index=Index(
            kind=index_kind(items[at].mnemonic, unit) if scale is not None else "TIME",
            mnemonic=items[at].mnemonic,
            unit=unit,
            unit_original=items[at].unit,
            ticks=ticks if order is None else ticks[order],
            scale=scale,
            direction=direction,
            datum=datum_of(data.parameters, shared.header),
        ),
        curves=tuple(curves),
        run=run or None,
        service_company=value_of(shared.header, "SRVC") or None,
        acquired=acquired_of(shared.header, shared.version.number),
    )


def _curve(definition: Definition, values: Values, decimals: int | None, null_text: str) -> Curve:
    return Curve(
        mnemonic=definition.mnemonic,
        unit=definition.item.unit,
        values=values,
        description=definition.item.description,
        null_original=null_text or None,
        text_decimals=decimals,
        definition=definition.text,
    )

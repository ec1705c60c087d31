"""LAS files (CWLS LAS 1.2, 2.0, basic 3.0) as frames: exact values, or a refusal with line and reason.

lasio reads the header; the data section is read here, because a silently wrong table is worse than none.
A header that disagrees with its data (STRT, STOP, STEP) is a finding, kept with the curves, and no refusal.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import lasio
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from .errors import LasRefused
from .families import canonical_index_unit, index_kind
from .las_data import DELIMITERS, Column, Row, column_of, rows_of, split_line
from .las_index import direction_of, ticks_of
from .las_sections import Sections, parse_header, sections_of, text_of, value_of
from .model import Curve, Frame, Index, Original, Ticks, Well

_NUMBERS = re.compile(r"(\d{1,2})[-/.](\d{1,2})[-/.](\d{4}|\d{2})", re.ASCII)
_DATES = ("%Y-%m-%d", "%Y/%m/%d", "%d-%b-%Y", "%d %b %Y", "%d-%B-%Y", "%d %B %Y")


@dataclass(frozen=True)
class _Definition:
    mnemonic: str
    unit: str
    description: str
    line: str


def read_las(content: bytes, file: str, frame: str | None = None) -> Frame:
    """The frame that a LAS file holds.

    file: its name, for the record and for a well without a name. frame: the frame's name; None takes the run from the
    header (`run ONE`), else `log`. LasRefused says what is wrong and where.
    """
    sections = sections_of(text_of(content))
    version = _version(sections)
    header, findings = parse_header(sections.header)
    findings = sections.findings + findings
    definitions = _definitions(header, sections, findings)
    null_text, null = _null(header, findings)
    rows = _rows(sections, len(definitions), findings)
    lines = [row.line for row in rows]
    ticks, scale = ticks_of([row.texts[0] for row in rows], lines, null)
    _cut_off(sections, header, ticks, scale, lines[-1])
    direction, order = direction_of(ticks, lines)
    findings += _disagreements(header, ticks, scale)
    curves = [
        _curve(definition, [row.texts[at] for row in rows], lines, null, null_text, order, findings)
        for at, definition in enumerate(definitions[1:], 1)
    ]
    run = value_of(header.params, "RUN") or value_of(header.well, "RUN")
    return Frame(
        well=_well(header, file),
        name=frame or (f"run {run}" if run else "log"),
        index=_index(definitions[0], ticks[order], scale, direction, header),
        curves=tuple(curves),
        run=run or None,
        service_company=value_of(header.well, "SRVC") or None,
        acquired=_date(value_of(header.well, "DATE")),
        original=Original(file, f"LAS {version}", hashlib.sha256(content).hexdigest(), tuple(findings)),
    )


def _definitions(header: lasio.LASFile, sections: Sections, findings: list[str]) -> list[_Definition]:
    """The curves of ~C, index first, each with a name of its own."""
    curves = list(header.curves)
    if not curves:
        raise LasRefused("the ~Curve section defines no curve")
    if len(curves) == 1:
        raise LasRefused(f"the ~Curve section defines the index {curves[0].original_mnemonic} and no curve on it")
    printed = sections.definitions if len(sections.definitions) == len(curves) else [""] * len(curves)
    taken: set[str] = set()
    definitions: list[_Definition] = []
    for curve, line in zip(curves, printed, strict=True):
        name = unique = str(curve.original_mnemonic).strip() or "UNKNOWN"
        number = 1
        while unique in taken:
            number += 1
            unique = f"{name}:{number}"
        if unique != name:
            findings.append(f"mnemonic {name} stands more than once; one of them is read as {unique}")
        taken.add(unique)
        definitions.append(_Definition(unique, str(curve.unit).strip(), str(curve.descr).strip(), line))
    return definitions


def _null(header: lasio.LASFile, findings: list[str]) -> tuple[str, float | None]:
    text = value_of(header.well, "NULL")
    try:
        return text, float(text)
    except ValueError:
        findings.append(f"NULL is {text!r}, no number; no value was read as absent" if text else "NULL is missing")
        return text, None


def _version(sections: Sections) -> str:
    version, delimiter = sections.version.get("VERS", ""), sections.version.get("DLM", "")
    if _number(version) is None:
        raise LasRefused(f"VERS is {version or 'missing'}: header lines are ordered by version, give 1.2, 2.0 or 3.0")
    if delimiter not in DELIMITERS:
        raise LasRefused(f"DLM is {delimiter}: LAS knows SPACE, TAB and COMMA")
    return version


def _rows(sections: Sections, columns: int, findings: list[str]) -> list[Row]:
    delimiter = DELIMITERS[sections.version.get("DLM", "")]
    wrapped = sections.version.get("WRAP", "NO") in {"YES", "Y", "TRUE"}
    first = next(((line, text) for line, text in sections.data if text.strip()), None)
    if first is None:
        raise LasRefused("the file is cut off or empty: its data section has no row")
    if delimiter is None and len(split_line(first[1], None)) != columns == len(split_line(first[1], ",")):
        delimiter = ","
        findings.append("values are parted by commas, though the header does not say DLM COMMA")
    return rows_of(sections.data, columns, delimiter, wrapped)


def _cut_off(sections: Sections, header: lasio.LASFile, ticks: Ticks, scale: int | None, line: int) -> None:
    """A last line without its end, short of STOP: the tail of the file is missing, and perhaps of its last value."""
    stop = _number(value_of(header.well, "STOP"))
    if sections.ends_with_newline or scale is None or stop is None:
        return
    if abs(stop - ticks[-1] / 10**scale) > _tolerance(ticks / 10.0**scale):
        raise LasRefused(f"the file is cut off in its last line, before STOP ({stop:g}) is reached", line)


def _curve(
    definition: _Definition,
    texts: Sequence[str],
    lines: Sequence[int],
    null: float | None,
    null_text: str,
    order: npt.NDArray[np.intp],
    findings: list[str],
) -> Curve:
    column: Column = column_of(definition.mnemonic, texts, lines, null)
    findings += [f"{definition.mnemonic}: {text!r} read as absent, {count} times" for text, count in column.odd.items()]
    return Curve(
        mnemonic=definition.mnemonic,
        unit=definition.unit,
        values=column.values.take(pa.array(order, pa.int64())),
        description=definition.description,
        null_original=null_text or None,
        text_decimals=column.decimals,
        definition=definition.line,
    )


def _tolerance(values: npt.NDArray[np.float64]) -> float:
    """Half the usual step: headers are rounded."""
    typical = float(np.median(np.diff(values))) if len(values) > 1 else 0.0
    return max(abs(typical) / 2, 1e-4)


def _disagreements(header: lasio.LASFile, ticks: Ticks, scale: int | None) -> list[str]:
    """STRT, STOP and STEP against the data, in recorded order; half a step of rounding is let pass."""
    if scale is None:
        return []
    values = ticks / 10.0**scale
    steps = np.diff(values)
    tolerance = _tolerance(values)
    found: list[str] = []
    for name, actual in (("STRT", values[0]), ("STOP", values[-1])):
        said = _number(value_of(header.well, name))
        if said is None or abs(said - actual) > tolerance:
            found.append(f"{name} is {'missing' if said is None else f'{said:g}'}; the data have {actual:g}")
    said = _number(value_of(header.well, "STEP"))
    if said is None:
        found.append("STEP is missing")
    elif said and len(steps) and np.any(np.abs(steps - said) > max(abs(said) * 0.01, 1.5 * 10.0**-scale)):
        found.append(f"STEP is {said:g}; the data move by {steps.min():g} to {steps.max():g}")
    return found


def _index(definition: _Definition, ticks: Ticks, scale: int | None, direction: str, header: lasio.LASFile) -> Index:
    unit = canonical_index_unit(definition.unit or _unit_of(header, "STRT"))
    return Index(
        kind=index_kind(definition.mnemonic, unit) if scale is not None else "TIME",
        mnemonic=definition.mnemonic,
        unit=unit,
        unit_original=definition.unit,
        ticks=ticks,
        scale=scale,
        direction=direction,
        datum=_datum(header),
    )


def _datum(header: lasio.LASFile) -> str | None:
    """What the log's depths are measured from, `KB` for `K.B.`: depth reference, else log or drilling measured from."""
    names = ("DREF", "LMF", "DMF")
    return (value_of(header.params, *names) or value_of(header.well, *names)).replace(".", "") or None


def _unit_of(header: lasio.LASFile, mnemonic: str) -> str:
    return next((str(item.unit) for item in header.well if item.original_mnemonic == mnemonic), "")


def _well(header: lasio.LASFile, file: str) -> Well:
    """Named by WELL, else by UWI or API, else by the file: two nameless files are not one well."""
    uwi = value_of(header.well, "UWI", "API")
    stem = file.rpartition("/")[2].rpartition(".")[0] or file
    return Well(
        name=value_of(header.well, "WELL") or uwi or stem,
        uwi=uwi,
        country=value_of(header.well, "CTRY"),
        field=value_of(header.well, "FLD"),
    )


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if np.isfinite(number) else None


def _date(text: str) -> str | None:
    """ISO date of a header date that reads one way only: 06-21-97 does, 01/02/2001 does not."""
    words = text.split("T")[0].strip()
    if numbers := _NUMBERS.fullmatch(words):
        return _one_way(*numbers.groups())
    for form in _DATES:
        for candidate in (words, words.split(" ")[0]):
            try:
                return date.isoformat(datetime.strptime(candidate, form).date())
            except ValueError:
                continue
    return None


def _one_way(first: str, second: str, year: str) -> str | None:
    """Day and month in either order, where only one of the two orders is a date (or both are the same)."""
    century = "%Y" if len(year) == 4 else "%y"
    found: set[str] = set()
    for order in ("%d %m", "%m %d"):
        try:
            found.add(date.isoformat(datetime.strptime(f"{first} {second} {year}", f"{order} {century}").date()))
        except ValueError:
            continue
    return found.pop() if len(found) == 1 else None

"""DLIS files (RP66 V1) as frames, read through dlisio: one for each frame of each logical file.

A frame that cannot be read right is left out, and what was wrong with it is a finding of the frames that could; a file
without one good frame is refused. An absent float is -999.25 by common use: RP66 declares no such value.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import CurveError
from ..families import canonical_index_unit, index_kind
from ..mnemonics import distinct
from ..model import Curve, Frame, Index
from ..origin import Original, Well
from .columns import exact_ticks, order_of, values_of
from .degrees import place_of
from .dlis_library import dlisio, one_line, told
from .las.times import one_way_date
from .limits import LIMITS, Limits

ABSENT = -999.25


@dataclass(frozen=True)
class _Logical:
    """What a logical file says for all its frames: facts are its parameters by name, each as one text."""

    facts: dict[str, str]
    well: Well
    run: str | None
    service: str | None


def read_dlis(
    path: Path, sha256: str, frame: str | None = None, well: str | None = None, limits: Limits = LIMITS
) -> list[Frame]:
    """The frames of a DLIS file. frame: a name for its frame, put before the names where there are several."""
    findings: list[str] = []
    read: list[tuple[Frame, list[str]]] = []
    with told(findings, path.name), dlisio("dlis").load(str(path)) as files:
        for number, file in enumerate(files, 1):
            logical = _logical(file, path, well)
            for source in file.frames:
                own: list[str] = []
                try:
                    read.append((_frame(source, logical, own, limits), own))
                except (
                    CurveError,
                    RuntimeError,
                    ValueError,
                    KeyError,
                    IndexError,
                    TypeError,
                    OverflowError,
                ) as error:
                    findings.append(f"frame {source.name} of logical file {number} was not read: {one_line(error)}")
    return finished(read, findings, Original(path.name, "DLIS", sha256), frame)


def finished(
    read: list[tuple[Frame, list[str]]], findings: list[str], original: Original, frame: str | None
) -> list[Frame]:
    """The frames with names that differ and what was found in each and in the file; CurveError where there are none."""
    if not read:
        raise CurveError(findings[-1] if findings else f"{original.file} holds no frame of curves")
    if frame:
        plain = [frame] if len(read) == 1 else [f"{frame} {found.name}" for found, _ in read]
    else:
        plain = [found.name for found, _ in read]
    names = [f"{name} {plain[:at].count(name) + 1}" if plain.count(name) > 1 else name for at, name in enumerate(plain)]
    return [
        replace(found, name=name, original=replace(original, findings=(*findings, *own)))
        for name, (found, own) in zip(names, read, strict=True)
    ]


def _frame(source: Any, logical: _Logical, findings: list[str], limits: Limits) -> Frame:
    channels = list(source.channels)
    implicit = not source.index_type  # RP66 V1 5.7.1: without one, rows are counted and no channel is the index
    if len(channels) + implicit < 2:
        raise CurveError("it has an index and no channel on it")
    rows = len(source.logicalfile.fdata_index.get(source.fingerprint, ()))
    limits.check_samples(rows, max(1, source.dtype(strict=False).itemsize // 4), f"frame {source.name}")
    data = source.curves(strict=False)
    if not len(data):
        raise CurveError("it has no rows")
    fields = data.dtype.names  # the row number, then the channels in order
    at = 0 if implicit else 1
    printed = "" if implicit else str(channels[0].units or "").strip()
    index = index_of(
        data[fields[at]], "FRAMENO" if implicit else str(channels[0].name), printed, logical.facts, findings
    )
    order = index[1]
    kept = channels if implicit else channels[1:]
    curves: list[Curve] = []
    names = distinct([str(channel.name).strip() or "UNKNOWN" for channel in kept], findings)
    for channel, name, field in zip(kept, names, fields[at + 1 :] if not implicit else fields[1:], strict=True):
        try:
            values = values_of(data[field], ABSENT)
        except CurveError as error:
            findings.append(f"{name} was not read: {error}")
            continue
        shape = "x".join(str(size) for size in channel.dimension)
        curves.append(
            Curve(
                mnemonic=name,
                unit=str(channel.units or "").strip(),
                values=values if order is None else values.take(order),
                description=" ".join(str(channel.long_name or "").split()),
                null_original=str(ABSENT) if data[field].dtype.kind == "f" else None,
                definition=f"{name}.{channel.units or ''} : dimension {shape}, representation code {channel.reprc}",
            )
        )
    if not curves:
        raise CurveError("none of its channels holds numbers")
    return Frame(
        well=logical.well,
        name=str(source.name).strip() or "frame",
        index=index[0],
        curves=tuple(curves),
        run=logical.run,
        service_company=logical.service,
        acquired=one_way_date(logical.facts.get("DATE", "")),
        pass_=logical.facts.get("PASS") or None,
    )


def index_of(
    numbers: Any, mnemonic: str, printed: str, facts: dict[str, str], findings: list[str]
) -> tuple[Index, Any]:
    """The index of a frame, ascending, and the order its rows take for it (None: the one they have)."""
    if numbers.dtype.kind not in "fiu" or numbers.ndim > 1:
        raise CurveError(f"its index {mnemonic} holds {numbers.dtype}, no numbers")
    ticks, scale = exact_ticks(numbers, findings)
    direction, order = order_of(ticks)
    unit = canonical_index_unit(printed)
    kind = "INDEX" if mnemonic == "FRAMENO" else index_kind(mnemonic, unit)
    datum = next((facts[name] for name in ("DREF", "LMF", "DMF") if facts.get(name)), "").replace(".", "") or None
    return Index(
        kind, mnemonic, unit, printed, ticks if order is None else ticks[order], scale, direction, datum
    ), order


def _logical(file: Any, path: Path, named: str | None) -> _Logical:
    facts = dict(_facts(file))
    origin = next(iter(file.origins), None)

    def said(attribute: str, *parameters: str) -> str:
        value = getattr(origin, attribute, None) if origin is not None and attribute else None
        texts = [_text(value), *(facts.get(name, "") for name in parameters)]
        return next((text for text in texts if text), "")

    latitude, longitude = place_of(facts.get("LATI", ""), facts.get("LONG", ""))
    name, uwi = said("well_name", "WN"), said("well_id", "UWID", "UWI")
    hole = Well(
        name=name or named or uwi or path.stem,
        uwi=uwi,
        country=said("", "CTRY", "NATI"),
        field=said("field_name", "FN"),
        operator=said("company", "CN"),
        api=said("", "API", "APIN"),
        latitude=latitude,
        longitude=longitude,
    )
    return _Logical(facts, hole, said("run_nr", "RUN") or None, said("producer_name", "SRVC") or None)


def _facts(file: Any) -> Iterator[tuple[str, str]]:
    for parameter in file.parameters:
        try:
            texts = [_text(value) for value in parameter.values]
        except (RuntimeError, ValueError, IndexError):  # one odd parameter is no reason to lose the curves
            continue
        if any(texts):
            yield str(parameter.name).strip(), " ".join(text for text in texts if text)


def _text(value: Any) -> str:
    """A value of an origin or a parameter as one line; lists joined, nothing for none."""
    if value is None:
        return ""
    if isinstance(value, (list, tuple)):
        return " ".join(_text(item) for item in value)
    return " ".join(str(value).split())

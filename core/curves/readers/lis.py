"""LIS79 files as frames, read through dlisio: one for each data format specification and sampling rate in it.

LIS names no frames: they are `log`, or `log 1`, `log 2` ... in the order of the file. Its absent value is declared
(LIS79, entry block 12) and is -999.25 where it is not.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import CurveError
from ..mnemonics import distinct
from ..model import Curve, Frame
from ..origin import Original, Well
from .columns import values_of
from .degrees import place_of
from .dlis import finished, index_of
from .dlis_library import dlisio, one_line, told
from .las.times import one_way_date
from .limits import LIMITS, Limits

_NO_UNIT = "...."


def read_lis(
    path: Path, sha256: str, frame: str | None = None, well: str | None = None, limits: Limits = LIMITS
) -> list[Frame]:
    """The frames of a LIS file. frame: a name for its frame, put before the names where there are several."""
    findings: list[str] = []
    read: list[tuple[Frame, list[str]]] = []
    lis = dlisio("lis")
    with told(findings, path.name), lis.load(str(path)) as files:
        for number, file in enumerate(files, 1):
            facts = dict(_facts(file))
            for place, spec in enumerate(file.data_format_specs(), 1):
                for rate in sorted(spec.sample_rates()):
                    own: list[str] = []
                    try:
                        data = lis.curves(file, spec, sample_rate=rate, strict=False)
                        read.append((_frame(data, spec, rate, facts, path, well, own, limits), own))
                    except (CurveError, RuntimeError, ValueError, KeyError, IndexError, TypeError) as error:
                        at = f"data format {place} (rate {rate}) of logical file {number}"
                        findings.append(f"{at} was not read: {one_line(error)}")
    return finished(read, findings, Original(path.name, "LIS79", sha256), frame)


def _frame(
    data: Any,
    spec: Any,
    rate: int,
    facts: dict[str, str],
    path: Path,
    named: str | None,
    findings: list[str],
    limits: Limits,
) -> Frame:
    fields = data.dtype.names
    if len(fields) < 2:
        raise CurveError("it has an index and no channel on it")
    if not len(data):
        raise CurveError("it has no rows")
    limits.check_samples(len(data), max(1, data.dtype.itemsize // 4), path.name)
    index, order = index_of(data[fields[0]], _bare(spec.index_mnem), _bare(spec.index_units), facts, findings)
    blocks = [block for block in spec.specs if block.samples == rate]
    if rate == 1 and spec.depth_mode == 0:
        blocks = blocks[1:]  # the index stands among the channels
    absent = spec.absent_value if spec.absent_value is not None else -999.25
    curves: list[Curve] = []
    names = distinct([_bare(block.mnemonic) or "UNKNOWN" for block in blocks], findings)
    for block, name, field in zip(blocks, names, fields[1:], strict=True):
        try:
            values = values_of(data[field], absent)
        except CurveError as error:
            findings.append(f"{name} was not read: {error}")
            continue
        unit = _bare(block.units)
        curves.append(
            Curve(
                mnemonic=name,
                unit="" if unit == _NO_UNIT else unit,
                values=values if order is None else values.take(order),
                null_original=f"{absent:g}" if data[field].dtype.kind == "f" else None,
                definition=f"{name}.{unit} : {block.samples} samples, representation code {block.reprc}",
            )
        )
    if not curves:
        raise CurveError("none of its channels holds numbers")
    latitude, longitude = place_of(facts.get("LATI", ""), facts.get("LONG", ""))
    return Frame(
        well=Well(
            name=facts.get("WN") or named or facts.get("UWI") or path.stem,
            uwi=facts.get("UWI", ""),
            country=facts.get("CTRY", "") or facts.get("NATI", ""),
            field=facts.get("FN", ""),
            operator=facts.get("CN", ""),
            api=facts.get("APIN", ""),
            latitude=latitude,
            longitude=longitude,
        ),
        name="log",
        index=index,
        curves=tuple(curves),
        run=facts.get("RUN") or None,
        service_company=facts.get("SRVC") or None,
        acquired=one_way_date(facts.get("DATE", "")),
    )


def _facts(file: Any) -> Iterator[tuple[str, str]]:
    """Mnemonic and value of the wellsite's tables (LIS79, information records)."""
    for record in file.wellsite_data():
        if record.isstructured():
            for row in record.table(simple=True):
                values = {name.strip(): row[name] for name in row.dtype.names}
                key = next((_bare(values[name]) for name in ("MNEM",) if name in values), "")
                value = next((_bare(values[name]) for name in ("VALU",) if name in values), "")
                if key and value:
                    yield key, value


def _bare(text: Any) -> str:
    return " ".join(str(text if text is not None else "").split())

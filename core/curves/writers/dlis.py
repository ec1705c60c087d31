"""DLIS (API RP66 v1) through dliswriter, the extra `[dlis]`: one logical file, one frame, array curves as arrays.

What it cannot hold is refused: texts and dates. Absent values are written as -999.25, the convention of DLIS files,
in channels of floats: integers with absent values become floats. An index leaves as the nearest float64. Units leave in
their canonical spelling, which is RP66's where it has one. The library takes a moment for every row.
"""

import logging
import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ..dtypes import elements_of
from ..errors import CurveError
from ..families import canonical_unit
from ..mnemonics import each_once
from ..model import Values
from ..windows.aligned import Aligned, Column
from .extent import Extent, direction_of

ABSENT = -999.25
_PIECE, _ROWS = 1 << 20, 1 << 12
_CREATED = "1970/01/01 00:00:00"  # not the clock: an export made twice has the same bytes
_INDEX_TYPES = {"MD": "BOREHOLE-DEPTH", "TVD": "VERTICAL-DEPTH", "TIME": "NON-STANDARD", "INDEX": "NON-STANDARD"}


def write_dlis(chunks: Sequence[Aligned]) -> Iterator[bytes]:
    """The whole file, made in a temporary one; CurveError names a curve that DLIS cannot hold, or the missing extra."""
    try:
        from dliswriter.file import writer
        from dliswriter.file.file import DLISFile
    except ImportError as error:
        raise CurveError("DLIS is written by dliswriter: pip install 'dataforge-registry[dlis]'") from error
    # It draws a bar on standard error and warns of each unit that RP66 does not list.
    quiet: Any = writer
    quiet.progressbar = lambda records, **_: records
    logging.getLogger("dliswriter").setLevel(logging.ERROR)
    first, extent = chunks[0], Extent.of(chunks)
    if extent is None:
        raise CurveError("DLIS holds no frame without a row: give a window with samples in it")
    if first.scale is None:
        raise CurveError("DLIS has no channel of dates and times here: export csv, parquet or json")
    config = first.columns[0].config
    up = direction_of(first.columns) == "up"
    file = DLISFile(set_identifier="DATAFORGE")
    logical = file.add_logical_file(fh_id=_ascii(config.well.name)[:65] or "LOG")
    logical.add_origin(
        "ORIGIN",
        file_set_number=1,
        creation_time=_CREATED,
        well_name=_ascii(config.well.name) or None,
        well_id=_ascii(config.well.uwi) or None,
        field_name=_ascii(config.well.field) or None,
        company=_ascii(config.well.operator) or None,
        producer_name=_ascii(config.service_company or "") or None,
    )
    depths = np.concatenate([chunk.ticks for chunk in chunks]) / 10.0**first.scale
    names = _names([first.mnemonic or first.kind, *(column.name for column in first.columns)])
    units = [first.unit, *(column.unit for column in first.columns)]
    described = [first.kind, *(column.config.description for column in first.columns)]
    data = [depths, *(_numbers([chunk.columns[at] for chunk in chunks]) for at in range(len(first.columns)))]
    channels = [
        logical.add_channel(
            name,
            data=np.ascontiguousarray(array[::-1] if up else array),
            units=_ascii(canonical_unit(unit)) or None,
            long_name=_ascii(words) or None,
        )
        for name, unit, words, array in zip(names, units, described, data, strict=True)
    ]
    step = None if extent.step is None else extent.step / 10.0**first.scale
    logical.add_frame(
        re.sub(r"\W+", "_", _ascii(config.frame)).strip("_").upper() or "FRAME",
        channels=channels,
        index_type=_INDEX_TYPES.get(first.kind, "NON-STANDARD"),
        direction="DECREASING" if up else "INCREASING",
        spacing=None if step is None else -step if up else step,
    )
    with tempfile.TemporaryDirectory(prefix="dfr-") as folder:
        path = Path(folder) / "export.dlis"
        # Unasked it takes all rows at once, and a buffer of 4 GiB for them.
        file.write(path, input_chunk_size=_ROWS, output_chunk_size=_PIECE)
        with path.open("rb") as made:
            while piece := made.read(_PIECE):
                yield piece


def _numbers(columns: Sequence[Column]) -> npt.NDArray[Any]:
    """All chunks of a curve, of shape (rows,) or (rows, width)."""
    name, values = columns[0].name, [column.values for column in columns]
    whole: Values = pa.concat_arrays(values)
    elements = elements_of(whole)
    if pa.types.is_string(elements.type):
        raise CurveError(
            f"{name} holds texts, which DLIS channels do not: export csv, parquet or json, or leave it out"
        )
    absent = elements.is_null().to_numpy(zero_copy_only=False)
    lost = whole.is_null().to_numpy(zero_copy_only=False)
    floats = pa.types.is_floating(elements.type)
    if not floats and (elements.type == pa.int64() or absent.any() or lost.any()):
        elements, floats = elements.cast(pa.float64(), safe=False), True
    numbers = np.array(elements.fill_null(0).to_numpy(zero_copy_only=False))
    numbers[absent] = ABSENT if floats else 0
    if not isinstance(whole.type, pa.FixedSizeListType):
        return numbers
    rows = numbers.reshape(-1, whole.type.list_size)
    if lost.any():
        rows[lost] = ABSENT
    return rows


def _names(names: Sequence[str]) -> list[str]:
    """Identifiers of RP66 v1 (chapter 3, IDENT: printable ASCII), each once."""
    plain = (re.sub(r"[^!-~]+", "_", _ascii(name)).strip("_")[:200] or "CURVE" for name in names)
    return each_once(plain, "_")


def _ascii(text: str) -> str:
    """What ASCII says of a text; RP66 v1 knows no other characters."""
    folded = text.replace("µ", "u").replace("°", "deg").replace("Ω", "ohm")
    return "".join(char if " " <= char <= "~" else "?" for char in " ".join(folded.split()))

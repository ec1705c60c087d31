"""LAS: lossless where the original file's header is given, a clean LAS 2.0 header else (CWLS LAS 2.0, update 2017).

With `header`, the file that all curves came from, its lines stay as they are: version (1.2, 2.0, 3.0), delimiter,
wrapping, NULL, direction; STRT, STOP, STEP, curve lines and data are those of what is exported. Without: ascending or,
where all curves were recorded upward, descending; NULL is what the curves had, or one that no value is.

What LAS 2.0 cannot say: array curves stand as NAME[0], NAME[1] ... ; dates and times as ISO 8601 texts, without spaces;
texts with spaces or quotes in quotes, as LAS 3.0 has them; line breaks and runs of white space in a text as one space;
infinities as NULL; `:`, `{` and `|` in descriptions, `.` and `:` in mnemonics as other characters. Refused: no row.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa

from ..errors import CurveError
from ..model import Values
from ..windows.aligned import Aligned
from .extent import Extent, direction_of, finite
from .las_clean import clean
from .las_kept import kept
from .las_layout import Layout, separators
from .texts import Printed, compute, index_texts, joined, mapped, printed


def write_las(chunks: Iterable[Aligned], extent: Extent | None, header: bytes | None = None) -> Iterator[bytes]:
    """Head, rows a chunk at a time, tail. A log recorded upward begins with the last chunk: give a Sequence, which may
    load its chunks when they are asked for; any other iterable is held. extent: of all chunks; None: it is found."""
    if extent is None or not isinstance(chunks, Sequence):
        chunks = list(chunks) if extent is None else chunks
        extent = extent or Extent.of(chunks if isinstance(chunks, list) else [])
    if extent is None or not extent.rows:
        raise CurveError("a LAS file has at least one row: give a window with samples in it")
    first, ordered = _ordered(chunks)
    up = direction_of(first.columns) == "up"
    layout = kept(first, extent, up, header) if header else clean(first, extent, up)
    yield _lines(layout.head, layout.newline)
    for chunk in ordered:
        yield _rows(chunk, layout, up)
    yield _lines(layout.tail, layout.newline)


def _ordered(chunks: Iterable[Aligned]) -> tuple[Aligned, Iterator[Aligned]]:
    """A first chunk to tell the columns by, and all in the order they are written in."""
    if isinstance(chunks, Sequence):
        first = chunks[0]
        return first, reversed(chunks) if direction_of(first.columns) == "up" else iter(chunks)
    rest = iter(chunks)
    first = next(rest)
    if direction_of(first.columns) == "up":
        return first, reversed([first, *rest])
    return first, chain([first], rest)


def _lines(text: str, newline: str) -> bytes:
    return (text.replace("\n", newline) if newline != "\n" else text).encode()


def _rows(chunk: Aligned, layout: Layout, up: bool) -> bytes:
    columns = printed(finite(chunk))
    cells = [_cells(column, layout) for column in columns]
    cells.append(index_texts(chunk, layout.decimals))
    if layout.delimiter is None:
        cells = [compute.utf8_lpad(each, width) for each, width in zip(cells, layout.widths, strict=True)]
    parts: list[Any] = []
    for at, separator in zip(layout.order, separators(layout), strict=True):
        parts += [separator, cells[at]]
    rows: Values = compute.binary_join_element_wise(*parts, "")
    if up:  # equal depths keep their order
        rows = rows.take(pa.array(np.argsort(-chunk.ticks, kind="stable"), pa.int64()))
    return joined(rows, layout.newline)


def _cells(column: Printed, layout: Layout) -> Values:
    """The texts of a column with NULL in the place of what is absent."""
    texts = mapped(column.texts, lambda text: quoted(text, layout.delimiter)) if column.word else column.texts
    if not column.word and _holds(column, layout.null):
        said = f"{column.name} holds the value {layout.null}, which is the file's NULL"
        raise CurveError(f"{said}: export csv, parquet or json, where absent values need no number")
    found: Values = compute.fill_null(texts, layout.null)
    return found


def _holds(column: Printed, null: str) -> bool:
    """Whether a value that is there would be read as absent."""
    ends = compute.min_max(column.values).as_py()
    if ends["min"] is None or not ends["min"] - 1 <= float(null) <= ends["max"] + 1:
        return False
    numbers = column.texts.cast(pa.float64())  # as they are printed, which may round to it
    return bool(compute.any(compute.equal(numbers, float(null)), min_count=0).as_py())


def quoted(text: str, delimiter: str | None) -> str:
    """A text as one value of a data line."""
    bare = " ".join(text.split())
    parted = delimiter in bare if delimiter and delimiter != "\t" else " " in bare
    # A comma at the end reads as what parts the columns: many files with commas say nothing of them.
    bound = parted or not bare or '"' in bare or bare[0] == "#" or bare[-1] == ","
    return '"' + bare.replace('"', '""') + '"' if bound else bare

"""JSON: one object that says what the curves are, with `data`, a row for each index value.

    {"well": .., "uwi": .., "index": {"kind", "mnemonic", "unit"}, "curves": [{"name", "mnemonic", "frame", "unit",
     "description", "dtype", "width"}], "notes": [..], "data": [[index, value, ..], ..]}

Numbers stand with the digits they were received with, absent values as null, times as ISO 8601 texts, infinities as
the texts "inf" and "-inf" (JSON has none), a row of an array curve as a list.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa

from ..model import Values
from ..windows.aligned import Aligned, Column
from .texts import compute, index_texts, joined, mapped, scalars, value_texts

_INFINITE = pa.array(["inf", "-inf"])


def write_json(chunks: Iterable[Aligned]) -> Iterator[bytes]:
    """The head with the first chunk, then each chunk's rows, a line each."""
    yield from framed(chunks, lambda chunk: _head(chunk), "]}\n")


def framed(chunks: Iterable[Aligned], head: Any, tail: str) -> Iterator[bytes]:
    """head(first chunk), an object without its closing brace, then `"data":[` and rows, then the tail."""
    empty = True
    for number, chunk in enumerate(chunks):
        if number == 0:
            yield head(chunk)[:-1].encode() + b',"data":['
        rows = data_rows(chunk)
        if len(rows):
            yield (b"\n" if empty else b",\n") + joined(rows, ",\n", last="")
            empty = False
    yield ("\n" + tail).encode()


def data_rows(chunk: Aligned) -> Values:
    """`[index,value,...]` for each row."""
    index = index_texts(chunk)
    fields = [mapped(index, json.dumps) if chunk.scale is None else index, *(_field(each) for each in chunk.columns)]
    rows = compute.binary_join_element_wise(*fields, ",", null_handling="replace", null_replacement="null")
    found: Values = compute.binary_join_element_wise("[", rows, "]", "")
    return found


def _field(column: Column) -> Values:
    parts = [_scalar(values, column.decimals) for values in scalars(column)]
    if not isinstance(column.values.type, pa.FixedSizeListType):
        return parts[0]
    listed = compute.binary_join_element_wise(*parts, ",", null_handling="replace", null_replacement="null")
    listed = compute.binary_join_element_wise("[", listed, "]", "")
    found: Values = compute.if_else(column.values.is_valid(), listed, None)
    return found


def _scalar(values: Values, decimals: int | None) -> Values:
    texts = value_texts(values, decimals)
    if pa.types.is_string(values.type):
        return mapped(texts, lambda text: json.dumps(text, ensure_ascii=False))
    if pa.types.is_floating(values.type) and compute.any(compute.is_in(texts, _INFINITE)).as_py():
        texts = compute.if_else(
            compute.is_in(texts, _INFINITE), compute.binary_join_element_wise('"', texts, '"', ""), texts
        )
    return texts


def _head(chunk: Aligned) -> str:
    first = chunk.columns[0].config
    body = {
        "well": first.well.name,
        "uwi": first.well.uwi,
        "index": {"kind": chunk.kind, "mnemonic": chunk.mnemonic, "unit": chunk.unit},
        "curves": [
            {
                "name": column.name,
                "mnemonic": column.config.mnemonic,
                "frame": column.config.frame,
                "unit": column.unit,
                "description": column.config.description,
                "dtype": column.config.dtype,
                "width": column.config.width,
            }
            for column in chunk.columns
        ],
        "notes": list(chunk.notes),
    }
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))

"""Content ids: SHA-256 over canonical values, the identity of a curve whatever writer made its Parquet bytes.

    content_id = sha256("dfc1\\0" + dtype + "\\0" + u32le width + u64le rows + payload)

docs/format.md fixes the payload of each dtype, docs/format-vectors.json holds test vectors; both are of the format.
"""

import hashlib
import struct
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ..oci.digest import Digest
from .dtypes import DTYPES, TEXT, described, elements_of, lists_of
from .model import Index, Values

Numbers: TypeAlias = npt.NDArray[np.number[Any]]
Mask: TypeAlias = npt.NDArray[np.bool_]

_MAGIC = b"dfc1\0"
_NULL_LENGTH = 0xFFFFFFFF


@dataclass(frozen=True, eq=False)
class Samples:
    """Values in the one form that ids, cutting, statistics and files are made from.

    numbers: little-endian elements of shape (rows * width,), where a float is the one quiet NaN if absent, never -0.0,
    and an absent integer is 0; None for texts. absent: of shape (rows * width,). texts: Arrow strings, or None.
    """

    dtype: str
    width: int
    rows: int
    absent: Mask
    numbers: "Numbers | None" = None
    texts: "Values | None" = None

    @classmethod
    def of(cls, values: Values) -> "Samples":
        """Of an array of any type that curves have (dtypes.DTYPES), or CurveError."""
        dtype, width = described(values.type)
        elements = elements_of(values)
        absent = _mask(elements)
        if width > 1 and values.null_count:
            absent = absent | np.repeat(_mask(values), width)
        if dtype == TEXT:
            return cls(dtype, width, len(values), absent, texts=values)
        kind = np.dtype(DTYPES[dtype].to_pandas_dtype()).newbyteorder("<")
        if elements.null_count:
            elements = elements.fill_null(0)
        numbers = np.array(elements.to_numpy(zero_copy_only=False), dtype=kind)
        if kind.kind == "f":
            absent = absent | np.isnan(numbers)
            numbers[absent] = np.nan
            numbers += 0.0  # -0.0 + 0.0 is 0.0
        else:
            numbers[absent] = 0
        return cls(dtype, width, len(values), absent, numbers)

    def __len__(self) -> int:
        return self.rows

    def slice(self, start: int, stop: int) -> "Samples":
        """Rows [start, stop)."""
        part = slice(start * self.width, stop * self.width)
        numbers = None if self.numbers is None else self.numbers[part]
        texts = None if self.texts is None else self.texts.slice(start, stop - start)
        return Samples(self.dtype, self.width, stop - start, self.absent[part], numbers, texts)

    @cached_property
    def nulls(self) -> int:
        """How many elements are absent."""
        return int(np.count_nonzero(self.absent))

    @property
    def finite(self) -> Numbers:
        """The elements that are there and finite, flat; none of texts."""
        if self.numbers is None:
            return np.empty(0, dtype=np.float32)
        if self.numbers.dtype.kind == "f":
            found: Numbers = self.numbers[np.isfinite(self.numbers)]
            return found
        return self.numbers[~self.absent] if self.nulls else self.numbers

    @property
    def array(self) -> Values:
        """As Arrow: nulls for what is absent; an array curve as FixedSizeList whose elements, not rows, are null."""
        if self.texts is not None:
            return self.texts
        assert self.numbers is not None
        validity = pa.py_buffer(_bits(~self.absent)) if self.nulls else None
        data = pa.py_buffer(np.ascontiguousarray(self.numbers).data)
        flat = pa.Array.from_buffers(DTYPES[self.dtype], len(self.numbers), [validity, data], self.nulls)
        return flat if self.width == 1 else lists_of(flat, self.width)

    @cached_property
    def content_id(self) -> Digest:
        """The id of these rows (docs/format.md section 5)."""
        hashed = hashlib.sha256(_head(self.dtype, self.width, self.rows))
        if self.texts is not None:
            hashed.update(_text_payload(self.texts))
        elif self.numbers is not None:
            hashed.update(np.ascontiguousarray(self.numbers).data)
            if self.numbers.dtype.kind != "f" and self.nulls:
                hashed.update(_bits(~self.absent))
        return Digest(f"sha256:{hashed.hexdigest()}")


def values_id(values: Values) -> Digest:
    """The content id of an array of any type that curves have."""
    return Samples.of(values).content_id


def index_id(index: Index) -> Digest:
    """The content id of an index: the same depths have the same id in every well and unit spelling."""
    dtype = "timestamp" if index.scale is None else f"decimal{index.scale}"
    return Digest.of(_head(dtype, 1, len(index)) + index.ticks.astype("<i8").tobytes())


def dtype_of(kind: pa.DataType) -> str:
    """The name of a value type in content ids and configs, or CurveError for one that curves do not have."""
    return described(kind)[0]


def _head(dtype: str, width: int, rows: int) -> bytes:
    return _MAGIC + dtype.encode() + b"\0" + struct.pack("<IQ", width, rows)


def _mask(values: Values) -> Mask:
    if not values.null_count:
        return np.zeros(len(values), dtype=bool)
    return np.asarray(values.is_null().to_numpy(zero_copy_only=False), dtype=bool)


def _bits(mask: Mask) -> bytes:
    """A bit a row, the first in the lowest bit of the first byte."""
    return np.packbits(mask, bitorder="little").tobytes()


def text_lengths(texts: Values) -> npt.NDArray[np.int64]:
    """Bytes of each text in UTF-8, 0 of an absent one."""
    count: Any = pc.binary_length  # the stubs know no array of any type
    lengths = count(texts)
    return np.asarray(lengths.fill_null(0).to_numpy(zero_copy_only=False), dtype=np.int64)


def _text_payload(texts: Values) -> bytes:
    """u32le length and bytes of each text, the length 0xffffffff for an absent one."""
    lengths = text_lengths(texts)
    data = np.frombuffer(b"".join(word for word in texts.cast(pa.binary()).to_pylist() if word), dtype=np.uint8)
    payload = np.empty(len(data) + 4 * len(texts), dtype=np.uint8)
    starts = np.cumsum(lengths) - lengths + 4 * np.arange(len(texts))
    heads = starts[:, None] + np.arange(4)
    words = np.where(_mask(texts), _NULL_LENGTH, lengths).astype("<u4")
    payload[heads] = words.view(np.uint8).reshape(-1, 4)
    body = np.ones(len(payload), dtype=bool)
    body[heads] = False
    payload[body] = data
    return payload.tobytes()


def text_hashes(texts: Values) -> npt.NDArray[np.uint64]:
    """64 bits for each text, equal for equal texts, for content-defined cutting: the head of its SHA-256."""
    encoded = texts.dictionary_encode()
    heads = [_text_hash(word) for word in encoded.dictionary.to_pylist()]
    slots = encoded.indices.fill_null(len(heads)).to_numpy(zero_copy_only=False)  # an absent text takes the last slot
    hashes: npt.NDArray[np.uint64] = np.array([*heads, _text_hash(None)], dtype=np.uint64)[slots]
    return hashes


def _text_hash(text: str | None) -> int:
    digest = hashlib.sha256(b"\0" if text is None else b"\1" + text.encode()).digest()
    return int.from_bytes(digest[:8], "little")

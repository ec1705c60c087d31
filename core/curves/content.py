"""Content ids: SHA-256 over canonical values, the identity of a curve whatever writer made its Parquet bytes.

    content_id = sha256("dfc1\\0" + dtype + "\\0" + u32le width + u64le rows + payload)

Payload, little-endian: floats with null and every NaN as the one quiet NaN (0x7fc00000, 0x7ff8000000000000) and -0.0 as
0.0; `decimal<scale>` and `timestamp` (microseconds) as i64, null slots 0, followed by an LSB-first validity bitmap only
where there are nulls; `utf8` as u32le length + bytes each, null as the length 0xffffffff.
Test vectors are in tests/core/curves/test_content.py; they are part of the format.
"""

import hashlib
import struct

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ..oci.digest import Digest
from .errors import CurveError
from .model import Index, Values

_FLOATS = {pa.float32(): ("float32", "<f4"), pa.float64(): ("float64", "<f8")}
_NULL_LENGTH = 0xFFFFFFFF


def content_id(dtype: str, rows: int, payload: bytes, width: int = 1) -> Digest:
    """The id of a payload already in canonical form."""
    return Digest.of(b"dfc1\0" + dtype.encode() + b"\0" + struct.pack("<IQ", width, rows) + payload)


def values_id(values: Values) -> Digest:
    """The content id of a float32, float64 or string array."""
    dtype = dtype_of(values.type)
    payload = _text_payload(values) if dtype == "utf8" else canonical_floats(values).tobytes()
    return content_id(dtype, len(values), payload)


def index_id(index: Index) -> Digest:
    """The content id of an index: the same depths have the same id in every well and unit spelling."""
    dtype = "timestamp" if index.scale is None else f"decimal{index.scale}"
    return content_id(dtype, len(index), index.ticks.astype("<i8").tobytes())


def dtype_of(kind: pa.DataType) -> str:
    """The name of a value type in content ids and configs, or CurveError for one that curves do not have."""
    if kind in _FLOATS:
        return _FLOATS[kind][0]
    if kind == pa.string():
        return "utf8"
    raise CurveError(f"a curve holds float32, float64 or string values, not {kind}")


def canonical_floats(values: Values) -> npt.NDArray[np.floating]:
    """A float array of shape (rows,) with one NaN for everything absent and no negative zero."""
    # to_numpy makes NaN of nulls; the copy may be written to
    numbers = np.array(values.to_numpy(zero_copy_only=False), dtype=_FLOATS[values.type][1])
    numbers[np.isnan(numbers)] = np.nan
    numbers[numbers == 0] = 0.0
    return numbers


def _text_payload(values: Values) -> bytes:
    parts: list[bytes] = []
    for text in values.to_pylist():
        encoded = b"" if text is None else text.encode()
        parts += (struct.pack("<I", _NULL_LENGTH if text is None else len(encoded)), encoded)
    return b"".join(parts)


def text_hashes(values: Values) -> npt.NDArray[np.uint64]:
    """64 bits for each text, equal for equal texts, for content-defined cutting: the head of its SHA-256."""
    encoded = values.dictionary_encode()
    words = [
        hashlib.sha256(b"\0" if word is None else b"\1" + word.encode()).digest()[:8]
        for word in encoded.dictionary.to_pylist()
    ]
    heads = np.array([int.from_bytes(word, "little") for word in words] or [0], dtype=np.uint64)
    slots = encoded.indices
    absent = np.uint64(int.from_bytes(hashlib.sha256(b"\0").digest()[:8], "little"))
    picked = heads[np.nan_to_num(slots.to_numpy(zero_copy_only=False)).astype(np.int64)]
    return np.where(slots.is_null().to_numpy(zero_copy_only=False), absent, picked)

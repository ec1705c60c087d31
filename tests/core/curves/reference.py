"""Content ids and cutting written a second time, from the words of docs/format.md alone: plain Python, slow, no NumPy.

Held equal to the package by test_format.py. Values are Python numbers, texts, None, or lists of them (array curves).
"""

import hashlib
import math
import struct
from collections.abc import Sequence
from typing import Any

WORD = 2**64
GOLDEN = 0x9E3779B97F4A7C15
FORMATS = {
    "float32": "<f",
    "float64": "<d",
    "int8": "<b",
    "int16": "<h",
    "int32": "<i",
    "int64": "<q",
    "uint8": "<B",
    "uint16": "<H",
    "uint32": "<I",
}
NAN = {"float32": bytes.fromhex("0000c07f"), "float64": bytes.fromhex("000000000000f87f")}


def elements(values: Sequence[Any], width: int) -> list[Any]:
    if width == 1:
        return list(values)
    return [element for row in values for element in ([None] * width if row is None else row)]


def element_bytes(dtype: str, value: Any) -> bytes:
    if dtype == "utf8":
        encoded = b"" if value is None else value.encode()
        return struct.pack("<I", 0xFFFFFFFF if value is None else len(encoded)) + encoded
    if dtype in NAN:
        if value is None or math.isnan(value):
            return NAN[dtype]
        return struct.pack(FORMATS[dtype], 0.0 if value == 0 else value)
    return struct.pack(FORMATS.get(dtype, "<q"), 0 if value is None else value)


def content_id(dtype: str, width: int, values: Sequence[Any]) -> str:
    """dtype may also be `decimal<scale>` or `timestamp`, of whole ticks."""
    flat = elements(values, width)
    payload = b"".join(element_bytes(dtype, value) for value in flat)
    if dtype not in ("float32", "float64", "utf8") and None in flat:
        bitmap = bytearray((len(flat) + 7) // 8)
        for place, value in enumerate(flat):
            if value is not None:
                bitmap[place // 8] |= 1 << (place % 8)
        payload += bytes(bitmap)
    head = b"dfc1\0" + dtype.encode() + b"\0" + struct.pack("<I", width) + struct.pack("<Q", len(values))
    return "sha256:" + hashlib.sha256(head + payload).hexdigest()


def row_bits(dtype: str, width: int, row: Any) -> int:
    if dtype == "utf8":
        digest = hashlib.sha256(b"\0" if row is None else b"\1" + row.encode()).digest()
        return int.from_bytes(digest[:8], "little")
    bits = [int.from_bytes(element_bytes(dtype, value), "little") for value in elements([row], width)]
    if width == 1:
        return bits[0]
    return sum(bit * pow(GOLDEN, place, WORD) for place, bit in enumerate(bits, 1)) % WORD


def mixed(bits: int) -> int:
    z = (bits + GOLDEN) % WORD
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % WORD
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB % WORD
    return z ^ (z >> 31)


def raw_row_bytes(dtype: str, width: int, values: Sequence[Any]) -> float:
    if dtype == "utf8":
        return 4 + sum(len(text.encode()) for text in values if text is not None) / len(values)
    return struct.calcsize(FORMATS[dtype]) * width


def average(dtype: str, width: int, values: Sequence[Any]) -> int:
    law = math.log2(math.sqrt(1000 * len(values) / (0.6 * raw_row_bytes(dtype, width, values))))
    return 2 ** max(1, round(law))


def stops(dtype: str, width: int, values: Sequence[Any], avg: int) -> list[int]:
    """The row behind each segment."""
    rows = len(values)
    if rows * raw_row_bytes(dtype, width, values) <= 32 * 1024:
        return [rows]
    words = [mixed(row_bits(dtype, width, row)) for row in values]
    least, most, threshold = avg - avg // 4, 2 * avg, WORD // max(avg // 4, 2)
    found: list[int] = []
    start = 0
    for row in range(rows):
        window = sum(words[row - back] * pow(GOLDEN, back + 1, WORD) for back in range(min(8, row + 1))) % WORD
        length = row + 1 - start
        if length == most or (length >= least and window < threshold):
            found.append(row + 1)
            start = row + 1
    return found if start == rows else [*found, rows]

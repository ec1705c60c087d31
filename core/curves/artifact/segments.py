"""Cutting a curve into segments by its content, so that an edit changes only the segments it touches.

Algorithm `sum8-splitmix64`: each row's canonical bits go through splitmix64; the hash at row i is the sum over the
last eight rows of their mixed bits, weighted by odd constants (so that order counts), modulo 2**64. A segment may end
after row i where the hash is below 2**64 / (avg/4), is at least 3/4 avg rows long, and is cut at 2*avg in any case:
edits and windows meet long segments more often than short ones, so near equal lengths cost least.
The average comes from a square-root law and is inherited by later versions, so growth never cuts anew.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..content import Samples, text_hashes, text_lengths
from ..dtypes import DTYPES

ALGORITHM = "sum8-splitmix64"
SINGLE_SEGMENT_BYTES = 32 * 1024
_WINDOW = 8
# Bytes a further layer costs (descriptor, config row, request) and compressed bytes per raw byte, as measured.
_LAYER_COST = 1000
_COMPRESSED_SHARE = 0.6
# The golden-ratio constant that splitmix64 steps by; its powers are the odd weights of the eight window positions.
_GOLDEN = 0x9E3779B97F4A7C15
_WEIGHTS = [pow(_GOLDEN, power, 2**64) for power in range(1, _WINDOW + 1)]
_ELEMENTS_AT_ONCE = 1 << 20  # an array curve's bits are widened piece by piece, for the memory

Bits = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Span:
    """Rows [start, stop) of a curve."""

    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start


def average_rows(rows: int, row_bytes: float) -> int:
    """Rows per segment: 2**round(log2(sqrt(1000 * rows / (0.6 * row_bytes))))."""
    return 1 << max(1, round(math.log2(math.sqrt(_LAYER_COST * max(rows, 1) / (_COMPRESSED_SHARE * row_bytes)))))


def row_bytes(values: Samples) -> float:
    """Raw bytes of a row: itemsize times width of numbers, the mean of length + 4 of texts."""
    if values.texts is not None:
        return 4 + int(text_lengths(values.texts).sum()) / max(len(values), 1)
    return float(DTYPES[values.dtype].bit_width * values.width) / 8


def cut(samples: Samples, avg: int | None = None) -> tuple[list[Span], int]:
    """The segments of a curve in row order, and the average used.

    avg: inherited from the parent version; None: small curves (<= 32 KiB raw) stay whole, others follow the law.
    """
    rows, size = len(samples), row_bytes(samples)
    avg = avg or average_rows(rows, size)
    if rows * size <= SINGLE_SEGMENT_BYTES:
        return [Span(0, rows)], avg
    return _greedy(_boundaries(splitmix64(_row_bits(samples)), avg), rows, avg), avg


def splitmix64(bits: Bits) -> Bits:
    """The finaliser of Steele, Lea and Flood's SplitMix generator (OOPSLA 2014), one step from each value."""
    mixed = bits + np.uint64(_GOLDEN)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def _row_bits(values: Samples) -> Bits:
    """64 bits a row: a number's own, zero-extended; of an array the sum of its elements' weighted by their place."""
    if values.texts is not None:
        return text_hashes(values.texts)
    assert values.numbers is not None
    bits = values.numbers.view(f"<u{values.numbers.itemsize}").reshape(len(values), values.width)
    if values.width == 1:
        return bits[:, 0].astype(np.uint64)
    weights = np.array([pow(_GOLDEN, place, 2**64) for place in range(1, values.width + 1)], dtype=np.uint64)
    step = max(1, _ELEMENTS_AT_ONCE // values.width)
    return np.concatenate([bits[at : at + step].astype(np.uint64) @ weights for at in range(0, len(bits), step)])


def _boundaries(mixed: Bits, avg: int) -> npt.NDArray[np.int64]:
    """Where a segment may stop: the row behind each row whose window hash is under the threshold."""
    total = np.zeros(len(mixed), dtype=np.uint64)
    for back, weight in enumerate(_WEIGHTS[: len(mixed)]):
        total[back:] += mixed[: len(mixed) - back] * np.uint64(weight)
    return np.flatnonzero(total < np.uint64(2**64 // max(avg // 4, 2))) + 1


def _greedy(stops: npt.NDArray[np.int64], rows: int, avg: int) -> list[Span]:
    spans: list[Span] = []
    start, least = 0, avg - avg // 4
    while rows - start > least:
        at = int(np.searchsorted(stops, start + least))
        stop = min(int(stops[at]) if at < len(stops) else rows, start + 2 * avg, rows)
        spans.append(Span(start, stop))
        start = stop
    if start < rows:
        spans.append(Span(start, rows))
    return spans

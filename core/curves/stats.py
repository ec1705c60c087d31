"""Statistics of a curve for its config: the same on every machine, so that equal curves have equal config bytes."""

import math

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from .content import canonical_floats
from .model import Values
from .schema import Stats

BINS = 32
_DIGITS = 9


def stats_of(values: Values) -> Stats:
    """Over the finite samples of an array of shape (rows,); percentiles are samples (no interpolation).

    mean and std (population) are correctly rounded sums, kept to 9 significant digits.
    """
    nulls = values.null_count
    finite = _finite_values(values)
    if not len(finite):
        return Stats(
            count=len(values),
            nulls=nulls,
            min=None,
            max=None,
            mean=None,
            std=None,
            p01=None,
            p50=None,
            p99=None,
            hist=[],
        )
    p01, p50, p99 = np.percentile(finite, [1, 50, 99], method="lower")
    mean, std = _mean_and_std(finite)
    low, high = finite.min(), finite.max()
    return Stats(
        count=len(values),
        nulls=nulls,
        min=shortest(low),
        max=shortest(high),
        mean=mean,
        std=std,
        p01=shortest(p01),
        p50=shortest(p50),
        p99=shortest(p99),
        hist=_histogram(finite.astype(np.float64), float(low), float(high)),
    )


def extremes(values: Values) -> tuple[float | None, float | None]:
    """Smallest and largest finite sample, or None twice."""
    finite = _finite_values(values)
    return (shortest(finite.min()), shortest(finite.max())) if len(finite) else (None, None)


def shortest(value: np.floating) -> float:
    """The float64 that prints as the value's own shortest text: float32 11.027 gives 11.027, not 11.0270004."""
    return float(str(value))


def _finite_values(values: Values) -> npt.NDArray[np.floating]:
    if values.type == pa.string():
        return np.empty(0, dtype=np.float32)
    numbers = canonical_floats(values)
    finite: npt.NDArray[np.floating] = numbers[np.isfinite(numbers)]
    return finite


def _mean_and_std(finite: npt.NDArray[np.floating]) -> tuple[float | None, float | None]:
    samples = finite.astype(np.float64).tolist()
    try:
        mean = math.fsum(samples) / len(samples)
        std = math.sqrt(math.fsum((sample - mean) ** 2 for sample in samples) / len(samples))
    except OverflowError:  # samples near the end of float64: their sums say nothing
        return None, None
    return float(f"{mean:.{_DIGITS}g}"), float(f"{std:.{_DIGITS}g}")


def _histogram(finite: npt.NDArray[np.float64], low: float, high: float) -> list[int]:
    width = high - low
    if width == 0 or not math.isfinite(width):
        return [len(finite)] + [0] * (BINS - 1)
    slots = np.minimum(((finite - low) / width * BINS).astype(np.int64), BINS - 1)
    return [int(count) for count in np.bincount(slots, minlength=BINS)]

"""Statistics of a curve for its config: the same on every machine, so that equal curves have equal config bytes."""

import math

import numpy as np
import numpy.typing as npt

from ..content import Numbers, Samples
from ..schema import Stats

BINS = 32
_DIGITS = 9
_PERCENTILES = (1, 5, 50, 95, 99)


def stats_of(samples: Samples) -> Stats:
    """Over the finite samples of a curve, of an array curve over all its elements.

    Percentiles are samples (no interpolation); mean and std (population) are kept to 9 significant digits.
    """
    count, nulls = len(samples.absent), samples.nulls
    ordered = np.sort(samples.finite)
    if not len(ordered):
        return Stats(count=count, nulls=nulls)
    mean, std = _mean_and_std(ordered)
    p01, p05, p50, p95, p99 = (shortest(ordered[(len(ordered) - 1) * share // 100]) for share in _PERCENTILES)
    return Stats(
        count=count,
        nulls=nulls,
        min=shortest(ordered[0]),
        max=shortest(ordered[-1]),
        mean=mean,
        std=std,
        p01=p01,
        p05=p05,
        p50=p50,
        p95=p95,
        p99=p99,
        hist=_histogram(ordered),
    )


def extremes(values: Samples) -> tuple[float | None, float | None]:
    """Smallest and largest finite sample, or None twice."""
    finite = values.finite
    return (shortest(finite.min()), shortest(finite.max())) if len(finite) else (None, None)


def shortest(value: "np.number[npt.NBitBase]") -> float:
    """The float64 that prints as the value's own shortest text: float32 11.027 gives 11.027, not 11.0270004."""
    return float(str(value))


def _mean_and_std(ordered: Numbers) -> tuple[float | None, float | None]:
    samples = ordered.astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        mean = _sum(samples) / len(samples)
        std = math.sqrt(_sum((samples - mean) ** 2) / len(samples))
    if not math.isfinite(std):  # samples near the end of float64: their sums say nothing
        return None, None
    return float(f"{mean:.{_DIGITS}g}"), float(f"{std:.{_DIGITS}g}")


def _sum(numbers: npt.NDArray[np.float64]) -> float:
    """By adding the upper half to the lower until one is left: exact order, so one result on every machine, and errors
    grow with the logarithm of the length."""
    while len(numbers) > 1:
        half = (len(numbers) + 1) // 2
        folded = numbers[:half].copy()
        folded[: len(numbers) - half] += numbers[half:]
        numbers = folded
    return float(numbers[0])


def _histogram(ordered: Numbers) -> list[int]:
    """Samples in [edge k, edge k+1), the last bin closed, where edge k is min + k * ((max - min) / 32) in float64."""
    low, high = float(ordered[0]), float(ordered[-1])
    width = (high - low) / BINS
    if width == 0 or not math.isfinite(width):
        return [len(ordered)] + [0] * (BINS - 1)
    edges = low + np.arange(1, BINS) * width
    bounds = [0, *np.searchsorted(ordered, edges).tolist(), len(ordered)]
    return [int(count) for count in np.diff(bounds)]

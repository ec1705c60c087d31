"""What versions cost: a curve of 10 km and 50 edits of it, kept as ours, as whole Parquet files and as pandas writes.

    python bench/edits.py                all workloads, about a minute

Nothing is served: the blobs that a registry would keep are counted, each once, manifests and configs included. The
curve is generated (65,617 rows of 0.1524 m, three decimals); the edits are those that petrophysicists make.
"""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from rich.console import Console
from rich.table import Table

from dataforge_registry.core.curves.artifact.pack import pack, pack_index
from dataforge_registry.core.curves.artifact.packed import Previous
from dataforge_registry.core.curves.artifact.parquet import encode_table
from dataforge_registry.core.curves.model import Curve, Frame, Index
from dataforge_registry.core.curves.origin import Well

ROWS, STEP = 65_617, 1524
EDITS = 50
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Log:
    """ticks: int64, depth in 1e-4 m; values: float64 with three decimals, NaN where absent."""

    ticks: npt.NDArray[np.int64]
    values: Floats


Edit = Callable[[Log, np.random.Generator], Log]


def synthetic(rows: int = ROWS) -> Log:
    """A gamma ray: beds of some metres, noise within them, absent above the casing shoe."""
    random = np.random.default_rng(617)
    beds = np.repeat(random.uniform(20, 140, rows // 40 + 1), random.integers(10, 80, rows // 40 + 1))[:rows]
    beds = np.pad(beds, (0, rows - len(beds)), mode="edge")
    smooth = np.convolve(beds + random.normal(0, 9, rows), np.hanning(7) / np.hanning(7).sum(), mode="same")
    values = np.round(smooth, 3)
    values[:400] = np.nan
    return Log(np.arange(rows, dtype=np.int64) * STEP, values)


def despike(log: Log, random: np.random.Generator) -> Log:
    """100 samples of one interval of 30 m, put right one by one."""
    values = log.values.copy()
    start = int(random.integers(500, len(values) - 200))
    at = start + random.choice(200, 100, replace=False)
    values[at] = np.round(values[at] * random.uniform(0.8, 1.2, 100), 3)
    return replace(log, values=values)


def shift(log: Log, random: np.random.Generator) -> Log:
    """The whole curve up or down by up to 2 m."""
    return replace(log, ticks=log.ticks + int(random.integers(-20_000, 20_000)))


def append(log: Log, random: np.random.Generator) -> Log:
    """10 m more at the bottom."""
    more = 100_000 // STEP
    ticks = log.ticks[-1] + np.arange(1, more + 1, dtype=np.int64) * STEP
    walk = np.round(log.values[-1] + random.normal(0, 4, more).cumsum() * 0.3, 3)
    return Log(np.concatenate([log.ticks, ticks]), np.concatenate([log.values, walk]))


def splice(log: Log, random: np.random.Generator) -> Log:
    """150 m stretched by a few samples: what lies below moves by them."""
    rows = 1_500_000 // STEP
    start = int(random.integers(1000, len(log.values) - rows - 1000))
    longer = rows + int(random.integers(1, 8))
    piece = log.values[start : start + rows]
    stretched = np.round(np.interp(np.linspace(0, rows - 1, longer), np.arange(rows), piece), 3)
    values = np.concatenate([log.values[:start], stretched, log.values[start + rows :]])
    return Log(log.ticks[0] + np.arange(len(values), dtype=np.int64) * STEP, values)


def trim(log: Log, random: np.random.Generator) -> Log:
    """Some metres off the top."""
    off = int(random.integers(20, 200))
    return Log(log.ticks[off:], log.values[off:])


def recalibrate(log: Log, random: np.random.Generator) -> Log:
    """Every value by a gain and an offset."""
    return replace(log, values=np.round(log.values * random.uniform(0.97, 1.03) + random.uniform(-2, 2), 3))


def resample(log: Log, random: np.random.Generator) -> Log:
    """Every value read half a step further down."""
    del random
    return replace(log, values=np.round((log.values + np.roll(log.values, -1)) / 2, 3))


def mixed() -> list[Edit]:
    """20 despikes, 8 shifts, 8 appends, 8 splices, 4 trims, 2 calibrations, in an order that is always the same."""
    edits = [despike] * 20 + [shift] * 8 + [append] * 8 + [splice] * 8 + [trim] * 4 + [recalibrate] * 2
    order = np.random.default_rng(50).permutation(len(edits))
    return [edits[at] for at in order]


WORKLOADS: dict[str, list[Edit]] = {
    "mixed x50": mixed(),
    "despike 100 samples x50": [despike] * EDITS,
    "bulk depth shift x50": [shift] * EDITS,
    "append 10 m x50": [append] * EDITS,
    "splice, stretch 150 m x50": [splice] * EDITS,
    "trim the top x50": [trim] * EDITS,
    "recalibrate x5": [recalibrate] * 5,
    "resample x5": [resample] * 5,
}


def versions(edits: list[Edit]) -> Iterator[Log]:
    """The first version and one after each edit."""
    random = np.random.default_rng(7)
    log = synthetic()
    yield log
    for edit in edits:
        log = edit(log, random)
        yield log


def frame_of(log: Log) -> Frame:
    """The log as a frame with one curve, GR."""
    values = pa.array(log.values.astype(np.float32), from_pandas=True)
    index = Index("MD", "DEPT", "m", "M", log.ticks)
    return Frame(Well("BENCH 1"), "run-1", index, (Curve("GR", "GAPI", values, text_decimals=3),))


class Ours:
    """Unique bytes of blobs and manifests of all versions, and the least, mean and most that one version added."""

    def __init__(self) -> None:
        self._previous: Previous | None = None
        self._kept: set[str] = set()
        self.total = 0
        self.added: list[int] = []

    def add(self, log: Log) -> None:
        frame = frame_of(log)
        packed = pack(frame, frame.curves[0], "gr", pack_index(frame.index, frame.name), self._previous)
        new = {digest: len(data) for digest, data in packed.blobs.items() if digest not in self._kept}
        self._kept |= new.keys()
        self.added.append(sum(new.values()) + len(packed.raw))
        self.total += self.added[-1]
        config = packed.blobs[packed.manifest.config.digest] if packed.manifest.config else b""
        self._previous = Previous.parse(packed.raw, config)


def whole(log: Log) -> int:
    """One Parquet file a version, index and values, encoded as our layers are."""
    frame = frame_of(log)
    index = pa.array(log.ticks / 10_000, pa.float64()).cast(pa.decimal128(14, 4))
    return len(encode_table(pa.table({"MD": index, "GR": frame.curves[0].values}), {}))


def pandas_default(log: Log) -> int:
    """What `DataFrame.to_parquet` writes."""
    sink = io.BytesIO()
    pd.DataFrame({"MD": log.ticks / 10_000, "GR": log.values}).to_parquet(sink)
    return len(sink.getvalue())


def main() -> None:
    table = Table(title="Bytes kept for the first version and all edits (kB)")
    for column in ("workload", "ours", "mean of an edit", "whole files", "times", "pandas files", "times"):
        table.add_column(column, justify="left" if column == "workload" else "right")
    for name, edits in WORKLOADS.items():
        ours, files, naive = Ours(), 0, 0
        for log in versions(edits):
            ours.add(log)
            files += whole(log)
            naive += pandas_default(log)
        edit = sum(ours.added[1:]) / len(edits)
        table.add_row(
            name,
            *(f"{ours.total / 1000:,.0f}", f"{edit / 1000:,.1f}"),
            *(f"{files / 1000:,.0f}", f"{files / ours.total:.1f}"),
            *(f"{naive / 1000:,.0f}", f"{naive / ours.total:.1f}"),
        )
    Console(width=120).print(table)


if __name__ == "__main__":
    main()

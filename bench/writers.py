"""How fast curves become files: a frame of 65,617 rows and 10 curves, in each format, samples per second.

python bench/writers.py [ROWS CURVES]
Processor time, the best of five runs each; beside them lasio's and pandas' writers of the same table, once each. DLIS,
whose library takes each row by itself, once.
"""

import io
import sys
import time
from collections.abc import Callable

import lasio
import numpy as np
import pyarrow as pa

from dataforge_registry.core.curves.artifact.pack import pack, pack_index
from dataforge_registry.core.curves.artifact.read import read
from dataforge_registry.core.curves.model import Curve, Frame, Index
from dataforge_registry.core.curves.origin import Well
from dataforge_registry.core.curves.windows.aligned import Aligned, align
from dataforge_registry.core.curves.writers import Extent, Format, write

_RUNS = 5


def table(rows: int, curves: int) -> Aligned:
    """Smooth float32 curves of three decimals with 3 % absent, packed and read back."""
    chance = np.random.default_rng(1)
    index = Index("MD", "DEPT", "m", "M", 10_000_000 + 1_524 * np.arange(rows, dtype=np.int64))
    made = []
    for at in range(curves):
        values = np.cumsum(chance.normal(size=rows)).round(3).astype(np.float32)
        made.append(Curve(f"C{at}", "GAPI", pa.array(values, mask=chance.random(rows) < 0.03), text_decimals=3))
    frame = Frame(Well("Bench"), "log", index, tuple(made))
    layers = pack_index(index, "log")
    series = []
    for curve in made:
        packed = pack(frame, curve, "x", layers)
        series.append((packed.config, read(packed.raw, (layers.blobs | packed.blobs).__getitem__)))
    return align(series)


def timed(work: Callable[[], int], runs: int) -> tuple[float, int]:
    """Best seconds of the processor, and the bytes of the last run."""
    best, size = float("inf"), 0
    for _ in range(runs):
        started = time.process_time()
        size = work()
        best = min(best, time.process_time() - started)
    return best, size


def main() -> None:
    rows, curves = (int(word) for word in (sys.argv[1:3] if len(sys.argv) > 2 else ("65617", "10")))
    aligned = table(rows, curves)
    extent = Extent.of([aligned])
    print(f"{rows:,} rows x {curves} curves\n{'':24}{'seconds':>10}{'Msamples/s':>12}{'bytes':>14}")

    def ours(kind: Format) -> int:
        return sum(map(len, write(kind, list(aligned.chunks(kind.chunk_rows)), extent=extent)))

    frame = aligned.table.to_pandas()
    frame[aligned.kind] = frame[aligned.kind].astype(float)
    las = lasio.LASFile()
    las.set_data(frame.set_index(aligned.kind))
    works: dict[str, Callable[[], int]] = {kind.value: (lambda kind=kind: ours(kind)) for kind in Format}
    works["pandas to_csv"] = lambda: len(frame.to_csv(index=False, float_format="%.3f"))
    works["lasio write"] = lambda: _lasio(las)
    fast = {kind.value for kind in Format if kind is not Format.dlis}
    for name, work in works.items():
        seconds, size = timed(work, _RUNS if name in fast else 1)
        print(f"{name:24}{seconds:10.3f}{rows * curves / seconds / 1e6:12.2f}{size:14,}")


def _lasio(las: lasio.LASFile) -> int:
    sink = io.StringIO()
    las.write(sink, version=2.0, fmt="%.3f")
    return len(sink.getvalue())


if __name__ == "__main__":
    main()

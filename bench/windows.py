"""A 50 m window of a 10 km curve: requests, bytes and time, by our client and API, and by what reads whole files.

    python bench/windows.py              about two minutes

One server, one client, one machine; each of the windows lies elsewhere. Requests and bytes are the server's own count
of bodies. Cold: an empty cache; warm: the window before was of the same version.
"""

import http.client
import io
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from statistics import median

import lasio
import numpy as np
import pandas as pd
import polars as pl
from edits import Log, despike, synthetic
from registries import Registry, ours
from rich.console import Console
from rich.table import Table

import dataforge_registry
from dataforge_registry.core.oci.digest import Digest

WINDOWS, METRES = 200, 50
CURVE = "bench/bench-1/log/gr"


def las_text(log: Log) -> str:
    """The curve as LAS 2.0."""
    depth = log.ticks / 10_000
    head = f"~V\nVERS. 2.0:\nWRAP. NO:\n~W\nSTRT.M {depth[0]:.4f}:\nSTOP.M {depth[-1]:.4f}:\nSTEP.M 0.1524:\n"
    head += "NULL. -999.25:\nWELL. BENCH 1:\n~C\nDEPT.M:\nGR.GAPI:\n~A\n"
    values = np.where(np.isnan(log.values), -999.25, log.values)
    return head + "".join(f"{at:.4f} {value:.3f}\n" for at, value in zip(depth, values, strict=True))


class Counted:
    """Requests answered and bytes sent by a server, from its metrics."""

    def __init__(self, base: str) -> None:
        self._base = base

    def now(self) -> tuple[float, float]:
        with urllib.request.urlopen(f"{self._base}/metrics") as page:
            lines = page.read().decode().splitlines()
        requests = sum(float(line.split()[-1]) for line in lines if line.startswith("dfr_http_requests_total"))
        sent = sum(float(line.split()[-1]) for line in lines if line.startswith("dfr_http_sent_bytes_total"))
        return requests, sent


def measure(counted: Counted, read: Callable[[float], object], windows: list[float]) -> tuple[float, float, float]:
    """Mean requests, mean bytes and median milliseconds of a window."""
    page = counted.now()
    overhead = tuple(b - a for a, b in zip(page, counted.now(), strict=True))  # of asking for the metrics
    before, taken = counted.now(), []
    for start in windows:
        begun = time.perf_counter()
        read(start)
        taken.append(time.perf_counter() - begun)
    after = counted.now()
    mean = [(b - a - more) / len(windows) for a, b, more in zip(before, after, overhead, strict=True)]
    return mean[0], mean[1], median(taken) * 1000


def main() -> int:
    log = synthetic()
    edited = despike(log, np.random.default_rng(1))
    random = np.random.default_rng(50)
    windows = [round(float(at), 1) for at in random.uniform(100, 9_900, WINDOWS)]
    rows: list[tuple[str, float, float, float]] = []
    with tempfile.TemporaryDirectory(prefix="dfr-bench-") as work:
        Path(work).chmod(0o755)  # the private PostgreSQL runs as another user when this one is root
        files = Path(work)
        (files / "bench.las").write_text(las_text(log))
        registry = Registry(ours("hypercorn", 1), files / "server")
        try:
            base, counted = registry.base, Counted(registry.base)
            dfr = [sys.executable, "-m", "dataforge_registry.registry", "import"]
            command = [*dfr, str(files / "bench.las"), "--into", f"{base}/bench"]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            with dataforge_registry.connect(base, cache=None) as client:
                curve = client.curve(CURVE)
                curve.read()
                curve.commit((edited.ticks / 10_000, edited.values), operation="despike")

            def cold(start: float) -> object:
                with (
                    tempfile.TemporaryDirectory(dir=work) as cache,
                    dataforge_registry.connect(base, cache=cache) as fresh,
                ):
                    return fresh.curve(CURVE).read(depth=(start, start + METRES)).to_numpy()

            rows.append(("our client, cold", *measure(counted, cold, windows)))
            with dataforge_registry.connect(base, cache=files / "cache") as kept:
                warm_curve = kept.curve(CURVE)

                def warm(start: float) -> object:
                    return warm_curve.read(depth=(start, start + METRES)).to_numpy()

                for start in windows[:20]:
                    warm(start)
                rows.append(("our client, warm", *measure(counted, warm, windows)))
            connection = http.client.HTTPConnection(base.removeprefix("http://"))
            for kind in ("json", "csv", "arrow", "parquet"):

                def ask(start: float, kind: str = kind) -> object:
                    path = f"/api/v1/curves/{CURVE}/data?from={start}&to={start + METRES}&unit=m&format={kind}"
                    connection.request("GET", path)
                    answer = connection.getresponse()
                    body = answer.read()
                    if answer.status != 200:
                        raise RuntimeError(body)
                    return body

                rows.append((f"our API, {kind}", *measure(counted, ask, windows)))
            address = f"{base}/api/v1/files/{CURVE}@v2.parquet"

            def virtual(start: float) -> object:
                between = pl.col("MD").cast(pl.Float64).is_between(start, start + METRES)
                return pl.scan_parquet(address).filter(between).collect()

            rows.append(("polars, our virtual file", *measure(counted, virtual, windows[:50])))
            frame = pd.DataFrame({"MD": log.ticks / 10_000, "GR": log.values})
            sink = io.BytesIO()
            frame.to_parquet(sink)
            digest = Digest.of(sink.getvalue())
            upload = f"{base}/v2/bench/plain/blobs/uploads/?digest={digest}"
            urllib.request.urlopen(urllib.request.Request(upload, sink.getvalue(), method="POST")).close()
            plain = f"{base}/v2/bench/plain/blobs/{digest}"

            def ranged(start: float) -> object:
                return pl.scan_parquet(plain).filter(pl.col("MD").is_between(start, start + METRES)).collect()

            rows.append(("polars, file as pandas writes it", *measure(counted, ranged, windows[:50])))

            def whole(start: float) -> object:
                found = pd.read_parquet(plain)
                return found[(start <= found.MD) & (start + METRES >= found.MD)]

            rows.append(("pandas, the same file", *measure(counted, whole, windows[:50])))

            def las(start: float) -> object:
                found = lasio.read(str(files / "bench.las")).df()
                return found[(found.index >= start) & (found.index <= start + METRES)]

            size = (files / "bench.las").stat().st_size
            requests, _, taken = measure(counted, las, windows[:10])
            rows.append(("lasio, the LAS file on this disk", requests, float(size), taken))
        finally:
            registry.stop()
    table = Table(title=f"{METRES} m of {len(log.ticks):,} rows")
    for column in ("reader", "requests", "kB", "median ms"):
        table.add_column(column, justify="left" if column == "reader" else "right")
    for name, requests, sent, taken in rows:
        table.add_row(name, f"{requests:.1f}", f"{sent / 1000:,.1f}", f"{taken:.1f}")
    Console(width=100).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())

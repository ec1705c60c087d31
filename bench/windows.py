"""A 50 m window of a 10 km curve over HTTP: how long the answer takes, in each format.

    python bench/windows.py

One client, one connection, random windows of the second version of a curve of 65,617 samples; a server of its own.
"""

import http.client
import json
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
from registries import Registry, ours
from rich.console import Console
from rich.table import Table

from dataforge_registry.core.curves.model import Curve, Frame, Index, Well
from dataforge_registry.core.curves.pack import Packed, Previous, pack, pack_index
from dataforge_registry.core.oci import media

ROWS, STEP, WINDOWS = 65_617, 0.1524, 200
NAME = "bench/w1/log/gr"


def version(values: "np.ndarray[tuple[int], np.dtype[np.float32]]", parent: Packed | None) -> Packed:
    """A version of the curve."""
    index = Index("MD", "DEPT", "m", "M", np.arange(ROWS, dtype=np.int64) * 1524)
    frame = Frame(Well("w1"), "log", index, (Curve("GR", "gAPI", pa.array(values), text_decimals=3),))
    before = parent and Previous(parent.digest, parent.manifest, parent.config, parent.raw)
    return pack(frame, frame.curves[0], "gr", pack_index(index, "log"), before)


def push(connection: http.client.HTTPConnection, packed: Packed) -> None:
    """As a plain client does."""
    for digest, data in packed.blobs.items():
        ask(connection, "POST", f"/v2/{NAME}/blobs/uploads/?digest={digest}", data)
    ask(connection, "PUT", f"/v2/{NAME}/manifests/latest", packed.raw, {"Content-Type": media.OCI_MANIFEST})


def ask(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> bytes:
    """The body of an answer that went well."""
    connection.request(method, path, body, headers or {})
    answer = connection.getresponse()
    found = answer.read()
    assert answer.status < 300, found
    return found


def main() -> int:
    rng = np.random.default_rng(1)
    values = np.round(60 + 20 * np.sin(np.arange(ROWS) / 500) + rng.normal(0, 3, ROWS), 3).astype(np.float32)
    table = Table("format", "p50, ms", "p95, ms", "bytes")
    with tempfile.TemporaryDirectory(prefix="dfr-bench-") as folder:
        Path(folder).chmod(0o755)  # the private PostgreSQL runs as another user when this one is root
        registry = Registry(ours("hypercorn", 1), Path(folder) / "server")
        try:
            connection = http.client.HTTPConnection(registry.base.removeprefix("http://"))
            first = version(values, None)
            push(connection, first)
            edited = values.copy()
            edited[30_000:30_100] -= 5
            second = version(edited, first)
            push(connection, second)
            layers = len(json.loads(second.raw)["layers"])
            for kind in ("json", "csv", "arrow", "parquet"):
                times, size = [], 0
                for _ in range(WINDOWS):
                    top = random.uniform(0, (ROWS - 1) * STEP - 50)
                    path = f"/api/v1/curves/{NAME}/data?from={top:.2f}&to={top + 50:.2f}&format={kind}"
                    start = time.perf_counter()
                    size += len(ask(connection, "GET", path))
                    times.append(time.perf_counter() - start)
                ranks = statistics.quantiles(times, n=20)
                table.add_row(kind, f"{ranks[9] * 1000:.1f}", f"{ranks[18] * 1000:.1f}", str(size // WINDOWS))
        finally:
            registry.stop()
    Console().print(f"{ROWS:,} samples in {layers} layers, {WINDOWS} windows of 50 m each")
    Console().print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())

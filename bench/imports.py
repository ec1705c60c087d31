"""A field's files into a registry, beside what lasio takes to read them alone.

    python bench/imports.py FOLDER       LAS, DLIS and LIS files, read from wherever they are

lasio reads each LAS file that the import takes; `dfr import` reads, hashes, packs and pushes them all to a server on
the same machine, each push on disk before it is answered. Both start as processes; the best of three runs counts.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from registries import Registry, ours
from rich.console import Console
from rich.table import Table

RUNS = 3
LASIO = """
import sys, warnings, logging, contextlib, io
warnings.simplefilter("ignore"); logging.disable(logging.CRITICAL)
import lasio
for name in sys.argv[1:]:
    with contextlib.suppress(Exception), contextlib.redirect_stderr(io.StringIO()):
        lasio.read(name)
"""


def timed(command: list[str]) -> tuple[float, float]:
    """Wall seconds and CPU seconds of a process and its children."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    dfr = [sys.executable, "-m", "dataforge_registry.registry", "import"]
    las = sorted(path for path in folder.rglob("*") if path.suffix.lower() == ".las")
    with tempfile.TemporaryDirectory(prefix="dfr-bench-") as work:
        Path(work).chmod(0o755)  # the private PostgreSQL runs as another user when this one is root
        report = Path(work) / "report.json"
        registry = Registry(ours("hypercorn", 1), Path(work) / "server")
        try:
            rows: list[tuple[str, float, float]] = []
            timed([*dfr, *map(str, las), "--into", f"{registry.base}/warm"])
            taken = [timed([sys.executable, "-c", LASIO, *map(str, las)]) for _ in range(RUNS)]
            rows.append((f"lasio.read of {len(las)} LAS files", *min(taken)))
            into = [f"{registry.base}/las{run}" for run in range(RUNS)]
            taken = [timed([*dfr, *map(str, las), "--into", where, "--report", str(report)]) for where in into]
            rows.append(("dfr import of the same files", *min(taken)))
            again = timed([*dfr, *map(str, las), "--into", into[-1]])
            rows.append(("the same once more (nothing is sent)", *again))
            totals = json.loads(report.read_text())
            everything = timed([*dfr, str(folder), "--into", f"{registry.base}/all"])
            rows.append(("dfr import of the whole folder", *everything))
        finally:
            registry.stop()
    table = Table(title=f"{os.cpu_count()} cores, client and server")
    for column in ("what", "wall s", "CPU s of the client"):
        table.add_column(column, justify="left" if column == "what" else "right")
    for name, wall, cpu in rows:
        table.add_row(name, f"{wall:.2f}", f"{cpu:.2f}")
    console = Console(width=120)
    console.print(table)
    console.print(json.dumps({key: value for key, value in totals.items() if not isinstance(value, list)}, indent=1))
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    console.print(f"most memory of any one process started here: {peak:,.0f} MiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())

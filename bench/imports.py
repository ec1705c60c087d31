"""A field's files into a registry, beside what lasio takes to read them alone.

    python bench/imports.py FOLDER       LAS, DLIS and LIS files, read from wherever they are

What is compared: lasio reads each LAS file once, in one process, on one core, and keeps nothing. `dfr import` reads,
hashes, packs and pushes the same files on all cores, to a server and a PostgreSQL on the same cores, each push on disk
before it is answered; so its wall time is beside lasio's, and the CPU seconds of all three stand beside it. Both start
as processes whose modules are compiled, as an installation leaves them, and are in the page cache: an import into
another project comes first. They take turns, so that what else the machine does meets both; the best wall time of each
counts. What follows from pushes (verdicts, copies of manifests) waits for them to pause, and each run for what follows
from the one before; its CPU has a row of its own.
"""

import argparse
import compileall
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from registries import Registry, descendants, ours
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


RESTS, IDLE = 5, 0.1
"""Seconds, and the CPU seconds of each of them below which a server rests."""
COUNT = "dfr_http_request_seconds_count"


@dataclass(frozen=True)
class Run:
    """Wall seconds; CPU seconds of a command with its children, and of server and PostgreSQL meanwhile; requests."""

    wall: float
    client: float
    server: float = 0.0
    postgres: float = 0.0
    requests: int = 0


def timed(command: list[str], server: "Served | None" = None) -> Run:
    """A command, from its start to its end."""
    told = server.told() if server else (0.0, 0.0, 0)
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    if server is None:
        return Run(wall, cpu)
    own, postgres, requests = (now - then for now, then in zip(server.told(), told, strict=True))
    return Run(wall, cpu, own, postgres, int(requests))


class Served:
    """What a registry on this machine has used so far."""

    def __init__(self, registry: Registry, process: int, folder: Path) -> None:
        self._base, self._process = registry.base, process
        self._postgres = int((folder / "postgres" / "data" / "postmaster.pid").read_text().split()[0])

    def told(self) -> tuple[float, float, int]:
        """CPU seconds of the server with its sandboxes, of PostgreSQL, and requests; /metrics is one of them."""
        with urllib.request.urlopen(self._base + "/metrics") as answer:
            lines = answer.read().decode().splitlines()
        requests = sum(int(float(line.rpartition(" ")[2])) for line in lines if line.startswith(COUNT)) - 1
        postgres = set(descendants(self._postgres))
        return _cpu(set(descendants(self._process)) - postgres), _cpu(postgres), requests

    def settled(self) -> Run:
        """What it does once nobody asks: until it has rested for as long as its longest pause between two looks."""
        before, start, rested = self.told(), time.perf_counter(), 0
        last = before
        while rested < RESTS:
            time.sleep(1)
            now = self.told()
            rested = rested + 1 if sum(now[:2]) - sum(last[:2]) < IDLE else 0
            last = now
        wall = time.perf_counter() - start - RESTS
        return Run(wall, 0.0, last[0] - before[0], last[1] - before[1], last[2] - before[2])


def _cpu(processes: set[int]) -> float:
    ticks = 0
    for process in processes:
        with suppress(OSError):  # it has ended
            ticks += sum(map(int, Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    for part in ("core", "drivers", "registry"):
        compileall.compile_dir(Path(__file__).parents[1] / part, quiet=2)
    dfr = [sys.executable, "-m", "dataforge_registry.registry", "import"]
    las = sorted(path for path in folder.rglob("*") if path.suffix.lower() == ".las")
    files = list(map(str, las))
    with tempfile.TemporaryDirectory(prefix="dfr-bench-") as work:
        Path(work).chmod(0o755)  # the private PostgreSQL runs as another user when this one is root
        report = Path(work) / "report.json"
        registry = Registry(ours("hypercorn", 1), Path(work) / "server")
        try:
            served = Served(registry, registry.process, Path(work) / "server")
            timed([*dfr, *files, "--into", f"{registry.base}/warm"])
            served.settled()
            alone, first, behind, again = [], [], [], []
            for run in range(RUNS):
                into = f"{registry.base}/las{run}"
                alone.append(timed([sys.executable, "-c", LASIO, *files]))
                first.append(timed([*dfr, *files, "--into", into, "--report", str(report)], served))
                behind.append(served.settled())
                again.append(timed([*dfr, *files, "--into", into], served))
            totals = json.loads(report.read_text())
            everything = timed([*dfr, str(folder), "--into", f"{registry.base}/all"], served)
        finally:
            registry.stop()
    rows = {
        f"lasio.read of {len(las)} LAS files": min(alone, key=lambda run: run.wall),
        "dfr import of the same files": min(first, key=lambda run: run.wall),
        "what follows from it, behind it": min(behind, key=lambda run: run.wall),
        "the same once more (nothing is sent)": min(again, key=lambda run: run.wall),
        "dfr import of the whole folder": everything,
    }
    table = Table(title=f"{os.cpu_count()} cores for client, server and PostgreSQL")
    for column in ("what", "wall s", "CPU s: client", "server", "PostgreSQL", "requests"):
        table.add_column(column, justify="left" if column == "what" else "right")
    for name, run in rows.items():
        parts = (run.wall, run.client, run.server, run.postgres)
        table.add_row(name, *(f"{part:.2f}" for part in parts), str(run.requests))
    console = Console(width=120)
    console.print(table)
    console.print(json.dumps({key: value for key, value in totals.items() if not isinstance(value, list)}, indent=1))
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    console.print(f"most memory of any one process started here: {peak:,.0f} MiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())

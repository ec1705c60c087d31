"""The Python API over a real registry: reading windows, wells, and what comes out."""

import asyncio
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dataforge_registry
from dataforge_registry.core.curves.artifact.layout import Layout
from dataforge_registry.core.curves.errors import CurveError
from dataforge_registry.core.oci.errors import ManifestUnknown, RegistryError
from dataforge_registry.registry.client.wells import WellImport, open_las

from .proxy import proxied


def bring(url: str, project: str, content: bytes, frame: str | None = None) -> None:
    async def work() -> None:
        async with dataforge_registry.connect_async(url, cache=None) as registry:
            await WellImport(registry.remote, project).push(open_las(content, "x.las", frame))

    asyncio.run(work())


@pytest.fixture(scope="module")
def registry(open_server: Any, logs: Any) -> Iterator[Any]:
    curves = {"GR": logs.smooth(4_000), "RHOB": logs.smooth(4_000, 1)}
    bring(open_server.url, "api", logs.las("Api 1", curves))
    bring(open_server.url, "api", logs.las("Api 1", {"GR": logs.smooth(500, 2), "DT": logs.smooth(500, 3)}), "run two")
    with dataforge_registry.connect(open_server.url, cache=None) as registry:
        yield registry


def test_wells_and_curves_are_listed(registry: Any) -> None:
    assert registry.wells("api") == ["api/api-1"]
    assert "api/api-1" in registry.wells()
    listed = registry.well("api/api-1").curves()
    assert [each.reference for each in listed] == [
        "api/api-1/log/gr",
        "api/api-1/log/rhob",
        "api/api-1/run-two/dt",
        "api/api-1/run-two/gr",
    ]
    assert (listed[0].mnemonic, listed[0].family, listed[0].rows, listed[0].index_unit) == (
        "GR",
        "gamma_ray",
        4_000,
        "m",
    )
    assert len(registry.well("api/api-1/run-two").curves()) == 2


def test_a_window_of_a_curve(registry: Any, logs: Any) -> None:
    log = registry.curve("api/api-1/log/gr").read(depth=(1500, 1510.25))
    assert len(log) == 21
    expected = logs.smooth(4_000)[1000:1021]
    assert log.index.tolist() == [1500 + row / 2 for row in range(21)]
    assert np.allclose(log["GR"], expected, atol=1e-3, equal_nan=True)
    assert len(registry.curve("api/api-1/log/gr").read()) == 4_000
    assert len(registry.curve("api/api-1/log/gr").read(depth=(None, 1000))) == 1
    feet = registry.curve("api/api-1/log/gr").read(depth=(1499.9 / 0.3048, 1510.1 / 0.3048), unit="ft")
    assert (len(feet), feet.unit) == (21, "ft")
    assert feet.index[0] == pytest.approx(1500 / 0.3048)


def test_the_header_and_the_versions(registry: Any) -> None:
    curve = registry.curve("api/api-1/log/gr")
    assert (curve.config.mnemonic, curve.info().index.unit, curve.config.stats.count) == ("GR", "m", 4_000)
    (version,) = curve.versions()
    assert (version.number, version.tags, version.digest) == (1, ("latest",), curve.digest)
    assert registry.curve("api/api-1/log/gr", 1).digest == registry.curve("api/api-1/log/gr:v1").digest == curve.digest
    (first,) = curve.history()
    assert first.lineage is not None
    assert (first.number, first.lineage.operation, first.parent) == (1, "import", "")


def test_curves_of_a_well_side_by_side(registry: Any) -> None:
    well = registry.well("api/api-1")
    log = well.read(["GR", "RHOB"], depth=(1100, 1110), frame="log")
    assert log.to_arrow().column_names == ["MD", "GR", "RHOB"]
    assert (len(log), log.unit) == (21, "m")
    stepped = well.read(["log/gr", "run-two/dt"], depth=(1100, 1110), step=0.25)
    assert stepped.to_arrow().column_names == ["MD", "GR", "DT"]
    assert np.diff(stepped.index).tolist() == [0.25] * 40
    assert well.read(["bulk_density"]).to_arrow().column_names == ["MD", "RHOB"]
    assert len(well.read(frame="run-two").to_arrow().column_names) == 3


@pytest.mark.parametrize(
    ("names", "frame", "said"),
    [
        (["GR"], None, "log/gr, run-two/gr"),
        (["NPHI"], None, "there are DT, GR, RHOB"),
        (["GR"], "three", "no frame 'three'"),
        ([], None, "at least one"),
    ],
)
def test_what_a_well_cannot_tell_is_said(registry: Any, names: list[str], frame: str | None, said: str) -> None:
    with pytest.raises(CurveError, match=said):
        registry.well("api/api-1").read(names, frame=frame)


def test_what_is_not_there_is_said(registry: Any) -> None:
    with pytest.raises(ManifestUnknown, match="dfr ls"):
        registry.curve("api/api-1/log/nphi").read()
    with pytest.raises(ManifestUnknown, match="no well"):
        registry.well("api/nothing").curves()
    with pytest.raises(CurveError, match="upside down"):
        registry.curve("api/api-1/log/gr").read(depth=(2, 1))
    with pytest.raises(CurveError, match="pair"):
        registry.curve("api/api-1/log/gr").read(depth=5)
    with pytest.raises(CurveError, match="is no curve"):
        registry.curve("api/api-1")


def test_a_registry_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dataforge_registry.registry.client.transport.ATTEMPTS", 1)
    with dataforge_registry.connect("http://127.0.0.1:9", cache=None) as registry, pytest.raises(RegistryError):
        registry.wells()


def test_every_way_out(registry: Any, tmp_path: Path) -> None:
    log = registry.curve("api/api-1/log/gr").read(depth=(1000, 1010))
    frame = log.to_pandas()
    assert (frame.index.name, list(frame.columns), frame.index.dtype) == ("MD", ["GR"], np.float64)
    assert np.isnan(frame["GR"].iloc[0]) and frame["GR"].dtype == np.float32
    assert log.to_polars()["GR"].null_count() == 1
    assert log.to_arrow().column("GR").null_count == 1
    assert log.to_xarray()["GR"].attrs["units"] == "GAPI"
    assert log.to_xarray().attrs["well"] == "Api 1"
    content = log.to_las(tmp_path / "out.las").read_text()
    assert "Api 1" in content and "1010.0" in content
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # welly uses what matplotlib and pandas are about to take away
        well = log.to_welly()
    assert len(well.data["GR"].values) == 21


def test_a_las_file_keeps_the_header_it_came_with(open_server: Any, registry: Any, logs: Any, tmp_path: Path) -> None:
    line = "RMF .OHMM 0.31 : Resistivity of mud filtrate"
    curves = {"GR": logs.smooth(40), "SP": logs.smooth(40, 1)}
    content = logs.las("Header 1", curves, extra=f"~Parameter\n{line}\n")
    bring(open_server.url, "api-header", content)
    gr = registry.curve("api-header/header-1/log/gr")
    well = registry.well("api-header/header-1")
    logs_ = [gr.read(), gr.read(unit="ft"), gr.read(depth=(1001, 1002)), well.read(), well.read(["SP"])]
    for number, log in enumerate(logs_):
        assert line in log.to_las(tmp_path / f"{number}.las").read_text()

    async def awaited() -> list[bool]:
        async with dataforge_registry.connect_async(open_server.url, cache=None) as twin:
            log = await twin.well("api-header/header-1").read()
            plain = log.to_las(tmp_path / "plain.las").read_text()
            assert await log.original.fetched() == content
            return [line in text for text in (plain, log.to_las(tmp_path / "full.las").read_text())]

    assert asyncio.run(awaited()) == [False, True]


def test_it_works_inside_a_running_loop(registry: Any) -> None:
    async def cell() -> int:
        return len(registry.curve("api/api-1/log/gr").read(depth=(1000, 1010)))

    assert asyncio.run(cell()) == 21


@pytest.mark.asyncio
async def test_the_asynchronous_twin(open_server: Any, registry: Any) -> None:
    async with dataforge_registry.connect_async(open_server.url, cache=None) as twin:
        curve = twin.curve("api/api-1/log/gr")
        log = await curve.read(depth=(1000, 1010))
        assert len(log) == 21
        with pytest.raises(CurveError, match=r"await curve\.info"):
            log.to_xarray()
        await curve.info()
        assert log.to_xarray().sizes == {"MD": 21}
        assert await twin.wells("api") == ["api/api-1"]


@pytest.mark.asyncio
async def test_a_window_costs_three_requests_cold_and_one_warm(open_server: Any, logs: Any, tmp_path: Path) -> None:
    """A 50 m window of a 10 km curve (curves.md: at most 22 kB and 15 kB)."""
    rows = 65_617
    head = logs.las("Long 1", {"GR": logs.smooth(4)}).decode().split("~A\n")[0].replace("STEP.M 0.5", "STEP.M 0.1524")
    depths = np.arange(rows) * 0.1524 + 1000
    body = "\n".join(
        f"{depth:.4f} {-999.25 if np.isnan(value) else value:.3f}"
        for depth, value in zip(depths, logs.smooth(rows), strict=True)
    )
    content = f"{head.replace('STOP.M 1001.5', f'STOP.M {depths[-1]:.4f}')}~A\n{body}\n".encode()
    await asyncio.to_thread(bring, open_server.url, "window", content)
    async with (
        proxied(open_server.url) as proxy,
        dataforge_registry.connect_async(proxy.url, cache=tmp_path) as registry,
    ):
        curve = registry.curve("window/long-1/log/gr")
        versions = await curve.open()
        layout = Layout.of(versions.manifest)
        start = (layout.marks[8] + layout.marks[9]) / 20_000 - 25
    async with (
        proxied(open_server.url) as proxy,
        dataforge_registry.connect_async(proxy.url, cache=tmp_path / "cold") as registry,
    ):
        curve = registry.curve("window/long-1/log/gr")
        log = await curve.read(depth=(start, start + 50))
        assert len(log) in (328, 329)
        assert len(proxy.requests) == 2
        assert proxy.received <= 22_000
        proxy.reset()
        again = await curve.read(depth=(start, start + 50))
        assert again.exact == log.exact
        assert len(proxy.requests) == 1
        assert proxy.received == 0


def test_the_import_loads_nothing_large() -> None:
    program = "import sys, dataforge_registry; print([n for n in sys.modules if n in ('pyarrow', 'numpy', 'aiohttp')])"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_process_that_forked_reads_on(registry: Any) -> None:
    program = f"""
import os, dataforge_registry
registry = dataforge_registry.connect({registry.url!r}, cache=None)
curve = registry.curve("api/api-1/log/gr")
assert len(curve.read(depth=(1000, 1010))) == 21
child = os.fork()
if child == 0:
    os._exit(0 if len(curve.read(depth=(1000, 1010))) == 21 else 1)
_, status = os.waitpid(child, 0)
raise SystemExit(os.waitstatus_to_exitcode(status))
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_the_catalogue_is_searched(registry: Any) -> None:
    found = registry.search("family=gamma_ray", depth=(1000, 1010), project="api")
    assert {(each["mnemonic"], each["frame"]) for each in found} == {("GR", "log"), ("GR", "run two")}
    assert len(registry.search(project="api", limit=3)) == 3
    assert registry.search(depth=(9_000, None), project="api") == []
    with pytest.raises(RegistryError, match="nosuch"):
        registry.search("nosuch=1")


def test_a_curve_keeps_the_connections_that_it_needs(open_server: Any, registry: Any) -> None:
    """Of `connect(...).curve(...)` nothing but the curve is held; at the end of the program nothing is left open."""
    script = (
        "import dataforge_registry, sys\n"
        "held = dataforge_registry.connect(sys.argv[1], cache=None).curve('api/api-1/log/gr')\n"
        "print(len(held.read(depth=(1000, 1010)).to_pandas()))\n"
        "held = dataforge_registry.connect(sys.argv[1], cache=None).well('api/api-1/log')\n"
        "print(len(held.curves()))\n"
    )
    done = subprocess.run([sys.executable, "-c", script, open_server.url], capture_output=True, text=True)
    assert (done.stdout.split(), done.stderr) == (["21", "2"], "")

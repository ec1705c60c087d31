"""`dfr import` of a DataForge folder: versions in order, what is there found in the history, bad blobs one by one."""

import asyncio
import hashlib
import io
import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dataforge_registry.core.curves.names import Reference
from dataforge_registry.registry.client.credentials import ANONYMOUS
from dataforge_registry.registry.client.curve import AsyncCurve
from dataforge_registry.registry.client.curves import list_curves
from dataforge_registry.registry.client.history import Opened, open_version
from dataforge_registry.registry.client.remote import RemoteRegistry

DEPTH = [100.0, 100.5, 101.0]
A, B, C, D = ([value, None, 57.0] for value in (55.0, 60.0, 65.0, 70.0))
Values = list[float | None]


def blob(folder: Path, values: Values, name: str = "GR") -> Path:
    """A Parquet file at the place its hash gives it."""
    sink = io.BytesIO()
    pq.write_table(pa.table({"DEPTH": DEPTH, name: values}), sink)
    digest = hashlib.sha256(sink.getvalue()).hexdigest()
    path = folder / "blobs" / digest[:2] / digest[2:4] / f"{digest}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(sink.getvalue())
    return path


def write(folder: Path, gr: list[Values], parents: dict[int, int] | None = None) -> list[Path]:
    """A folder with versions of GR, rows out of order, and one version of RHOB; the blobs of GR."""
    blobs = [blob(folder, values) for values in gr]
    rhob = blob(folder, [2.1, 2.2, 2.3], "RHOB")
    rows = [
        {"version_id": number, "curve_id": 1, "version": number, "blob_hash": path.stem, "operation": f"edit {number}",
         "message": "why", "author": "ann", "parent_version_id": (parents or {}).get(number)}
        for number, path in enumerate(blobs, 1)
    ]  # fmt: skip
    tables: dict[str, list[dict[str, Any]]] = {
        "workspace": [{"workspace_id": 7, "name": "Well 7"}],
        "curve": [
            {"curve_id": 1, "workspace_id": 7, "name": "GR", "unit": "gAPI"},
            {"curve_id": 2, "workspace_id": 7, "name": "RHOB", "well": "Other 1", "frame": "run 1"},
        ],
        "curve_version": [*reversed(rows), {"version_id": 99, "curve_id": 2, "version": 1, "blob_hash": rhob.stem}],
        "blob_registry": [{"blob_hash": path.stem} for path in {*blobs, rhob}],
    }
    for name, found in tables.items():
        (folder / f"{name}.json").write_text(json.dumps(found))
    return blobs


def bring(server: Any, project: str, *arguments: object, code: int = 0) -> tuple[dict[str, Any], str]:
    """The report of an import, and what it said."""
    report = Path(str(arguments[0])).parent / "report.json"
    command = [sys.executable, "-m", "dataforge_registry.registry", "import", *map(str, arguments), "--into", project]
    environment = {**os.environ, "DFR_REGISTRY": server.url, "DFR_USERNAME": "", "COLUMNS": "200"}
    done = subprocess.run(
        [*command, "--report", str(report)], env=environment, capture_output=True, text=True, timeout=200, check=False
    )
    said = done.stdout + done.stderr
    assert done.returncode == code and "Traceback" not in said, said
    found: dict[str, Any] = json.loads(report.read_text())
    return found, said


def history(server: Any, name: str) -> dict[str, Opened]:
    """Versions of a curve by their tags, `latest` too."""

    async def ask() -> dict[str, Opened]:
        async with RemoteRegistry(server.url, ANONYMOUS) as registry:
            tags = await registry.repository(name).tags()
            return {tag: await open_version(registry, Reference.parse(f"{name}:{tag}")) for tag in sorted(tags)}

    return asyncio.run(ask())


def values(server: Any, name: str) -> list[Values]:
    """Of each version of a curve, in order."""

    async def ask() -> list[Values]:
        async with RemoteRegistry(server.url, ANONYMOUS) as registry:
            numbers = sorted(int(tag[1:]) for tag in await registry.repository(name).tags() if tag[0] == "v")
            opened = [await open_version(registry, Reference.parse(f"{name}:v{number}")) for number in numbers]
            return [(await version.read()).column(1).to_pylist() for version in opened]

    return asyncio.run(ask())


def edit(server: Any, name: str, new: Values) -> None:
    async def push() -> None:
        async with RemoteRegistry(server.url, ANONYMOUS) as registry:
            curve = AsyncCurve(registry, Reference.parse(name))
            await curve.commit(
                (DEPTH, [math.nan if value is None else value for value in new]), operation="edit", whole=True
            )

    asyncio.run(push())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "forge"
    path.mkdir()
    return path


def test_versions_come_in_order_and_a_second_run_sends_nothing(open_server: Any, folder: Path) -> None:
    write(folder, [A, B, C], parents={2: 1, 3: 1})
    report, said = bring(open_server, "forge-order", folder.parent)
    assert (report["imported"], report["new_versions"], report["curves"]) == (4, 4, 4), said
    assert report["wells"] == ["forge-order/other-1", "forge-order/well-7"]
    assert [Path(file["file"]).name for file in report["files"]] == ["RHOB v1", "GR v1", "GR v2", "GR v3"]
    assert values(open_server, "forge-order/well-7/log/gr") == [A, B, C]
    versions = history(open_server, "forge-order/well-7/log/gr")
    first, third = versions["v1"].version, versions["v3"].version
    assert versions["latest"].version.digest == third.digest
    assert third.manifest.annotations["io.dataforge.parent"] == first.digest  # not v2: so the tables have it
    lineage = third.config.lineage
    assert lineage is not None and (lineage.operation, lineage.message) == ("edit 3", "why")
    assert lineage.parameters == {"author": "ann", "version": "v3"}
    assert third.config.unit == "gAPI"

    again, _ = bring(open_server, "forge-order", folder)
    assert (again["unchanged"], again["new_versions"], again["bytes_sent"]) == (4, 0, 0)
    assert len(history(open_server, "forge-order/well-7/log/gr")) == 4


def test_an_edit_on_top_stays_until_the_folder_has_more(open_server: Any, folder: Path) -> None:
    name = "forge-edit/well-7/log/gr"
    write(folder, [A, B])
    bring(open_server, "forge-edit", folder)
    edit(open_server, name, D)
    before = history(open_server, name)["latest"].version.digest
    report, _ = bring(open_server, "forge-edit", folder)
    assert (report["unchanged"], report["bytes_sent"]) == (3, 0)
    assert history(open_server, name)["latest"].version.digest == before

    async def listed() -> list[str]:
        async with RemoteRegistry(open_server.url, ANONYMOUS) as registry:
            return [line.digest for line in await list_curves(registry, Reference.parse("forge-edit/well-7"))]

    write(folder, [A, B, C])
    report, _ = bring(open_server, "forge-edit", folder)
    assert (report["refused"], report["new_versions"]) == (0, 1)
    assert values(open_server, name) == [A, B, D, C]
    versions = history(open_server, name)
    assert versions["v4"].version.manifest.annotations["io.dataforge.parent"] == versions["v2"].version.digest
    assert asyncio.run(listed()) == [versions["v4"].version.digest]
    edit(open_server, name, D)
    report, _ = bring(open_server, "forge-edit", folder, "--again")
    assert report["new_versions"] == 1
    versions = history(open_server, name)
    assert versions["latest"].version.digest == versions["v4"].version.digest


def test_values_that_come_back_are_a_version(open_server: Any, folder: Path) -> None:
    name = "forge-back/well-7/log/gr"
    write(folder, [A, B, A], parents={2: 1, 3: 1})
    bring(open_server, "forge-back", folder)
    assert values(open_server, name) == [A, B, A]
    report, _ = bring(open_server, "forge-back", folder)
    assert report["bytes_sent"] == 0 and values(open_server, name) == [A, B, A]


def test_what_was_cut_off_goes_on(open_server: Any, folder: Path) -> None:
    """What is left of an import that ended behind its first version is a folder with one version less."""
    write(folder, [A])
    bring(open_server, "forge-cut", folder)
    write(folder, [A, B, C])
    report, _ = bring(open_server, "forge-cut", folder)
    assert (report["new_versions"], report["refused"]) == (2, 0)
    assert values(open_server, "forge-cut/well-7/log/gr") == [A, B, C]


def test_a_bad_blob_is_refused_by_name_and_the_others_go_on(open_server: Any, folder: Path) -> None:
    name = "forge-bad/well-7/log/gr"
    blobs = write(folder, [A, B, C])
    content = blobs[1].read_bytes()
    blobs[1].write_bytes(content[:-1] + b"?")
    report, said = bring(open_server, "forge-bad", folder, code=1)
    assert (report["refused"], report["imported"]) == (1, 3)
    bad = next(file for file in report["files"] if file["status"] == "refused")
    assert bad["file"].endswith("forge/Well 7/GR v2")
    assert bad["reason"].startswith(f"blobs/{blobs[1].stem[:2]}/") and "changed or damaged" in bad["reason"]
    assert "3 imported, 1 refused" in said
    assert values(open_server, name) == [A, C]

    blobs[1].unlink()
    report, _ = bring(open_server, "forge-bad", folder, code=1)
    assert next(file for file in report["files"] if file["status"] == "refused")["reason"].endswith("is missing")
    assert report["bytes_sent"] == 0

    blobs[1].write_bytes(content)  # mended: it does not go on top of what came after it, unless that is asked for
    report, said = bring(open_server, "forge-bad", folder, code=1)
    assert "a version that came after it is in the registry; --again" in said and report["new_versions"] == 0
    assert values(open_server, name) == [A, C]
    bring(open_server, "forge-bad", folder, "--again")
    assert values(open_server, name) == [A, C, B, C]
    report, _ = bring(open_server, "forge-bad", folder)
    assert report["bytes_sent"] == 0 and report["unchanged"] == 4


def test_names_that_are_given_and_tables_that_cannot_be_used(open_server: Any, folder: Path) -> None:
    write(folder, [A, B])
    dry, _ = bring(open_server, "forge-names", folder, "--well", "Given 1", "--frame", "main", "--dry-run")
    wet, _ = bring(open_server, "forge-names", folder, "--well", "Given 1", "--frame", "main")
    same = ("imported", "curves", "new_versions", "samples", "wells", "frames")
    assert [dry[key] for key in same] == [wet[key] for key in same]
    assert wet["frames"] == ["forge-names/given-1/main", "forge-names/other-1/main"]
    (folder / "curve.json").write_text("{nope")
    (folder.parent / "good.las").write_text(
        "~V\nVERS. 2 :\nWRAP. NO :\n~W\nSTRT.M 1 :\nSTOP.M 2 :\nSTEP.M 1 :\nNULL. -9 :\nWELL. Good :\n"
        "~C\nDEPT.M :\nGR.GAPI :\n~A\n1 1\n2 2\n"
    )
    report, said = bring(open_server, "forge-names", folder.parent, code=1)
    assert (report["imported"], report["refused"]) == (1, 1)
    assert "curve.json cannot be read" in said

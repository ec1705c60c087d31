"""`dfr import` over folders that are not tidy, cut off in the middle, with files that break what reads them."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from dataforge_registry.core.curves.names import Reference
from dataforge_registry.core.curves.schema import parse_manifest
from dataforge_registry.core.importing.asked import Reading
from dataforge_registry.core.importing.importer import Importer
from dataforge_registry.core.importing.reading import read_in
from dataforge_registry.core.oci.errors import DigestInvalid, ManifestUnknown
from dataforge_registry.core.sandbox import Sandbox
from dataforge_registry.registry.client.credentials import ANONYMOUS
from dataforge_registry.registry.client.curves import list_curves, open_curve
from dataforge_registry.registry.client.remote import RemoteRegistry

PROGRAM = [sys.executable, "-m", "dataforge_registry.registry", "import"]


def environment(server: Any) -> dict[str, str]:
    return {**os.environ, "DFR_REGISTRY": server.url, "DFR_USERNAME": "", "COLUMNS": "200"}


def start(server: Any, *arguments: object) -> "subprocess.Popen[str]":
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([*PROGRAM, *map(str, arguments)], env=environment(server), **pipes)


def bring(server: Any, project: str, *arguments: object, code: int = 0) -> dict[str, Any]:
    """The report of an import."""
    report = Path(str(arguments[0])).parent / "report.json"
    process = start(server, *arguments, "--into", project, "--report", report)
    said = process.communicate(timeout=200)
    assert process.returncode == code, said
    assert "Traceback" not in said[1]
    found: dict[str, Any] = json.loads(report.read_text())
    return found


def by_name(report: dict[str, Any]) -> dict[str, str]:
    return {Path(file["file"]).name: file["status"] for file in report["files"]}


def tags(server: Any, name: str) -> list[str]:
    async def ask() -> list[str]:
        async with RemoteRegistry(server.url, ANONYMOUS) as registry:
            return await registry.repository(name).tags()

    return asyncio.run(ask())


@pytest.fixture
def field(tmp_path: Path) -> Path:
    folder = tmp_path / "field"
    folder.mkdir()
    return folder


def wait_for(found: Any) -> Any:
    end = time.monotonic() + 60
    while not (seen := found()):
        assert time.monotonic() < end
        time.sleep(0.01)
    return seen


def test_an_untidy_folder(open_server: Any, logs: Any, field: Path) -> None:
    good = logs.las("Untidy 1", {"GR": logs.smooth(50)})
    (field / "a.las").write_bytes(good)
    (field / "deep").mkdir()
    (field / "deep" / "copy of a.las").write_bytes(good)
    (field / "deep" / "b.las").write_bytes(logs.las("UNTIDY-1", {"SP": logs.smooth(50)}))
    (field / "deep" / "loop").symlink_to(field)
    (field / "empty.las").write_bytes(b"")
    (field / "binary.las").write_bytes(bytes(range(256)) * 100)
    (field / "notes.doc").write_bytes(b"?")
    report = bring(open_server, "many-untidy", field, code=1)
    assert by_name(report) == {
        "a.las": "imported",
        "b.las": "imported",
        "copy of a.las": "unchanged",
        "binary.las": "refused",
        "empty.las": "refused",
    }
    assert (report["skipped"], report["wells"], report["curves"]) == (1, ["many-untidy/untidy-1"], 3)
    assert all(file["reason"] for file in report["files"] if file["status"] == "refused")
    again = bring(open_server, "many-untidy", field, code=1)
    assert (again["blobs_sent"], again["bytes_sent"], again["unchanged"]) == (0, 0, 3)


def test_a_later_file_is_a_later_version_and_is_not_undone_by_an_earlier_one(
    open_server: Any, logs: Any, field: Path
) -> None:
    for number in range(6):
        (field / f"{number}.las").write_bytes(logs.las("Later", {"GR": logs.smooth(3000, number)}))
    report = bring(open_server, "many-later", field, "--tag", "raw")
    assert (report["imported"], report["new_versions"]) == (6, 6)
    name = "many-later/later/log/gr"
    assert tags(open_server, name) == ["latest", "raw", "v1", "v2", "v3", "v4", "v5", "v6"]
    last = manifest(open_server, name, "latest")
    assert manifest(open_server, name, "v6") == last == manifest(open_server, name, "raw")
    assert bring(open_server, "many-later", field / "0.las")["unchanged"] == 1
    assert manifest(open_server, name, "latest") == last
    again = bring(open_server, "many-later", field / "0.las", "--again")
    assert (again["imported"], again["new_versions"]) == (1, 1)
    first, newest = (parse_manifest(manifest(open_server, name, tag)).annotations for tag in ("v1", "latest"))
    assert newest["io.dataforge.values-id"] == first["io.dataforge.values-id"]


def manifest(server: Any, name: str, tag: str) -> bytes:
    async def ask() -> bytes:
        async with RemoteRegistry(server.url, ANONYMOUS) as registry:
            return (await registry.repository(name).get_manifest(tag))[1]

    return asyncio.run(ask())


def test_a_curve_that_grows_keeps_its_segment_size(open_server: Any, logs: Any, field: Path) -> None:
    values = logs.smooth(60_000)
    (field / "1.las").write_bytes(logs.las("Grows", {"GR": values[:20_000]}))
    (field / "2.las").write_bytes(logs.las("Grows", {"GR": values}))
    bring(open_server, "many-grows", field)
    old, new = (
        [layer.digest for layer in parse_manifest(manifest(open_server, "many-grows/grows/log/gr", tag)).layers]
        for tag in ("v1", "v2")
    )
    assert len(set(old) - set(new)) <= 2 and len(new) > len(old)  # the depths, and the segment that went on


def test_a_table_with_decimal_commas(open_server: Any, field: Path) -> None:
    (field / "a.csv").write_text("DEPT;GR\n1,0;12,5\n1,5;13,25\n2,0;\n")
    report = bring(open_server, "many-comma", field, "--well", "Comma", "--decimal-comma")
    assert (report["imported"], report["frames"]) == (1, ["many-comma/comma/log"])

    async def read() -> list[Any]:
        async with RemoteRegistry(open_server.url, ANONYMOUS) as registry:
            curve = await open_curve(registry, Reference.parse("many-comma/comma/log/gr"))
            return (await curve.read()).column(1).to_pylist()

    assert asyncio.run(read()) == [12.5, 13.25, None]


def test_a_dry_run_sends_nothing(open_server: Any, logs: Any, field: Path) -> None:
    (field / "1.las").write_bytes(logs.las("Dry", {"GR": logs.smooth(500), "SP": logs.smooth(500, 1)}))
    dry = bring(open_server, "many-dry", field, "--dry-run")
    with pytest.raises(ManifestUnknown):
        asyncio.run(_listed(open_server, "many-dry/dry"))
    wet = bring(open_server, "many-dry", field)
    assert dry["dry_run"] and not wet["dry_run"]
    same = ("curves", "new_versions", "samples", "bytes", "blobs_sent", "imported")
    assert [dry[key] for key in same] == [wet[key] for key in same]
    assert bring(open_server, "many-dry", field, "--dry-run")["unchanged"] == 1


async def _listed(server: Any, well: str) -> list[str]:
    async with RemoteRegistry(server.url, ANONYMOUS) as registry:
        return [line.digest for line in await list_curves(registry, Reference.parse(well))]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_what_was_cut_off_goes_on(open_server: Any, logs: Any, field: Path, number: signal.Signals) -> None:
    project = f"many-cut-{number.name.lower()}"
    for well in range(40):
        curves = {f"C{curve}": logs.smooth(2000, 100 * well + curve) for curve in range(5)}
        (field / f"{well:02}.las").write_bytes(logs.las(f"Cut {well}", curves))
    process = start(open_server, field, "--into", project)
    wait_for(lambda: tags(open_server, f"{project}/cut-0/log/c3"))
    process.send_signal(number)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == (-signal.SIGKILL if number == signal.SIGKILL else 130)
    assert number == signal.SIGKILL or "interrupted: the same command goes on from here" in out
    rest = bring(open_server, project, field)
    assert rest["curves"] == 200 and 0 < rest["new_versions"] < 200
    assert rest["imported"] + rest["unchanged"] == 40
    again = bring(open_server, project, field)
    assert (again["unchanged"], again["bytes_sent"]) == (40, 0)
    for well in range(40):
        assert tags(open_server, f"{project}/cut-{well}/log/c4") == ["latest", "v1"]
        assert len(asyncio.run(_listed(open_server, f"{project}/cut-{well}"))) == 5


def test_a_file_that_breaks_its_process_is_refused_and_the_others_go_on(
    open_server: Any, logs: Any, field: Path
) -> None:
    """The process is killed from outside while it reads the large file: as a fault in a library would end it."""
    (field / "1 large.las").write_bytes(logs.las("Large", {f"C{n}": logs.smooth(100_000, n) for n in range(16)}))
    (field / "2 small.las").write_bytes(logs.las("Small", {"GR": logs.smooth(50)}))
    report = field.parent / "report.json"
    process = start(open_server, field, "--into", "many-broken", "--jobs", "1", "--report", report)
    (child,) = wait_for(lambda: children(process.pid))
    wait_for(lambda: reads(child) or process.poll() is not None)
    os.kill(child, signal.SIGKILL)
    said = process.communicate(timeout=200)
    assert process.returncode == 1, said
    found = {Path(file["file"]).name: file for file in json.loads(report.read_text())["files"]}
    assert found["1 large.las"]["status"] == "refused" and "exit code -9" in found["1 large.las"]["reason"]
    assert found["2 small.las"]["status"] == "imported"


def children(process: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def reads(process: int) -> bool:
    """Whether it has begun with the large file: it has read more by far than what it runs."""
    return int(Path(f"/proc/{process}/io").read_text().split()[1]) > 15_000_000


def test_a_file_that_takes_too_long_is_refused(open_server: Any, logs: Any, field: Path) -> None:
    (field / "slow.las").write_bytes(logs.las("Slow", {"GR": logs.smooth(50)}))
    report = bring(open_server, "many-slow", field, "--timeout", "0.001", code=1)
    assert report["files"][0]["reason"] == "it takes more than 0.001 s to read this"


def test_a_registry_that_goes_away_is_said_for_each_file_at_once(logs: Any, field: Path) -> None:
    class Gone:
        url = "http://127.0.0.1:9"

    (field / "1.las").write_bytes(logs.las("Gone", {"GR": logs.smooth(5)}))
    process = start(Gone, field, "--into", "gone")
    out, said = process.communicate(timeout=100)
    assert process.returncode == 1 and "cannot be reached" in said and len(said.splitlines()) == 1 and not out


@pytest.mark.asyncio
async def test_a_file_that_changes_between_reading_and_sending(open_server: Any, logs: Any, field: Path) -> None:
    path = field / "changes.las"
    path.write_bytes(logs.las("Changes", {"GR": logs.smooth(50)}))
    async with RemoteRegistry(open_server.url, ANONYMOUS) as registry, Sandbox() as sandbox:
        read = await read_in(sandbox, Reading(path=str(path)), path.name)
        path.write_bytes(logs.las("Changes", {"GR": logs.smooth(50, 1)}))
        with pytest.raises(DigestInvalid):
            await Importer(registry.repository, "many-changes").push(read)
        assert await registry.repository("many-changes/changes/log/gr").tags() == []


def test_hundreds_of_curves_of_one_well_rewrite_its_index_a_few_times(open_server: Any, logs: Any, field: Path) -> None:
    for number in range(60):
        (field / f"{number:02}.las").write_bytes(
            logs.las("Wide", {f"C{n}": logs.smooth(20, 5 * number + n) for n in range(5)}, extra=f"RUN. {number} :\n")
        )
    report = bring(open_server, "many-wide", field)
    assert (
        report["curves"] == 300
        and len(asyncio.run(_listed(open_server, "many-wide/wide"))) == len({frame for frame in report["frames"]}) * 5
    )
    history = f"{open_server.url}/api/v1/projects/many-wide/history?repository=many-wide/wide&tag=latest&limit=100"
    with urllib.request.urlopen(history) as answer:
        written = len(json.load(answer)["moves"])
    assert 2 <= written < 30
    shutil.rmtree(field)


def test_the_process_that_pushes_loads_no_array_library(open_server: Any, field: Path, logs: Any) -> None:
    (field / "a.las").write_bytes(logs.las("Light 1", {"GR": logs.smooth(300)}))
    command = [sys.executable, "-X", "importtime", *PROGRAM[1:], str(field), "--into", "light"]
    done = subprocess.run(command, env=environment(open_server), capture_output=True, text=True, check=True)
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert "aiohttp" in loaded and not loaded & {"numpy", "pyarrow"}

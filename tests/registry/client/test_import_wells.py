"""Wells imported into our own server: what is sent, what is not, and what comes back."""

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dataforge_registry.core.curves.artifact.read import Window
from dataforge_registry.core.curves.artifact.well import original_tag
from dataforge_registry.core.curves.content import values_id
from dataforge_registry.core.curves.errors import CurveError, LasRefused
from dataforge_registry.core.curves.names import Reference, suffixed
from dataforge_registry.core.curves.origin import Well
from dataforge_registry.core.curves.readers.las.reader import read_las
from dataforge_registry.core.curves.schema import parse_manifest
from dataforge_registry.core.importing.report import Counts
from dataforge_registry.core.oci import media
from dataforge_registry.core.oci.digest import Digest
from dataforge_registry.core.oci.errors import ManifestUnknown
from dataforge_registry.registry.client.credentials import ANONYMOUS
from dataforge_registry.registry.client.curves import list_curves, list_wells, open_curve
from dataforge_registry.registry.client.remote import RemoteRegistry
from dataforge_registry.registry.client.wells import WellImport, open_las

WELLS = Path(__file__).parents[4] / "shared" / "wells"


async def bring(server: Any, project: str, content: bytes, name: str = "x.las", frame: str | None = None) -> Counts:
    async with RemoteRegistry(server.url, ANONYMOUS) as registry:
        run = WellImport(registry, project)
        await run.push(open_las(content, name, frame))
        return run.report


async def values(server: Any, ref: str, window: Window | None = None) -> Any:
    async with RemoteRegistry(server.url, ANONYMOUS) as registry:
        curve = await open_curve(registry, Reference.parse(ref))
        return await curve.read(window or Window())


async def tags(server: Any, name: str) -> list[str]:
    async with RemoteRegistry(server.url, ANONYMOUS) as registry:
        return await registry.repository(name).tags()


@pytest.mark.asyncio
async def test_a_well_goes_in_and_comes_back(open_server: Any, logs: Any) -> None:
    content = logs.las("Round Trip 1", {"GR": logs.smooth(20_000), "RHOB": logs.smooth(20_000, 1)})
    report = await bring(open_server, "import-round", content)
    assert (report.curves, report.new, report.samples, report.received) == (2, 2, 40_000, len(content))
    frame = read_las(content, "x.las")
    for curve in frame.curves:
        table = await values(open_server, f"import-round/round-trip-1/log/{curve.mnemonic.lower()}")
        assert values_id(table.column(1).combine_chunks()) == values_id(curve.values)
        assert [str(depth) for depth in table["MD"].to_pylist()[:2]] == ["1000.0000", "1000.5000"]
    window = await values(open_server, "import-round/round-trip-1/log/gr", Window("2000", "2010"))
    assert window.num_rows == 21


@pytest.mark.asyncio
async def test_the_second_import_of_a_file_sends_nothing(open_server: Any, logs: Any) -> None:
    content = logs.las("Twice", {"GR": logs.smooth(9_000), "DT": logs.smooth(9_000, 1)})
    first = await bring(open_server, "import-twice", content)
    again = await bring(open_server, "import-twice", content, name="renamed.las")
    assert first.sent > 0 and first.blobs_sent > 0
    assert (again.sent, again.blobs_sent, again.new, again.curves) == (0, 0, 0, 2)
    assert await tags(open_server, "import-twice/twice/log/gr") == ["latest", "v1"]


@pytest.mark.asyncio
async def test_an_edit_sends_the_edited_segments_of_the_edited_curve(open_server: Any, logs: Any) -> None:
    gr, dt = logs.smooth(60_000), logs.smooth(60_000, 1)
    await bring(open_server, "import-edit", logs.las("Edit", {"GR": gr, "DT": dt}))
    gr[30_000:30_010] += 1
    content = logs.las("Edit", {"GR": gr, "DT": dt})
    report = await bring(open_server, "import-edit", content)
    assert report.new == 1
    # The file as received, and beside it no more than a few segments, a config, and two manifests twice.
    assert report.sent - len(content) < 60_000
    assert report.blobs_sent <= 5
    assert await tags(open_server, "import-edit/edit/log/gr") == ["latest", "v1", "v2"]
    assert await tags(open_server, "import-edit/edit/log/dt") == ["latest", "v1"]
    old = await values(open_server, "import-edit/edit/log/gr:v1", Window("16000.5", "16000.5"))
    new = await values(open_server, "import-edit/edit/log/gr", Window("16000.5", "16000.5"))
    assert new["GR"][0].as_py() - old["GR"][0].as_py() == pytest.approx(1, abs=1e-3)


@pytest.mark.asyncio
async def test_the_index_layer_is_sent_once_and_mounted_by_the_other_curves(open_server: Any, logs: Any) -> None:
    curves = {f"C{number}": logs.smooth(3_000, number) for number in range(6)}
    report = await bring(open_server, "import-mount", logs.las("Mount", curves))
    # original and its config, one index, six values, six configs
    assert report.blobs_sent == 2 + 1 + 6 + 6
    assert report.blobs_reused == 5


@pytest.mark.asyncio
async def test_the_well_lists_its_curves_and_keeps_the_file(open_server: Any, logs: Any) -> None:
    content = logs.las("Listed", {"GR": logs.smooth(100)})
    await bring(open_server, "import-list", content, name="listed.las")
    await bring(open_server, "import-list", logs.las("Listed", {"SP": logs.smooth(50)}), frame="run two")
    async with RemoteRegistry(open_server.url, ANONYMOUS) as registry:
        lines = await list_curves(registry, Reference.parse("import-list/listed"))
        assert [line.annotations["io.dataforge.repository"] for line in lines] == ["log/gr", "run-two/sp"]
        assert lines[0].annotations["io.dataforge.index"] == "1000.0/1049.5"
        assert len(await list_curves(registry, Reference.parse("import-list/listed/run-two"))) == 1
        assert await list_wells(registry, "import-list") == {"import-list/listed": 2}
        well = registry.repository("import-list/listed")
        for line in lines:  # children of the index are there to be pulled from the well itself
            _, raw = await well.get_manifest(line.digest)
            for layer in parse_manifest(raw).layers:
                await well.read_blob(layer.digest)
        _, raw = await well.get_manifest(original_tag(Digest.of(content)))
        original = parse_manifest(raw, media.ORIGINAL)
        assert await well.read_blob(original.layers[0].digest) == content
        assert original.layers[0].annotations == {"org.opencontainers.image.title": "listed.las"}


@pytest.mark.asyncio
async def test_titles_are_unique_in_a_well(open_server: Any, logs: Any) -> None:
    """A pull of the index writes every layer of every curve into one folder."""
    curves = {name: logs.smooth(40, seed) for seed, name in enumerate(["GR", "GR[1]", "GR:1", "gr"])}
    await bring(open_server, "import-title", logs.las("Titles", curves))
    async with RemoteRegistry(open_server.url, ANONYMOUS) as registry:
        lines = await list_curves(registry, Reference.parse("import-title/titles"))
        assert len(lines) == 4
        titles: dict[str, str] = {}
        for line in lines:
            repository = registry.repository(f"import-title/titles/{line.annotations['io.dataforge.repository']}")
            _, raw = await repository.get_manifest("latest")
            for layer in parse_manifest(raw).layers:
                title = layer.annotations["org.opencontainers.image.title"]
                assert titles.setdefault(title, layer.digest) == layer.digest


@pytest.mark.asyncio
async def test_a_taken_segment_is_stepped_aside_from(open_server: Any, logs: Any) -> None:
    one, two = logs.las("Taken", {"GR[1]": logs.smooth(30)}), logs.las("Taken", {"GR(1)": logs.smooth(30, 1)})
    await bring(open_server, "import-taken", one)
    for _ in range(2):
        await bring(open_server, "import-taken", two)
    async with RemoteRegistry(open_server.url, ANONYMOUS) as registry:
        lines = await list_curves(registry, Reference.parse("import-taken/taken"))
    assert [line.annotations["io.dataforge.mnemonic"] for line in lines] == ["GR[1]", "GR(1)"]


@pytest.mark.asyncio
async def test_wells_whose_names_fold_into_one_slug_stay_two(open_server: Any, logs: Any) -> None:
    """Another spelling of a name is the same well; another name never is, not even after an import cut short."""
    project = "import-fold"
    files = [logs.las(name, {"GR": logs.smooth(30, seed)}) for seed, name in enumerate(["Скв 1", "Лёд 1", "СКВ-1"])]
    async with RemoteRegistry(open_server.url, ANONYMOUS) as registry:
        await WellImport(registry, project)._importer._wells.home(Well("Скв 1"))  # and no more: it was cut short
    for content in (files[1], files[0], files[2]):
        await bring(open_server, project, content)
    async with RemoteRegistry(open_server.url, ANONYMOUS) as registry:
        wells = {}
        for well in await list_wells(registry, project):
            _, raw = await registry.repository(well).get_manifest("latest")
            wells[well] = parse_manifest(raw).annotations["io.dataforge.well"]
    assert wells == {f"{project}/1": "Скв 1", f"{project}/{suffixed('Лёд 1', 'well')}": "Лёд 1"}
    assert await tags(open_server, f"{project}/1/log/gr") == ["latest", "v1", "v2"]
    await bring(open_server, project, files[0], frame="Рейс 2")
    with pytest.raises(CurveError, match="is of the frame 'Рейс 2'"):
        await bring(open_server, project, files[0], frame="Ход 2")


@pytest.mark.asyncio
async def test_importers_side_by_side_lose_nothing(open_server: Any, logs: Any) -> None:
    """Four files of one well at once, two of them the same: every curve is listed, equal bytes are one version."""
    contents = [
        logs.las("Crowd", {"GR": logs.smooth(500), f"X{number % 3}": logs.smooth(500, number % 3)})
        for number in range(4)
    ]
    await asyncio.gather(*(bring(open_server, "import-crowd", content) for content in contents))
    async with RemoteRegistry(open_server.url, ANONYMOUS) as registry:
        lines = await list_curves(registry, Reference.parse("import-crowd/crowd"))
    assert [line.annotations["io.dataforge.mnemonic"] for line in lines] == ["GR", "X0", "X1", "X2"]
    assert await tags(open_server, "import-crowd/crowd/log/gr") == ["latest", "v1"]


@pytest.mark.asyncio
async def test_versions_side_by_side_are_all_numbered(open_server: Any, logs: Any) -> None:
    contents = [logs.las("Race", {"GR": logs.smooth(300, seed)}) for seed in range(5)]
    await bring(open_server, "import-race", contents[0])
    await asyncio.gather(*(bring(open_server, "import-race", content) for content in contents[1:]))
    names = await tags(open_server, "import-race/race/log/gr")
    assert names[0] == "latest" and len(names) >= 6
    async with RemoteRegistry(open_server.url, ANONYMOUS) as registry:
        repository = registry.repository("import-race/race/log/gr")
        seen = set()
        for name in names[1:]:
            _, raw = await repository.get_manifest(name)
            seen.add(parse_manifest(raw).annotations["io.dataforge.values-id"])
        assert len(seen) == 5  # each file's values are in the history


@pytest.mark.asyncio
async def test_another_artifact_in_the_way_is_left_alone(open_server: Any, logs: Any) -> None:
    content = logs.las("Blocked", {"GR": logs.smooth(30)})
    await bring(open_server, "import-block", content)
    async with RemoteRegistry(open_server.url, ANONYMOUS) as registry:
        repository = registry.repository("import-block/blocked/log/sp")
        await repository.push_blob(b"{}")
        _, raw = await registry.repository("import-block/blocked").get_manifest(original_tag(Digest.of(content)))
        await repository.push_blob(content)
        await repository.push_manifest(raw, media.OCI_MANIFEST, ["latest"])
    with pytest.raises(CurveError, match="not a curve"):
        await bring(open_server, "import-block", logs.las("Blocked", {"SP": logs.smooth(30)}))


@pytest.mark.asyncio
async def test_a_reference_to_nothing_says_where_to_look(open_server: Any) -> None:
    async with RemoteRegistry(open_server.url, ANONYMOUS) as registry:
        with pytest.raises(ManifestUnknown, match="dfr ls nowhere/w"):
            await open_curve(registry, Reference.parse("nowhere/w/f/c"))
        with pytest.raises(ManifestUnknown, match="dfr ls"):
            await list_curves(registry, Reference.parse("nowhere/w"))
        with pytest.raises(CurveError, match="name one"):
            await open_curve(registry, Reference.parse("nowhere/w"))


@pytest.mark.asyncio
async def test_every_readable_real_well_goes_in(open_server: Any) -> None:
    """Each in a project of its own: some of the small files are the same well in many spellings."""
    paths = [
        path for path in sorted(WELLS.rglob("*.*")) if path.suffix.lower() == ".las" and path.stat().st_size < 400_000
    ]
    if not paths:
        pytest.skip("the folder of real wells is not beside the repository")
    imported = 0
    for number, path in enumerate(paths):
        try:
            file = open_las(path.read_bytes(), path.name)
        except LasRefused:
            continue
        report = await bring(open_server, f"real-{number}", file.content, path.name)
        assert report.new == len(file.frame.curves)
        imported += 1
        curve = file.frame.curves[-1]
        async with RemoteRegistry(open_server.url, ANONYMOUS) as registry:
            (well,) = await list_wells(registry, f"real-{number}")
            lines = await list_curves(registry, Reference.parse(well))
            line = next(line for line in lines if line.annotations["io.dataforge.mnemonic"] == curve.mnemonic)
            ref = Reference.parse(f"{well}/{line.annotations['io.dataforge.repository']}")
            table = await (await open_curve(registry, ref)).read()
        assert table.column(1).combine_chunks().equals(curve.values)
    assert imported >= 30


def test_a_file_that_is_refused_is_refused_before_anything_is_sent(logs: Any) -> None:
    content = logs.las("Refused", {"GR": np.array([1.0, 2.0])}).replace(b"2.000\n", b"\n")
    with pytest.raises(LasRefused, match="line 15"):
        open_las(content, "x.las")

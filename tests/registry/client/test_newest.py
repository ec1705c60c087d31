"""A well's index goes on naming older versions where it may: whoever reads the well reads the newest."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from dataforge_registry import connect_async
from dataforge_registry.core.curves.names import Reference
from dataforge_registry.core.curves.origin import Well
from dataforge_registry.core.oci import media
from dataforge_registry.registry.client.api import call
from dataforge_registry.registry.client.pull import pull
from dataforge_registry.registry.client.session import AsyncRegistry
from dataforge_registry.registry.client.wellindex import list_curve
from dataforge_registry.registry.client.wells import WellImport, open_las

from .test_wells_cli import dfr


async def edited(registry: AsyncRegistry, project: str, logs: Any) -> str:
    """`PROJECT/late-1` of GR and RHOB, GR then 1 more everywhere; the digest of its index, which names GR's v1."""
    content = logs.las("Late 1", {"GR": np.full(300, 10.0), "RHOB": logs.smooth(300, 1)})
    await WellImport(registry.remote, project).push(open_las(content, "x.las"))
    index = await registry.remote.repository(f"{project}/late-1").stat_manifest("latest")
    curve = registry.curve(f"{project}/late-1/log/gr")
    log = await curve.read()
    assert (await curve.commit((log.index, log["GR"] + 1), operation="shift")).version == 2
    assert (await registry.remote.repository(f"{project}/late-1").stat_manifest("latest")).digest == index.digest
    return str(index.digest)


def values(folder: Path) -> set[float]:
    return set(pq.read_table(folder / "log" / "GR-0001.parquet").column(0).to_pylist())


@pytest.mark.asyncio
async def test_a_pulled_well_is_the_newest_and_a_digest_the_one_it_names(
    open_server: Any, logs: Any, tmp_path: Path
) -> None:
    async with connect_async(open_server.url, cache=None) as registry:
        digest = await edited(registry, "newest-pull", logs)
        await pull(registry.remote, Reference.parse("newest-pull/late-1"), tmp_path / "now")
        await pull(registry.remote, Reference.parse(f"newest-pull/late-1@{digest}"), tmp_path / "then")
    assert (values(tmp_path / "now"), values(tmp_path / "then")) == ({11.0}, {10.0})


@pytest.mark.asyncio
async def test_a_well_copied_without_its_curves_repositories_is_pulled_as_it_lists_them(
    open_server: Any, logs: Any, tmp_path: Path
) -> None:
    async with connect_async(open_server.url, cache=None) as registry:
        await edited(registry, "newest-copied", logs)
        home, copy = (registry.remote.repository(f"newest-{name}/late-1") for name in ("copied", "copy"))
        _, raw = await home.get_manifest("latest")
        for line in json.loads(raw)["manifests"]:
            _, child = await home.get_manifest(line["digest"])
            parts = json.loads(child)
            for part in (parts["config"], *parts["layers"]):
                await copy.push_blob(await home.read_blob(part["digest"]))
            await copy.push_manifest(child, media.OCI_MANIFEST, [])
        await copy.push_manifest(raw, media.OCI_INDEX, ["latest"])
        await pull(registry.remote, Reference.parse("newest-copy/late-1"), tmp_path)
    assert values(tmp_path) == {10.0}


@pytest.mark.asyncio
async def test_two_states_of_a_well_differ_in_what_their_index_does_not_say(open_server: Any, logs: Any) -> None:
    new = "newest-diff/late-1"
    async with connect_async(open_server.url, cache=None) as registry:
        old = f"{new}@{await edited(registry, 'newest-diff', logs)}"
        answer = await call(registry.remote, "GET", "/api/v1/diff/wells", [("from", old), ("to", new)])
    assert "log/gr" in dfr(open_server, "diff", old, new, code=1).stdout
    assert "2 curves unchanged" in dfr(open_server, "diff", new, new).stdout
    found = answer.json()
    assert ([each["path"] for each in found["changed"]], found["equal"]) == (["log/gr"], False)


@pytest.mark.asyncio
async def test_a_writer_who_was_overtaken_lists_the_newest_version(open_server: Any, logs: Any) -> None:
    """The second version has fewer rows and its writer waits; the third says the same of itself, so lists nothing."""
    project = "newest-slow"
    async with connect_async(open_server.url, cache=None) as registry:
        await edited(registry, project, logs)
        home, curve = registry.remote.repository(f"{project}/late-1"), registry.curve(f"{project}/late-1/log/gr")
        before = await home.get_manifest("latest")
        log = await curve.read()
        await curve.commit((log.index[:-1], log["GR"][:-1]), operation="trim", whole=True)
        await home.push_manifest(before[1], media.OCI_INDEX, ["latest"])  # as if that writer had not come to it
        done = await curve.commit((log.index[:-1], log["GR"][:-1] + 1), operation="shift", whole=True)
        await list_curve(registry.remote, curve.reference, Well("Late 1"))
        (line,) = [each for each in await registry.well(f"{project}/late-1").curves() if each.mnemonic == "GR"]
    assert (line.digest, line.rows) == (done.digest, 299)

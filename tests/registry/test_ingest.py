"""Log files pushed as plain artifacts: the worker makes curves of them, and says with the artifact what came of it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dataforge_registry.core.access import SYSTEM, Principal
from dataforge_registry.core.curves.artifact.well import original_tag
from dataforge_registry.core.curves.schema import Descriptor, Manifest, parse_config, parse_manifest
from dataforge_registry.core.importing.files import log_layers
from dataforge_registry.core.importing.local import Shelf
from dataforge_registry.core.oci import media
from dataforge_registry.core.oci.digest import Digest
from dataforge_registry.core.records import accounts, settings
from dataforge_registry.core.records.artifacts import Actor
from dataforge_registry.core.records.database import Database
from dataforge_registry.core.records.ingest import IngestStatus, status_of
from dataforge_registry.core.records.pulls import PullLog
from dataforge_registry.core.store import Limits, Store
from dataforge_registry.core.work import queue
from dataforge_registry.drivers.memory import MemoryDriver
from dataforge_registry.registry.config import load
from dataforge_registry.registry.worker import create_worker

HEAD = "~Version\nVERS. 2.0 :\nWRAP. NO :\n~Well\nSTRT.M 1 :\nSTOP.M 3 :\nSTEP.M 1 :\nNULL. -999 :\n"
LAS = (HEAD + "WELL. Pushed 1 :\n~Curve\nDEPT.M :\nGR.GAPI :\nSP.MV :\n~A\n1 10 5\n2 20 -999\n3 30 7\n").encode()
BROKEN = (HEAD + "WELL. Broken :\n~Curve\nDEPT.M :\nGR.GAPI :\n~A\n1 10\n2\n3 30\n").encode()
EVENT = """INSERT INTO event (kind, project_id, repository_id, artifact_id, username, payload)
SELECT 'artifact.pushed', project_id, repository_id, id, pushed_by, '{"fresh": true, "type": "UNKNOWN"}' FROM artifact
WHERE digest = $1"""


@dataclass(frozen=True)
class Place:
    """A registry without HTTP, and its configuration for workers."""

    database: Database
    store: Store
    folder: Path
    mode: str = "none"

    def repository(self, name: str, principal: Principal = SYSTEM) -> Shelf:
        return Shelf(self.store, principal, Actor(principal.name), name)

    async def push(self, name: str, files: dict[str, bytes], principal: Principal = SYSTEM) -> Digest:
        """What `oras push` makes of files."""
        repository = self.repository(name, principal)
        layers = []
        for title, content in ({"": b"{}"} | files).items():
            await repository.push_blob(content)
            notes = {"org.opencontainers.image.title": title}
            described = {"mediaType": media.OCTET_STREAM, "digest": Digest.of(content), "size": len(content)}
            layers.append(described | ({"annotations": notes} if title else {"mediaType": media.OCI_EMPTY}))
        body = {
            "schemaVersion": 2,
            "mediaType": media.OCI_MANIFEST,
            "artifactType": "application/vnd.unknown.artifact.v1",
        }
        raw = json.dumps(body | {"config": layers[0], "layers": layers[1:]}).encode()
        return await repository.push_manifest(raw, media.OCI_MANIFEST, ["new"])

    @asynccontextmanager
    async def working(self, **settings: Any) -> AsyncIterator[None]:
        overrides = {"storage.inmemory": {}, "auth.mode": self.mode} | settings
        worker = create_worker(load(env={}, data=self.folder, overrides=overrides), self.database, self.store.driver)
        running = asyncio.create_task(worker.run())
        try:
            yield
        finally:
            worker.stop()
            await asyncio.wait_for(running, 60)

    async def status(self, name: str, digest: Digest) -> IngestStatus:
        """Once the worker is done with it."""
        while (found := await status_of(self.database, name, digest)) is None or found.status == "pending":  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        return found

    async def rows(self, statement: str, *arguments: Any) -> list[tuple[Any, ...]]:
        async with self.database.acquire() as conn:
            return [tuple(row) for row in await conn.fetch(statement, *arguments)]

    async def ended(self, tasks: int) -> None:
        """Wait for so many ingests."""
        ended = "SELECT count(*) FROM task WHERE kind = 'curve.ingest' AND end_time IS NOT NULL"
        while await self.rows(ended) != [(tasks,)]:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


@pytest.fixture
def place(database: Database, tmp_path: Path) -> Place:
    return Place(database, Store(database, MemoryDriver(), Limits(autocreate=True), PullLog(database)), tmp_path)


@pytest.mark.asyncio
async def test_a_pushed_file_becomes_curves_linked_to_it(place: Place) -> None:
    digest = await place.push("field/inbox", {"deep/er/one.las": LAS, "readme.txt": b"?"})
    async with place.working():
        status = await place.status("field/inbox", digest)
    assert status == IngestStatus("done", "", ["field/pushed-1"], 2)
    curve = place.repository("field/pushed-1/log/gr")
    assert set(await curve.tags()) == {"latest", "v1"}
    manifest = parse_manifest((await curve.get_manifest("latest"))[1], media.CURVE)
    assert manifest.config is not None
    config = parse_config(await curve.read_blob(manifest.config.digest))
    assert config.original is not None and config.original.file == "one.las"
    assert config.lineage is not None and config.lineage.operation == "import"
    assert [(each.ref, each.role) for each in config.lineage.inputs] == [(f"field/inbox@{digest}", "original")]
    well = place.repository("field/pushed-1")
    index = parse_manifest((await well.get_manifest("latest"))[1], media.WELL)
    assert [line.annotations["io.dataforge.repository"] for line in index.manifests] == ["log/gr", "log/sp"]
    kept = parse_manifest((await well.get_manifest(original_tag(Digest.of(LAS))))[1], media.ORIGINAL)
    assert await well.read_blob(kept.layers[0].digest) == LAS


@pytest.mark.asyncio
async def test_a_file_waits_while_no_pushes_are_taken(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "WAIT", 0.01)
    digest = await place.push("field/inbox", {"one.las": LAS})

    async def mode(wanted: settings.Mode) -> None:
        async with place.database.transaction() as conn:
            await settings.set_mode(conn, SYSTEM, wanted)

    await mode(settings.Mode.NO_PUSH)
    async with place.working():
        while not await place.rows("SELECT 1 FROM task WHERE kind = 'curve.ingest' AND waits > 2"):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        waiting = await status_of(place.database, "field/inbox", digest)
        assert waiting is not None
        assert (waiting.status, "takes no pushes" in waiting.reason) == ("pending", True)
        await mode(settings.Mode.NORMAL)
        assert await place.status("field/inbox", digest) == IngestStatus("done", "", ["field/pushed-1"], 2)


@pytest.mark.asyncio
async def test_what_is_done_again_changes_nothing(place: Place) -> None:
    digest = await place.push("field/inbox", {"one.las": LAS})
    async with place.working():
        first = await place.status("field/inbox", digest)
        before = await place.rows("SELECT digest FROM artifact ORDER BY id")
        async with place.database.acquire() as conn:
            await conn.execute(EVENT, digest)
        await place.ended(2)
    assert await place.status("field/inbox", digest) == first
    assert await place.rows("SELECT digest FROM artifact ORDER BY id") == before
    assert set(await place.repository("field/pushed-1/log/gr").tags()) == {"latest", "v1"}


@pytest.mark.asyncio
async def test_a_bad_file_is_told_once_and_the_good_one_beside_it_is_there(place: Place) -> None:
    digest = await place.push("field/inbox", {"broken.las": BROKEN, "one.las": LAS})
    async with place.working():
        status = await place.status("field/inbox", digest)
        await place.ended(1)
    assert status.status == "failed" and status.reason.startswith("broken.las: line 15: ")
    assert (status.wells, status.curves) == (["field/pushed-1"], 2)
    ((attempts, end),) = await place.rows("SELECT attempts, status FROM task WHERE kind = 'curve.ingest'")
    assert (attempts, end) == (1, "success")  # the task has told it; to try again would not help


@pytest.mark.asyncio
async def test_limits_are_said(place: Place) -> None:
    digest = await place.push("field/inbox", {"one.las": LAS})
    async with place.working(**{"ingest.size": "100"}):
        status = await place.status("field/inbox", digest)
    assert status.status == "failed" and "at most 100 are read here" in status.reason
    slow = await place.push("field/inbox", {"two.las": LAS + b"\n"})
    async with place.working(**{"ingest.timeout": "1ms"}):
        status = await place.status("field/inbox", slow)
    assert status.status == "failed" and "takes more than 0.001 s" in status.reason


@pytest.mark.asyncio
async def test_it_is_done_as_whoever_pushed_it_with_the_rights_they_have_now(database: Database, place: Place) -> None:
    place = Place(database, place.store, place.folder, "local")
    async with database.transaction() as conn:
        for name in ("boss", "gone"):
            await accounts.create(conn, SYSTEM, name, None, admin=True)
        people = [await accounts.find(conn, name) for name in ("boss", "gone")]
    boss, gone = (account.principal for account in people if account)
    await place.push("field/first", {"notes.txt": b"the project is there"})
    mine = await place.push("field/mine", {"one.las": LAS}, boss)
    theirs = await place.push("field/theirs", {"two.las": LAS.replace(b"Pushed 1", b"Theirs")}, gone)
    async with database.transaction() as conn:
        await accounts.disable(conn, SYSTEM, "gone")
    async with place.working():
        assert (await place.status("field/mine", mine)).status == "done"
        status = await place.status("field/theirs", theirs)
    assert status.status == "failed" and "no longer good" in status.reason and not status.wells
    pushed = "SELECT DISTINCT username FROM access_log WHERE operation = 'push' AND repo_name LIKE 'field/pushed-1%'"
    assert await place.rows(pushed) == [("boss",)]
    assert await place.rows("SELECT FROM repository WHERE name LIKE 'field/theirs/%'") == []


@pytest.mark.asyncio
async def test_switched_off_it_leaves_files_alone(place: Place) -> None:
    digest = await place.push("field/inbox", {"one.las": LAS})
    async with place.working(**{"ingest.enabled": False}):
        while await place.rows("SELECT FROM event"):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert await status_of(place.database, "field/inbox", digest) is None
    assert await place.rows("SELECT FROM task WHERE kind = 'curve.ingest'") == []


def layer(title: str = "", kind: str = media.OCTET_STREAM) -> Descriptor:
    notes = {"org.opencontainers.image.title": title} if title else {}
    return Descriptor(mediaType=kind, digest=Digest.of(title.encode()), size=1, annotations=notes)


@pytest.mark.parametrize(
    ("artifact", "layers", "names"),
    [
        ("", [layer("a.LAS"), layer("b.txt")], ["a.LAS"]),
        ("", [layer("../../etc/x.las"), layer("C:\\logs\\y.las")], ["x.las", "y.las"]),
        ("", [layer("bad\u0007name.las"), layer("n" * 300 + ".las")], ["inbox.las", "inbox.las"]),
        ("", [layer(kind="application/vnd.example.las"), layer(kind="text/plain")], ["inbox.las"]),
        ("application/x-las", [layer()], ["inbox.las"]),
        ("application/x-las", [layer(), layer("x.txt")], []),
        ("application/vnd.flask.classic", [layer()], []),
        (media.ORIGINAL, [layer("a.las")], []),
        (media.CURVE, [layer("a.las")], []),
    ],
)
def test_which_layers_are_log_files(artifact: str, layers: list[Descriptor], names: list[str]) -> None:
    manifest = Manifest(schemaVersion=2, artifactType=artifact, layers=layers)
    assert [name for name, _ in log_layers(manifest, "inbox")] == names


def test_an_image_with_a_file_in_it_is_an_image() -> None:
    config = Descriptor(mediaType=media.OCI_CONFIG, digest=Digest.of(b""), size=0)
    assert not list(log_layers(Manifest(schemaVersion=2, config=config, layers=[layer("a.las")]), "inbox"))

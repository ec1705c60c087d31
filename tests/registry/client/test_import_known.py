"""A second import of the same files: what the registry has whole is not read again, and what is no more so is."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from dataforge_registry.core.curves.artifact.well import original_tag
from dataforge_registry.core.importing import asked
from dataforge_registry.core.importing.asked import Reading
from dataforge_registry.core.oci.digest import Digest
from dataforge_registry.registry.client.connection import connect
from dataforge_registry.registry.client.credentials import ANONYMOUS
from dataforge_registry.registry.client.remote import RemoteRegistry

from .test_import_many import bring, manifest, tags

UNREAD = ("--timeout", "0.0001")
"""No file can be read in this time."""


@pytest.fixture
def field(tmp_path: Path, logs: Any) -> Path:
    folder = tmp_path / "field"
    folder.mkdir()
    for well in range(3):
        curves = {name: logs.smooth(300, 10 * well + n) for n, name in enumerate(("GR", "SP", "DT"))}
        (folder / f"{well}.las").write_bytes(logs.las(f"Known {well}", curves))
    return folder


def delete(server: Any, name: str) -> None:
    async def gone() -> None:
        async with RemoteRegistry(server.url, ANONYMOUS) as registry:
            for tag in ("latest", "v1"):
                await registry.transport.request("DELETE", f"/v2/{name}/manifests/{tag}", name, expect=(202,))
            digest = Digest.of(before)
            await registry.transport.request("DELETE", f"/v2/{name}/manifests/{digest}", name, expect=(202,))

    before = manifest(server, name, "v1")
    asyncio.run(gone())


def edit(server: Any, name: str) -> None:
    with connect(server.url) as registry:
        curve = registry.curve(name)
        frame = curve.read().to_pandas()
        frame.iloc[5:9, -1] += 1.0
        curve.commit(frame, operation="despike")


def test_files_that_are_there_are_not_read(open_server: Any, field: Path) -> None:
    first = bring(open_server, "known", field)
    second = bring(open_server, "known", field, *UNREAD)
    assert (second["unchanged"], second["bytes_sent"], second["new_versions"]) == (3, 0, 0)
    assert [second[key] for key in ("curves", "samples", "wells", "frames", "bytes")] == [
        first[key] for key in ("curves", "samples", "wells", "frames", "bytes")
    ]
    assert bring(open_server, "known", field, "--dry-run", *UNREAD)["unchanged"] == 3
    assert bring(open_server, "known", field, "--again", *UNREAD, code=1)["refused"] == 3
    assert bring(open_server, "known-too", field, *UNREAD, code=1)["refused"] == 3, "of another project"


def test_a_deleted_curve_comes_back_and_an_edited_one_stays(open_server: Any, field: Path) -> None:
    bring(open_server, "known-gone", field)
    gone, edited = "known-gone/known-1/log/sp", "known-gone/known-1/log/gr"
    edit(open_server, edited)
    delete(open_server, gone)
    kept = manifest(open_server, edited, "latest")
    assert tags(open_server, edited) == ["latest", "v1", "v2"] and tags(open_server, gone) == []
    report = bring(open_server, "known-gone", field)
    assert (report["imported"], report["unchanged"], report["new_versions"]) == (1, 2, 1)
    assert "latest" in tags(open_server, gone)
    assert manifest(open_server, edited, "latest") == kept
    again = bring(open_server, "known-gone", field, *UNREAD)
    assert (again["unchanged"], again["bytes_sent"]) == (3, 0)


def test_other_words_of_the_user_read_it_again(open_server: Any, field: Path) -> None:
    bring(open_server, "known-words", field)
    report = bring(open_server, "known-words", field, "--frame", "Other")
    assert (report["imported"], report["new_versions"]) == (3, 9)
    assert bring(open_server, "known-words", field, "--frame", "Other", *UNREAD)["unchanged"] == 3
    back = bring(open_server, "known-words", field)
    assert back["new_versions"] == 0


def test_another_release_of_the_readers_reads_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    reading = Reading(path="/a.las")
    before = {reading.recipe, Reading(path="/b.las").recipe}
    assert len(before) == 1, "wherever it lies"
    monkeypatch.setattr(asked, "READERS", asked.READERS + 1)
    assert reading.recipe not in before


def test_a_file_that_says_it_is_whole_is_believed_of_its_own_bytes_alone(open_server: Any, field: Path) -> None:
    """The tag of one file on the manifest of another: neither is taken for the other."""
    bring(open_server, "known-lies", field)
    digest = Digest.of((field / "0.las").read_bytes())
    other = Digest.of((field / "1.las").read_bytes())
    wrong = manifest(open_server, "known-lies/known-1", original_tag(other))

    async def lie() -> None:
        async with RemoteRegistry(open_server.url, ANONYMOUS) as registry:
            well = registry.repository("known-lies/known-1")
            await well.push_blob((field / "0.las").read_bytes())
            await well.push_manifest(wrong, "application/vnd.oci.image.manifest.v1+json", [original_tag(digest)])
            name = "known-lies/known-0"
            path = f"/v2/{name}/manifests/{original_tag(digest)}"
            await registry.transport.request("DELETE", path, name, expect=(202,))

    asyncio.run(lie())
    report = bring(open_server, "known-lies", field, *UNREAD, code=1)
    assert (report["unchanged"], report["refused"]) == (2, 1)

"""Artifacts to folders, and titles that want to go elsewhere."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataforge_registry.core.curves.errors import CurveError
from dataforge_registry.core.curves.names import Reference
from dataforge_registry.core.curves.schema import Descriptor, Manifest, encode
from dataforge_registry.core.oci import media
from dataforge_registry.core.oci.digest import Digest
from dataforge_registry.core.oci.errors import ManifestUnknown
from dataforge_registry.registry.client.credentials import ANONYMOUS
from dataforge_registry.registry.client.pull import inside, pull
from dataforge_registry.registry.client.remote import RemoteRegistry
from dataforge_registry.registry.client.wells import WellImport, open_las

HOSTILE = [
    "/etc/passwd",
    "../out",
    "a/../../out",
    "a/..",
    "..",
    ".",
    "C:/out",
    "C:out",
    "\\\\host\\share\\out",
    "..\\out",
    "a\\b",
    "a\0b",
    "a\nb",
    "link/out",
    "folder/",
    "folder",
    "a" * 2000,
]


async def push(registry: RemoteRegistry, name: str, titles: dict[str, bytes]) -> None:
    repository = registry.repository(name)
    layers = []
    for title, data in titles.items():
        await repository.push_blob(data)
        notes = {"org.opencontainers.image.title": title} if title else {}
        layers.append(Descriptor(mediaType="text/plain", digest=Digest.of(data), size=len(data), annotations=notes))
    await repository.push_blob(b"{}")
    manifest = Manifest(
        schemaVersion=2,
        mediaType=media.OCI_MANIFEST,
        config=Descriptor(mediaType=media.OCI_EMPTY, digest=Digest.of(b"{}"), size=2),
        layers=layers,
    )
    await repository.push_manifest(encode(manifest), media.OCI_MANIFEST, ["latest"])


@pytest.mark.asyncio
@pytest.mark.parametrize("title", [title for title in HOSTILE if "\0" not in title])
async def test_a_title_never_leaves_the_folder(open_server: Any, tmp_path: Path, title: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    target = tmp_path / "target"
    (target / "folder").mkdir(parents=True)
    (target / "link").symlink_to(tmp_path / "elsewhere")
    before = sorted(tmp_path.rglob("*"))
    name = f"pull/{Digest.of(title.encode()).hex[:12]}"
    async with RemoteRegistry(open_server.url, ANONYMOUS) as registry:
        await push(registry, name, {"good.txt": b"good", title: b"evil"})
        with pytest.raises(CurveError, match="nothing was written"):
            await pull(registry, Reference.parse(name), target)
    assert sorted(tmp_path.rglob("*")) == before


@given(st.text(st.sampled_from("ab./\\:~\0 "), max_size=12))
def test_whatever_a_title_is_it_stays_inside(title: str) -> None:
    folder = Path("/nowhere/target")
    try:
        target = inside(folder, title)
    except CurveError:
        return
    assert target.is_relative_to(folder) and target != folder
    assert ".." not in target.parts


@pytest.mark.asyncio
async def test_a_well_comes_as_files(open_server: Any, logs: Any, tmp_path: Path) -> None:
    content = logs.las("Pulled 1", {"GR": logs.smooth(40_000), "RHOB": logs.smooth(40_000, 1)})
    async with RemoteRegistry(open_server.url, ANONYMOUS) as registry:
        await WellImport(registry, "pull").push(open_las(content, "x.las"))
        total, came = [], []
        files, untitled = await pull(registry, Reference.parse("pull/pulled-1"), tmp_path, total.append, came.append)
        names = {str(path.relative_to(tmp_path)) for path in files}
        assert {"log/MD.parquet", "log/GR-0001.parquet", "log/RHOB-0001.parquet"} <= names
        assert untitled == 0
        assert sum(came) == total[0] == sum(path.stat().st_size for path in files)
        received = registry.transport.requests
        again, _ = await pull(registry, Reference.parse("pull/pulled-1"), tmp_path)
        assert again == files
        assert registry.transport.requests == received + 3  # the index and its two manifests
        (tmp_path / "log" / "MD.parquet").write_bytes(b"damaged")
        await pull(registry, Reference.parse("pull/pulled-1/log/gr"), tmp_path)
        assert (tmp_path / "log" / "MD.parquet").read_bytes()[:4] == b"PAR1"
        with pytest.raises(ManifestUnknown, match="no well pull/absent"):
            await pull(registry, Reference.parse("pull/absent"), tmp_path)


@pytest.mark.asyncio
async def test_two_contents_of_one_title_are_refused(open_server: Any, tmp_path: Path) -> None:
    async with RemoteRegistry(open_server.url, ANONYMOUS) as registry:
        await push(registry, "pull/twice", {"a.txt": b"one", "./a.txt": b"two"})
        with pytest.raises(CurveError, match="two layers"):
            await pull(registry, Reference.parse("pull/twice"), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.asyncio
async def test_the_command(open_server: Any, tmp_path: Path) -> None:
    async with RemoteRegistry(open_server.url, ANONYMOUS) as registry:
        await push(registry, "pull/command", {"a/b.txt": b"one", "": b"two"})
    command = [sys.executable, "-m", "dataforge_registry.registry", "pull", f"{open_server.url}/pull/command"]
    done = subprocess.run([*command, "-o", str(tmp_path / "new")], capture_output=True, text=True, check=True)
    assert done.stdout == f"{tmp_path / 'new' / 'a' / 'b.txt'}\n"
    assert "1 layers without a title" in done.stderr
    assert (tmp_path / "new" / "a" / "b.txt").read_bytes() == b"one"
    failed = subprocess.run([*command[:-1], f"{open_server.url}/pull/none"], capture_output=True, text=True)
    assert (failed.returncode, failed.stdout) == (1, "") and failed.stderr.count("\n") == 1

"""`dfr adopt`: what it prints and refuses, and which places it takes for our own store's."""

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from dataforge_registry.core.oci.digest import Digest
from dataforge_registry.drivers.filesystem import FilesystemDriver
from dataforge_registry.registry.cli import build
from dataforge_registry.registry.config import Config, load
from dataforge_registry.registry.failures import CommandError
from dataforge_registry.registry.places import place_of

from ..clients.layout import write_layout
from ..core.adopting.trees import ROOT, Tree


def refusal(result: Result) -> str:
    assert isinstance(result.exception, CommandError), result.output
    return str(result.exception)


def test_a_tree_a_layout_and_refusals(database_url: str, tmp_path: Path) -> None:
    settings = {"REGISTRY_DATABASE_URL": database_url, "REGISTRY_AUTH_SECRETKEY": "32 characters or more are a secret"}
    runner, data = CliRunner(env=settings), ["--data", str(tmp_path / "data")]

    def dfr(*words: str) -> Result:
        return runner.invoke(build(), [*words, *data])

    old = tmp_path / "old"
    tree = Tree(FilesystemDriver(str(old)))

    async def fill() -> None:
        await tree.image("p/a", b"layer" * 10_000, b"small", tags=("v1",))
        await tree.image("p/b", b"lost")
        await tree.store.delete(f"{ROOT}/{tree.data(Digest.of(b'lost'))}")

    asyncio.run(fill())
    assert "one of --distribution-root" in refusal(dfr("adopt"))
    assert "belong together" in refusal(dfr("adopt", "--oci-layout", str(old)))
    assert "is no folder" in refusal(dfr("adopt", "--distribution-root", str(old / "no")))
    assert "no index.json" in refusal(dfr("adopt", "--oci-layout", str(old), "--repository", "p/c"))
    dry = dfr("adopt", "--distribution-root", str(old), "--dry-run")
    assert (dry.exit_code, "nothing was changed" in dry.output) == (1, True)
    said = tmp_path / "report.json"
    done = dfr("adopt", "--distribution-root", str(old), "--report", str(said))
    assert (done.exit_code, "refused: p/b: sha256:" in done.output) == (1, True), done.output
    whole, lost = json.loads(said.read_text())["repositories"]
    assert (whole["copied"], whole["copied_bytes"], whole["tags"], lost["manifests"]) == (2, 50_005, 1, 0)
    write_layout(tmp_path / "layout", {"a": b"a"})
    taken = dfr("adopt", "--oci-layout", str(tmp_path / "layout"), "--repository", "p/c")
    assert taken.exit_code == 0, taken.output
    assert dfr("adopt", "--confirm").output == "gc may delete adopted blobs from now on; 0 waited for that\n"


def config(tmp_path: Path, storage: str) -> Config:
    path = tmp_path / "config.yml"
    path.write_text(f"storage: {storage}\n")
    return load(path, {}, data=tmp_path / "data")


@pytest.mark.parametrize(
    ("ours", "theirs", "inside"),
    [("", "", ""), ("", "a/b", "a/b/"), ("a", "ab", None), ("a", "", None), ("ours", "theirs", None)],
)
def test_folders_of_our_own_store(tmp_path: Path, ours: str, theirs: str, inside: str | None) -> None:
    (tmp_path / theirs).mkdir(parents=True, exist_ok=True)
    settings = config(tmp_path, f"{{filesystem: {{rootdirectory: {tmp_path / ours}}}}}")
    place = place_of(settings, str(tmp_path / theirs), {})
    assert (place.kind, place.inside) == ("filesystem", inside)


@pytest.mark.parametrize(
    ("ours", "theirs", "inside"),
    [
        ("", "s3://wells", ""),
        ("", "s3://wells/old", "old/"),
        ("/a/", "s3://wells/a/b", "b/"),
        ("a", "s3://wells/ab", None),
        ("a", "s3://wells", None),
        ("", "s3://other/old", None),
    ],
)
def test_buckets(tmp_path: Path, ours: str, theirs: str, inside: str | None) -> None:
    settings = config(
        tmp_path, f"{{s3: {{bucket: wells, region: r, rootdirectory: '{ours}', regionendpoint: 'http://s'}}}}"
    )
    place = place_of(settings, theirs, {})
    assert (place.inside, place.parameters["regionendpoint"]) == (inside, "http://s")
    elsewhere = place_of(config(tmp_path, "{filesystem: {rootdirectory: /x}}"), theirs, {"AWS_REGION": "north"})
    assert (elsewhere.inside, elsewhere.parameters["region"]) == (None, "north")


def test_buckets_of_other_kinds(tmp_path: Path) -> None:
    google = config(tmp_path, "{gcs: {bucket: wells, rootdirectory: a, keyfile: key.json}}")
    place = place_of(google, "gs://wells/a/old", {})
    assert (place.kind, place.inside, place.parameters["keyfile"]) == ("gcs", "old/", "key.json")
    azure = config(tmp_path, "{azure: {accountname: us, container: wells, accountkey: a2V5}}")
    place = place_of(azure, "az://wells/old", {})
    assert (place.kind, place.inside, place.parameters["rootdirectory"]) == ("azure", "old/", "old")
    asyncio.run(place.open().close())
    bare = place_of(azure, "gs://wells/x", {"STORAGE_EMULATOR_HOST": "http://here"})
    assert (bare.parameters, bare.inside) == (
        {"bucket": "wells", "rootdirectory": "x", "endpoint": "http://here"}, None
    )  # fmt: skip
    named = place_of(google, "az://wells", {"AZURE_STORAGE_ACCOUNT": "us", "AZURE_STORAGE_KEY": "a2V5"})
    assert (named.kind, named.parameters["accountname"], named.inside) == ("azure", "us", None)
    with pytest.raises(CommandError, match="AZURE_STORAGE_ACCOUNT"):
        place_of(google, "az://wells", {})


@pytest.mark.parametrize("where", ["s3://", "ftp://host/folder"])
def test_what_is_no_place(tmp_path: Path, where: str) -> None:
    with pytest.raises(CommandError, match="s3://BUCKET/FOLDER is wanted"):
        place_of(config(tmp_path, "{filesystem: {rootdirectory: /x}}"), where, {})

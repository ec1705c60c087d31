"""storage.verify_reads: a pull of bytes that went bad never ends well, and the next push heals them (promise P19)."""

import http.client
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..client.conftest import served
from .conftest import ENGINES, Registry, sha256

SMALL, LARGE = 100_000, 3_000_000  # seen whole before the answer begins, and on its way; the cache takes neither


@pytest.fixture(scope="module", params=ENGINES)
def verifying(request: pytest.FixtureRequest) -> Iterator[Registry]:
    settings = {"REGISTRY_STORAGE_VERIFY_READS": "true"}
    with served("--auth", "none", "--engine", request.param, **settings) as server:
        # not checked as others are: what is cut off is an error in its log
        yield Registry(server.url.removeprefix("http://"), server, "", {})


def stored(registry: Registry, digest: str) -> Path:
    """The file of a blob."""
    algorithm, _, name = digest.partition(":")
    return registry.server.directory / "storage" / "blobs" / algorithm / name[:2] / name[2:4] / name


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("size", [SMALL, LARGE])
@pytest.mark.parametrize("where", [0, -1])
@pytest.mark.parametrize("span", [None, "bytes=0-"])
def test_a_flipped_bit_is_never_pulled_well(
    verifying: Registry, name: str, size: int, where: int, span: str | None
) -> None:
    data = os.urandom(size)
    path = f"/v2/{name}/blobs/{verifying.blob(name, data)['digest']}"
    headers = {"Range": span} if span else {}
    assert verifying.send("GET", path, headers=headers).body == data
    flip(stored(verifying, sha256(data)), where)
    if size == LARGE:
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            verifying.send("GET", path, headers=headers)
    answer = verifying.send("GET", path, headers=headers)
    assert (answer.status, answer.code) == (404, "BLOB_UNKNOWN")
    verifying.blob(name, data)
    assert verifying.send("GET", path).body == data


def test_a_part_is_read_as_it_is(verifying: Registry, name: str) -> None:
    """Only the whole has a digest to compare with."""
    data = os.urandom(SMALL)
    digest = verifying.blob(name, data)["digest"]
    answer = verifying.send("GET", f"/v2/{name}/blobs/{digest}", headers={"Range": "bytes=10-99"})
    assert (answer.status, answer.body) == (206, data[10:100])


def test_without_it_nobody_looks(registry: Registry, name: str) -> None:
    data = os.urandom(SMALL)
    digest = registry.blob(name, data)["digest"]
    path = stored(registry, digest)
    flip(path, 7)
    assert sha256(registry.send("GET", f"/v2/{name}/blobs/{digest}").body) != digest
    flip(path, 7)

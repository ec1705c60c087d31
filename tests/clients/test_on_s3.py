"""A registry whose blobs are in a bucket: the official suite, large content of foreign clients, nothing left over."""

import asyncio
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..drivers.stores import BUCKET, S3, versitygw
from .server import Client, Mode, Server, serving, sha256
from .test_conformance import DEV, conformance

pytestmark = [pytest.mark.tool("versitygw"), pytest.mark.timeout(600), pytest.mark.xdist_group("s3")]
ROOT = "registry"
LARGE = 40 << 20


@pytest.fixture(scope="module")
def store() -> S3:
    return versitygw()


@pytest.fixture(scope="module")
def server(store: S3) -> Iterator[Server]:
    with tempfile.TemporaryDirectory(prefix="dfr-s3-") as folder:
        Path(folder).chmod(0o755)
        with serving(Path(folder) / "data", Mode("hypercorn", False), **store.environment(ROOT)) as server:
            yield server


def unfinished(store: S3) -> set[str]:
    """What is in the bucket of uploads and joins that have not ended."""

    async def listed() -> set[str]:
        async with store.client() as client:
            page = await client.list_objects_v2(Bucket=BUCKET, Prefix=f"{ROOT}/uploads/")
            multiparts = await client.list_multipart_uploads(Bucket=BUCKET, Prefix=f"{ROOT}/")
        found = (*page.get("Contents", ()), *multiparts.get("Uploads", ()))
        return {each["Key"] for each in found}

    return asyncio.run(listed())


@pytest.mark.tool("conformance")
def test_every_check_of_the_coming_spec_passes(client: Client, server: Server, tmp_path: Path) -> None:
    assert conformance(client, server, tmp_path / "dev", OCI_VERSION="dev", OCI_DATA_SPARSE="true") == DEV


@pytest.mark.tool("oras")
@pytest.mark.parametrize("chunked", [False, True])
def test_a_large_file_goes_and_comes_back(
    client: Client, server: Server, store: S3, tmp_path: Path, chunked: bool
) -> None:
    content, before = os.urandom(LARGE), unfinished(store)
    (client.home / "large.bin").write_bytes(content)
    repository = f"{server.project('large')}/{'chunked' if chunked else 'whole'}"
    if chunked:
        location = server.request("POST", f"/v2/{repository}/blobs/uploads/").headers["Location"]
        for at in range(0, LARGE, 7 << 20):
            chunk = content[at : at + (7 << 20)]
            span = f"{at}-{at + len(chunk) - 1}"
            answer = server.request("PATCH", location, data=chunk, headers={"Content-Range": span})
            assert answer.status_code == 202, answer.text
            location = answer.headers["Location"]
        answer = server.request("PUT", location, params={"digest": sha256(content)})
        assert answer.status_code == 201, answer.text
    client.run("oras", "push", "--plain-http", f"{server.host}/{repository}:v1", "large.bin")
    (client.home / "back").mkdir()
    client.run("oras", "pull", "--plain-http", "-o", "back", f"{server.host}/{repository}:v1")
    assert (client.home / "back" / "large.bin").read_bytes() == content
    answer = server.request("GET", f"/v2/{repository}/blobs/{sha256(content)}", headers={"Range": "bytes=5-9000000"})
    assert (answer.status_code, answer.content) == (206, content[5:9000001])
    deadline = time.monotonic() + 30
    while not unfinished(store) <= before:  # a staging goes behind the answer
        assert time.monotonic() < deadline
        time.sleep(0.2)

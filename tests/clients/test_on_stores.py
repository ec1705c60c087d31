"""A registry whose blobs are in an object store: the official suite, large content of foreign clients, nothing left
over."""

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from ..drivers.stores import BUCKET, Store, azurite, ceph, fake_gcs, versitygw
from ..memory import home
from .server import Client, Mode, Server, serving, sha256
from .test_conformance import DEV, conformance

pytestmark = pytest.mark.timeout(600)
ROOT = "registry"
LARGE = 40 << 20
STARTED = {"s3": versitygw, "ceph": ceph, "azure": azurite, "gcs": fake_gcs}
LIGHT = [
    pytest.param("s3", marks=[pytest.mark.tool("versitygw"), pytest.mark.xdist_group("on-s3")]),
    pytest.param("azure", marks=[pytest.mark.tool("azurite"), pytest.mark.xdist_group("on-azure")]),
    pytest.param("gcs", marks=[pytest.mark.xdist_group("on-gcs")]),
]
CEPH = pytest.param("ceph", marks=[pytest.mark.tool("radosgw"), pytest.mark.xdist_group("s3-ceph")])
ALL = pytest.mark.parametrize("store", [*LIGHT, CEPH], indirect=True)


@pytest.fixture(scope="module", params=LIGHT)
def store(request: pytest.FixtureRequest) -> Store:
    return STARTED[request.param]()


@pytest.fixture(scope="module")
def server(store: Store) -> Iterator[Server]:
    settings = store.environment(ROOT) | {"REGISTRY_STORAGE_REDIRECT_EXCEPT_AGENTS": "[stubborn/]"}
    with home("dfr-store-") as folder:
        settings["REGISTRY_STORAGE_CACHE_FOLDER"] = str(folder / "data" / "copies")
        with serving(folder / "data", Mode("hypercorn", False), **settings) as server:
            yield server


@ALL
@pytest.mark.tool("conformance")
def test_every_check_of_the_coming_spec_passes(client: Client, server: Server, tmp_path: Path) -> None:
    assert conformance(client, server, tmp_path / "dev", OCI_VERSION="dev", OCI_DATA_SPARSE="true") == DEV


@pytest.mark.tool("oras")
@pytest.mark.parametrize("chunked", [False, True])
def test_a_large_file_goes_and_comes_back(
    client: Client, server: Server, store: Store, tmp_path: Path, chunked: bool
) -> None:
    content, before = os.urandom(LARGE), store.unfinished(ROOT)
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
    blob = f"/v2/{repository}/blobs/{sha256(content)}"
    for query in ("", "?redirect=false"):
        answer = server.request("GET", f"{blob}{query}", headers={"Range": "bytes=5-9000000"})
        assert (answer.status_code, answer.content) == (206, content[5:9000001])
        assert [each.status_code for each in answer.history] == ([] if query else [307])
    deadline = time.monotonic() + 30
    while not store.unfinished(ROOT) <= before:  # a staging goes behind the answer
        assert time.monotonic() < deadline
        time.sleep(0.2)


@ALL
def test_readers_are_sent_to_the_store_where_it_is_worth_it(client: Client, server: Server, store: Store) -> None:
    content = os.urandom(3 << 20)
    digest = sha256(content)
    repository = f"{server.project('links')}/file"
    answer = server.request("POST", f"/v2/{repository}/blobs/uploads/?digest={digest}", data=content)
    assert answer.status_code == 201, answer.text
    blob = f"/v2/{repository}/blobs/{digest}"

    def ask(method: str = "GET", query: str = "", **headers: str) -> requests.Response:
        return server.request(method, blob + query, headers=headers, allow_redirects=False)

    sent = ask()
    assert (sent.status_code, sent.headers["Docker-Content-Digest"]) == (307, digest)
    assert "no-store" in sent.headers["Cache-Control"]
    link = sent.headers["Location"]
    assert link.startswith(f"{store.endpoint}/{BUCKET}/{ROOT}/") and store.signed in link
    assert requests.get(link, timeout=30).content == content
    assert ask("HEAD").status_code == 200
    assert ask(Range="bytes=0-99").content == content[:100]
    assert ask(Range=f"bytes=0-{1 << 20}").status_code == 307
    assert ask(Range="bytes=0-99,200-1500000").status_code == 206
    assert ask(**{"If-None-Match": f'"{digest}"'}).status_code == 304
    assert ask(query="?redirect=false").content == content
    assert ask(**{"User-Agent": "stubborn/1.0"}).content == content
    assert server.request("GET", f"/v2/{repository}-other/blobs/{digest}").status_code == 404


def test_what_is_read_again_comes_from_the_disk(server: Server) -> None:
    content = os.urandom(3 << 20)
    repository = f"{server.project('copies')}/file"
    answer = server.request("POST", f"/v2/{repository}/blobs/uploads/?digest={sha256(content)}", data=content)
    assert answer.status_code == 201, answer.text

    def hits() -> float:
        [told] = re.findall(
            r'^dfr_blob_cache_reads_total\{result="hit"\} (.*)$', server.request("GET", "/metrics").text, re.M
        )
        return float(told)

    before, deadline = hits(), time.monotonic() + 30
    while hits() < before + 3:  # the first two reads make it hot, a fetch behind them takes its time
        span = {"Range": "bytes=1000000-1000999"}
        read = server.request("GET", f"/v2/{repository}/blobs/{sha256(content)}", headers=span)
        assert read.content == content[1000000:1001000]
        assert time.monotonic() < deadline

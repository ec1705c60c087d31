"""A registry that reaches its database through PgBouncer in transaction mode, with fewer sessions than it has
connections: the official suite, and pushes and questions at once by many clients."""

import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ..conftest import Databases
from .server import Client, Mode, Server, serving, sha256
from .test_conformance import DEV, conformance

pytestmark = [pytest.mark.tool("pgbouncer"), pytest.mark.timeout(600)]


@pytest.fixture
def server(databases: Databases, pooler_url: str, database_url: str) -> Iterator[Server]:
    databases.pooler_url = pooler_url
    settings = {
        "REGISTRY_DATABASE_URL": databases.pooled(database_url),
        "REGISTRY_DATABASE_DIRECT_URL": database_url,
        "REGISTRY_DATABASE_POOLER": "true",
        "REGISTRY_AUTH_SECRETKEY": "32 characters or more are a secret",
    }
    with (
        tempfile.TemporaryDirectory(prefix="dfr-pooler-") as folder,
        serving(Path(folder) / "data", Mode("hypercorn", False), **settings) as server,
    ):
        yield server


@pytest.mark.tool("conformance")
def test_every_check_of_the_coming_spec_passes(client: Client, server: Server, tmp_path: Path) -> None:
    assert conformance(client, server, tmp_path / "dev", OCI_VERSION="dev", OCI_DATA_SPARSE="true") == DEV


def test_statements_of_many_change_sessions(server: Server) -> None:
    """More pushes, pulls, lists and questions at once than the pooler has sessions: one that relied on something that
    an earlier statement left behind would answer 500."""

    project = server.project("many")

    def work(number: int) -> None:
        repository = f"{project}/r{number % 3}"
        for turn in range(3):
            data = b"%d %d" % (number, turn) * 3000
            path = f"/v2/{repository}/blobs"
            answer = server.request("POST", f"{path}/uploads/?digest={sha256(data)}", data=data)
            assert answer.status_code == 201, answer.text
            assert server.blob(repository, sha256(data)) == data
            for question in ("/api/v1/search?limit=3", "/api/v2.0/statistics", f"/v2/{repository}/tags/list"):
                assert server.request("GET", question).status_code == 200, question

    with ThreadPoolExecutor(8) as clients:
        list(clients.map(work, range(8)))

"""Two servers with accounts over one database: what one says the other knows, and a limit is of both together."""

import asyncio
import base64
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import pytest

from dataforge_registry.core.records.embedded import PrivatePostgres

from .server import Server

PASSWORD = "correct horse battery"
pytestmark = pytest.mark.xdist_group("nodes")
FORM = "application/x-www-form-urlencoded"
BURST, HOLDS = 10, 20
"""Seconds that fill a bucket, and what both nodes together let pass of one account at once."""


def basic(password: str) -> str:
    return "Basic " + base64.b64encode(f"admin:{password}".encode()).decode()


@contextmanager
def running(folder: Path, **settings: str) -> Iterator[Server]:
    server = Server(folder, REGISTRY_AUTH_ADMIN_PASSWORD=PASSWORD, **settings)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[Server, Server, Path]]:
    with tempfile.TemporaryDirectory(prefix="dfr-nodes-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # the private PostgreSQL's user must get in
        with running(folder) as one, running(folder) as two:
            yield one, two, folder


def token(server: Server) -> str:
    status, _, body = server.send("GET", "/service/token?service=dataforge-registry", Authorization=basic(PASSWORD))
    assert status == 200
    return "Bearer " + str(json.loads(body)["token"])


def login(server: Server, password: str, name: str = "admin") -> tuple[int, dict[str, str]]:
    form = f"principal={name}&password={password.replace(' ', '+')}".encode()
    return server.send("POST", "/c/login", form, Content_Type=FORM)[:2]


def records(folder: Path, statement: str) -> list[asyncpg.Record]:
    async def ask(dsn: str) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(dsn)
        try:
            return list(await connection.fetch(statement))
        finally:
            await connection.close()

    with PrivatePostgres.start(folder / "data") as joined:
        return asyncio.run(ask(joined.dsn))


def dfr(folder: Path, *words: str) -> None:
    command = [sys.executable, "-m", "dataforge_registry.registry", *words, "--data", str(folder / "data")]
    subprocess.run(command, check=True, capture_output=True)


def test_a_token_of_one_is_good_at_the_other(pair: tuple[Server, Server, Path]) -> None:
    one, two, _ = pair
    for maker, reader in ((one, two), (two, one)):
        assert reader.send("GET", "/v2/", Authorization=token(maker))[0] == 200
        assert reader.send("GET", "/v2/", Authorization=token(maker)[:-6] + "AAAAAA")[0] == 401


def test_a_session_of_one_is_good_at_the_other_and_ends_at_both(pair: tuple[Server, Server, Path]) -> None:
    one, two, _ = pair
    status, headers = login(one, PASSWORD)
    cookie = headers["set-cookie"].partition(";")[0]
    assert status == 200
    assert [node.send("GET", "/api/v2.0/users/current", Cookie=cookie)[0] for node in (one, two)] == [200, 200]
    assert two.send("GET", "/c/log_out", Cookie=cookie)[0] == 200
    assert [node.send("GET", "/api/v2.0/users/current", Cookie=cookie)[0] for node in (one, two)] == [401, 401]


def test_failures_at_both_are_counted_together(pair: tuple[Server, Server, Path]) -> None:
    one, two, _ = pair
    answers = [login((one, two)[n % 2], "wrong", "nobody")[0] for n in range(10)]
    assert answers == [401] * 10
    for node in (one, two):
        status, headers = login(node, "wrong", "nobody")
        assert (status, int(headers["retry-after"]) > 0) == (429, True)


def test_rotated_keys_are_known_to_those_who_run_and_each_has_a_row_while_it_does(
    pair: tuple[Server, Server, Path],
) -> None:
    one, two, folder = pair
    before = token(one)
    dfr(folder, "key", "rotate")
    dfr(folder, "key", "rotate")  # twice: what signs now was not there when the two read the keys
    count = "SELECT count(*)::int FROM node"
    with running(folder) as third:
        assert records(folder, count) == [(3,)]
        after = token(third)
        assert after.split(".")[0] != before.split(".")[0]
        for node in (one, two, third):
            assert node.send("GET", "/v2/", Authorization=after)[0] == 200
            assert node.send("GET", "/v2/", Authorization=before)[0] == 200
    assert records(folder, count) == [(2,)]


def test_a_limit_of_the_rate_is_of_both_together(pair: tuple[Server, Server, Path]) -> None:
    """Each of four processes lets a quarter pass; without credentials the address counts, and health never does."""
    _, _, folder = pair
    limited = {"REGISTRY_LIMITS_RATE_BURST": f"{BURST}s", "REGISTRY_LIMITS_RATE_PRINCIPAL": str(HOLDS / BURST)}
    limited["REGISTRY_LIMITS_RATE_ADDRESS"] = str(HOLDS / BURST)
    path = "/v2/wells/gr/tags/list"
    with running(folder, **limited) as three, running(folder, **limited) as four:
        for headers, kind in (({"Authorization": token(four)}, "principal"), ({}, "address")):
            policy = four.send("GET", path, **headers)[1]["ratelimit-policy"]
            holds = int(policy.split("q=")[1].split(";")[0])
            assert policy == f'"{kind}";q={holds};w={BURST}' and holds == HOLDS // 4
            for _ in range(50 * HOLDS):
                status, told, body = four.send("GET", path, **headers)
                if status == 429:
                    break
            assert (status, json.loads(body)["errors"][0]["code"]) == (429, "TOOMANYREQUESTS")
            assert int(told["retry-after"]) >= 1 and told["ratelimit"].startswith(f'"{kind}";r=0;t=')
        assert three.send("GET", path)[0] == 401  # of its own part nobody took anything
        for free in ("/health", "/health/ready", "/metrics", "/v2/", "/api/v2.0/health"):
            assert four.send("GET", free)[0] in (200, 401)
        metrics = four.send("GET", "/metrics")[2].decode()
        assert 'dfr_refused_requests_total{reason="rate_address"}' in metrics and "dfr_nodes 4.0" in metrics
        while "limits.rate.address" not in four.log.read_text():
            time.sleep(0.05)

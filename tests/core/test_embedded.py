"""The private PostgreSQL: started, joined, killed, taken over; and one clear line for whatever is in its way."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import pytest

from dataforge_registry.core.records import cluster
from dataforge_registry.core.records.binaries import find_binaries
from dataforge_registry.core.records.embedded import EmbeddedError, PrivatePostgres

NOBODY = 65534
QUICK = {"shared_buffers": "16MB"}
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="is about dropping root")


@pytest.fixture
def directory(server_directory: Path) -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(dir=server_directory))
    if os.geteuid() == 0:
        os.chown(directory, NOBODY, NOBODY)
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def start(directory: Path, postgres_programs: Path | None) -> Iterator[Callable[[], PrivatePostgres]]:
    """Start or join the server of `directory`; all are stopped at the end."""
    servers: list[PrivatePostgres] = []

    def start() -> PrivatePostgres:
        server = PrivatePostgres.start(directory, durable=False, settings=QUICK, programs=postgres_programs)
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.stop()


def query(dsn: str, statement: str) -> object:
    async def ask() -> object:
        conn = await asyncpg.connect(dsn)
        try:
            return await conn.fetchval(statement)
        finally:
            await conn.close()

    return asyncio.run(ask())


def eventually(check: Callable[[], object]) -> object:
    """What `check` returns once it neither raises nor returns something false; its last error after a minute."""
    deadline = time.monotonic() + 60
    while True:
        try:
            if result := check():
                return result
            error: Exception = AssertionError("still not true")
        except (OSError, asyncpg.PostgresError) as raised:
            error = raised
        if time.monotonic() > deadline:
            raise error
        time.sleep(0.05)


def test_starts_on_a_socket_only_and_keeps_what_was_committed(
    directory: Path, start: Callable[[], PrivatePostgres]
) -> None:
    server = start()
    assert server.owned
    assert query(server.dsn, "SELECT current_setting('listen_addresses')") == ""
    assert query(server.dsn, "SELECT current_user") == "registry"
    assert (directory / "postgres").stat().st_mode & 0o777 == 0o700
    query(server.dsn, "CREATE TABLE kept AS SELECT 7 AS n")
    pid = server.pid
    server.stop()
    assert pid is not None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert query(start().dsn, "SELECT n FROM kept") == 7


def test_order_of_an_index_does_not_depend_on_the_host(start: Callable[[], PrivatePostgres]) -> None:
    server = start()
    assert query(server.dsn, "SELECT datcollate FROM pg_database WHERE datname = current_database()") == "C"
    assert query(server.dsn, "SELECT string_agg(x, '' ORDER BY x) FROM unnest('{b,A,a,B,ä}'::text[]) x") == "ABabä"


def test_settings_reach_the_server(directory: Path, postgres_programs: Path | None) -> None:
    settings = QUICK | {"max_connections": "23"}
    with PrivatePostgres.start(directory, settings=settings, programs=postgres_programs) as server:
        assert query(server.dsn, "SELECT current_setting('max_connections')") == "23"
        assert query(server.dsn, "SELECT current_setting('fsync')") == "on"
    with PrivatePostgres.start(directory, durable=False, settings=QUICK, programs=postgres_programs) as server:
        assert query(server.dsn, "SELECT current_setting('fsync')") == "off"


def test_a_setting_the_server_refuses_is_one_line(
    directory: Path, postgres_programs: Path | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dataforge_registry.core.records.embedded.PATIENCE", 0.0)
    with pytest.raises(EmbeddedError, match=r"does not start.*FATAL.*unrecognized configuration parameter") as raised:
        PrivatePostgres.start(directory, durable=False, settings={"no_such": "1"}, programs=postgres_programs)
    assert "\n" not in str(raised.value)


def test_variables_of_the_environment_do_not_redirect_it(
    start: Callable[[], PrivatePostgres], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPORT", "1")
    monkeypatch.setenv("PGDATA", "/nowhere")
    server = start()
    monkeypatch.undo()
    assert query(server.dsn, "SELECT current_setting('port')") == "5432"


def test_killed_it_is_back_under_the_same_address(start: Callable[[], PrivatePostgres]) -> None:
    server = start()
    query(server.dsn, "CREATE TABLE kept AS SELECT 7 AS n")
    query(server.dsn, "CHECKPOINT")  # this one runs without fsync
    for _ in range(2):
        pid = server.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        assert eventually(lambda: query(server.dsn, "SELECT n FROM kept")) == 7
        assert server.pid != pid


def test_a_second_process_joins_and_takes_over(directory: Path, start: Callable[[], PrivatePostgres]) -> None:
    """The first holder is another process and dies by SIGKILL; the server goes with it and comes back with us."""
    script = (
        "import sys, time; from pathlib import Path;"
        "from dataforge_registry.core.records.embedded import PrivatePostgres;"
        "programs = Path(sys.argv[2]) if sys.argv[2] else None;"
        "server = PrivatePostgres.start(Path(sys.argv[1]), settings={'shared_buffers': '16MB'}, programs=programs);"
        "print(server.dsn, server.pid, flush=True); time.sleep(600)"
    )
    command = [sys.executable, "-c", script, str(directory), os.environ.get("DFR_TEST_POSTGRES", "")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        try:
            assert holder.stdout is not None
            dsn, pid = holder.stdout.readline().split()
            server = start()
            assert server.dsn == dsn and server.pid is None
            query(server.dsn, "CREATE TABLE kept AS SELECT 7 AS n")
        finally:
            holder.kill()
    assert eventually(lambda: server.pid)
    assert eventually(lambda: query(server.dsn, "SELECT n FROM kept")) == 7
    assert server.pid != int(pid)


def test_one_that_joined_leaves_the_server_alone(start: Callable[[], PrivatePostgres]) -> None:
    first, second = start(), start()
    assert first.owned and not second.owned
    second.stop()
    assert query(first.dsn, "SELECT 1") == 1


def test_many_starting_at_once_share_one_server(start: Callable[[], PrivatePostgres]) -> None:
    async def all_at_once() -> list[PrivatePostgres]:
        return await asyncio.gather(*(asyncio.to_thread(start) for _ in range(4)))

    servers = asyncio.run(all_at_once())
    assert sum(server.owned for server in servers) == 1
    assert len({query(server.dsn, "SELECT pg_postmaster_start_time()") for server in servers}) == 1


def test_a_stale_pid_file_naming_another_program_is_not_believed(
    directory: Path, start: Callable[[], PrivatePostgres]
) -> None:
    start().stop()
    other = subprocess.Popen(["sleep", "600"], user=NOBODY if os.geteuid() == 0 else None)
    try:
        data = directory / "postgres" / "data"
        run = directory / "postgres" / "run"
        path = data / "postmaster.pid"
        path.write_text(f"{other.pid}\n{data}\n1\n5432\n{run}\n\n  1234567   1\nready   \n")
        if os.geteuid() == 0:
            os.chown(path, NOBODY, NOBODY)
        assert query(start().dsn, "SELECT 1") == 1
    finally:
        other.kill()
        other.wait()


def test_a_path_too_long_for_a_socket_gets_a_short_one(directory: Path, postgres_programs: Path | None) -> None:
    deep = directory / ("x" * 100) / "a,b"
    deep.parent.mkdir()
    dsns = []
    for _ in range(2):
        with PrivatePostgres.start(deep, durable=False, settings=QUICK, programs=postgres_programs) as server:
            dsns.append(server.dsn)
            assert query(server.dsn, "SELECT 1") == 1
    assert dsns[0] == dsns[1]
    folder = (deep / "postgres" / "run").resolve()
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.rmdir()


def test_data_of_another_major_version_is_one_line(directory: Path, start: Callable[[], PrivatePostgres]) -> None:
    start().stop()
    (directory / "postgres" / "data" / "PG_VERSION").write_text("9\n")
    with pytest.raises(EmbeddedError, match=r"was made by PostgreSQL 9, and here is only .*1\d"):
        start()


def test_a_half_made_cluster_is_made_anew(directory: Path, start: Callable[[], PrivatePostgres]) -> None:
    start().stop()
    home = directory / "postgres"
    (home / "data").rename(home / "data.part")
    assert query(start().dsn, "SELECT 1") == 1


def test_no_programs_is_one_line(directory: Path) -> None:
    with pytest.raises(EmbeddedError, match=r"no PostgreSQL 15 or newer in .*: install"):
        PrivatePostgres.start(directory, programs=directory)


def test_a_folder_that_cannot_be_made_is_one_line(directory: Path) -> None:
    (directory / "file").write_text("")
    with pytest.raises(EmbeddedError, match=r"cannot make .*file/sub: Not a directory"):
        PrivatePostgres.start(directory / "file" / "sub")


@as_root
def test_a_folder_the_service_user_cannot_enter_is_one_line(directory: Path, postgres_programs: Path | None) -> None:
    closed = directory / "closed"
    closed.mkdir(mode=0o700)
    (closed / "data").mkdir()
    with pytest.raises(EmbeddedError, match=rf"nobody .* cannot enter {closed}: let it in"):
        PrivatePostgres.start(closed / "data", programs=postgres_programs)
    assert closed.stat().st_mode & 0o777 == 0o700 and closed.stat().st_uid == 0


@as_root
def test_another_user_is_refused_at_the_socket(directory: Path, start: Callable[[], PrivatePostgres]) -> None:
    server = start()
    run = directory / "postgres" / "run"
    for folder in (directory.parent, directory, run.parent, run):
        folder.chmod(0o711)
    cluster.socket_path(run).chmod(0o777)
    command = [find_binaries()[0].program("psql"), "-w", server.dsn, "-c", "SELECT 1"]
    answer = subprocess.run(command, user=1, group=1, extra_groups=[], capture_output=True, text=True, check=False)
    assert answer.returncode != 0 and "eer authentication failed" in answer.stderr


@as_root
def test_programs_the_service_user_cannot_read_are_copied(directory: Path) -> None:
    bundled = find_binaries()[0]
    if bundled.folder.parent.name != "pginstall18":
        pytest.skip("the bundled programs are not installed")
    user = cluster.service_user(directory)
    hidden = directory / "hidden"
    package = bundled.folder.parent.parent
    shutil.copytree(bundled.folder.parent, hidden / package.name / "pginstall18", symlinks=True)
    shutil.copytree(package.with_suffix(".libs"), hidden / f"{package.name}.libs")
    hidden.chmod(0o700)
    with PrivatePostgres.start(
        directory, durable=False, settings=QUICK, programs=hidden / package.name / "pginstall18" / "bin"
    ) as server:
        assert query(server.dsn, "SELECT 1") == 1
    assert (directory / "postgres" / "programs" / package.name / "pginstall18" / "bin" / "postgres").is_file()
    assert (directory / "postgres" / "data").stat().st_uid == user.uid

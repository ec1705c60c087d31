"""A real PgBouncer in transaction mode in front of a test's PostgreSQL."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import asyncpg

PORT = 6432
PROGRAM = "pgbouncer"
SIZE = 3
"""Server connections of each database: fewer than any test has clients, so that statements change sessions."""
SECONDS = 20


def program() -> str | None:
    """PgBouncer, which Debian puts where only root looks."""
    return shutil.which(PROGRAM, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")


@contextmanager
def pgbouncer(folder: Path, server_url: str, size: int = SIZE) -> Iterator[str]:
    """The address of a pooler of all databases of a server on a socket; `folder` is its own, and short."""
    settings = _settings(folder, server_url, size)
    command = [program() or PROGRAM, "-q", str(settings)]
    if os.geteuid() == 0:
        os.chown(folder, 65534, 65534)
        command[1:1] = ["-u", "nobody"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait(folder / f".s.PGSQL.{PORT}", process)
        parts = urlsplit(server_url)
        yield parts._replace(
            netloc=f"{parts.username}@", query=f"host={quote(str(folder), safe='')}&port={PORT}"
        ).geturl()
    finally:
        process.terminate()
        process.wait(SECONDS)


async def point(folder: Path, server_url: str, size: int = SIZE) -> None:
    """Let the pooler in a folder go to another server from now on, as an operator does after a failover."""
    _settings(folder, server_url, size)
    user = urlsplit(server_url).username
    console = await asyncpg.connect(host=str(folder), port=PORT, user=user, database=PROGRAM, statement_cache_size=0)
    await console.execute("RELOAD")
    await console.execute("RECONNECT")
    await console.close()


def _settings(folder: Path, server_url: str, size: int) -> Path:
    parts = urlsplit(server_url)
    query = parse_qs(parts.query)
    host, port = query.get("host", [parts.hostname])[0], query.get("port", [parts.port])[0]
    settings = folder / "pgbouncer.ini"
    settings.write_text(
        f"[databases]\n* = host={host} port={port} user={parts.username}\n"
        f"[pgbouncer]\nunix_socket_dir = {folder}\nlisten_port = {PORT}\nauth_type = any\npool_mode = transaction\n"
        f"default_pool_size = {size}\nmax_client_conn = 500\nlogfile = {folder}/log\nserver_login_retry = 1\n"
        f"admin_users = {parts.username}\n"
    )
    return settings


def _wait(address: Path, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, (address.parent / "log").read_text()
        with socket.socket(socket.AF_UNIX) as tried:
            try:
                tried.connect(str(address))
                return
            except OSError:
                time.sleep(0.02)
    raise AssertionError(f"{address} did not answer in {SECONDS} s")

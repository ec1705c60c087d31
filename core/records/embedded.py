"""The private PostgreSQL: a server of our own on a Unix socket, for a registry that needs nothing installed.

One thread supervises it for the life of the process. Whoever holds the lock in DIR runs the server, starts it again
when it dies and stops it at the end; every other process of this DIR joins the running one, and one of them takes over
when the holder is gone. POSIX only. The lock follows a fork: start workers by spawn or exec.
"""

import atexit
import fcntl
import logging
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from .cluster import (
    PORT,
    Cluster,
    EmbeddedError,
    dsn,
    environment,
    last_error,
    open_cluster,
    open_home,
    open_private,
    service_user,
    socket_path,
)

__all__ = ["EmbeddedError", "PrivatePostgres"]

log = logging.getLogger(__name__)

SETTINGS = {
    "max_connections": "200",
    "shared_buffers": "256MB",
    "max_wal_size": "1GB",
    "jit": "off",
    "log_checkpoints": "off",
}
NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
LOG_LIMIT = 8 << 20
"""Bytes of the server's log beyond which a start moves it to log.1."""
PATIENCE = 15.0
"""Seconds a first start is tried again: after a kill -9 old backends hold the shared memory for a moment."""


class PrivatePostgres:
    """A running private server, ours or joined: `dsn` to connect to, `stop()` to let go. Safe to use as a context."""

    def __init__(
        self, directory: Path, *, durable: bool, settings: Mapping[str, str], programs: Path | None, grace: float
    ) -> None:
        self._directory = directory
        self._durable = durable
        self._settings = {**SETTINGS, **({} if durable else NOT_DURABLE), **settings}
        self._programs = programs
        self._grace = grace
        self._mutex = threading.Lock()  # guards _child and _stopping against each other
        self._stopping = threading.Event()
        self._settled = threading.Event()
        self._child: subprocess.Popen[bytes] | None = None
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._supervise, name="private-postgres", daemon=True)
        self.dsn = ""

    @classmethod
    def start(
        cls,
        directory: Path,
        *,
        durable: bool = True,
        settings: Mapping[str, str] | None = None,
        programs: Path | None = None,
        grace: float = 30.0,
    ) -> Self:
        """Return once DIR's server answers: started, or joined where another process runs it. Blocks (0.1 s, 1 s the
        first time, longer while the server recovers from a crash): in asyncio use `asyncio.to_thread`.

        `settings` are PostgreSQL's own, `programs` a folder with initdb and postgres, `grace` the seconds a stop waits
        for a clean shutdown. EmbeddedError says in one line what is in the way.
        """
        directory = directory.absolute()
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise EmbeddedError(f"cannot make {directory}: {error.strerror}") from error
        server = cls(directory, durable=durable, settings=settings or {}, programs=programs, grace=grace)
        server._thread.start()
        server._settled.wait()
        if server._failure is not None:
            raise EmbeddedError(str(server._failure)) from server._failure
        atexit.register(server.stop)
        return server

    @property
    def owned(self) -> bool:
        """Whether this process runs the server (the others joined it)."""
        return self._child is not None

    @property
    def pid(self) -> int | None:
        """The server's process id, where this process runs it."""
        return None if self._child is None else self._child.pid

    def stop(self) -> None:
        """Let go: a fast shutdown where the server is ours (connections are cut, everything committed is kept), else
        nothing. After `grace` seconds an immediate one; the next start then recovers from the log."""
        atexit.unregister(self.stop)
        with self._mutex:
            self._stopping.set()
            child = self._child
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            if child is not None:
                child.send_signal(number)
            self._thread.join(self._grace)
            if not self._thread.is_alive():
                return

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _supervise(self) -> None:
        """The thread: take the lock and run the server, or join the one who has it, until told to stop."""
        descriptor = -1
        try:
            user = service_user(self._directory)
            home = open_home(self._directory, user)
            descriptor = open_private(home / "lock", user, os.O_RDWR)
            while not self._stopping.is_set():
                if _lock(descriptor):
                    self._serve(open_cluster(self._directory, durable=self._durable, programs=self._programs))
                    return
                if not self._settled.is_set() and (run := _running(home / "data")) is not None:
                    self._settle(run)
                self._stopping.wait(0.05 if not self._settled.is_set() else 0.5)
        except PermissionError as error:
            self._failure = EmbeddedError(
                f"{error.filename}: {error.strerror}: run as the owner of the folder or as root"
            )
        except OSError as error:
            self._failure = EmbeddedError(f"cannot use {error.filename or self._directory}: {error.strerror}")
        except Exception as error:
            self._failure = error
        finally:
            if descriptor >= 0:
                os.close(descriptor)
            if self._failure is not None and self._settled.is_set():
                log.error("the private PostgreSQL is given up: %s", self._failure)
            self._settled.set()

    def _serve(self, cluster: Cluster) -> None:
        """Run the server and start it again whenever it ends, until told to stop."""
        deadline = time.monotonic() + PATIENCE
        pause = 0.1
        while (child := self._launch(cluster)) is not None:
            ready = _wait_ready(child, cluster.data)
            if ready:
                self._settle(cluster.run)
                pause = 0.1
            status = child.wait()
            self._child = None
            if self._stopping.is_set():
                return
            complaint = last_error(_tail(cluster.home / "log"))
            if not self._settled.is_set() and time.monotonic() > deadline:
                raise EmbeddedError(f"PostgreSQL does not start: {complaint} (all of it: {cluster.home / 'log'})")
            log.warning("the private PostgreSQL ended with status %d, starting it again: %s", status, complaint)
            self._stopping.wait(pause)
            pause = min(pause * 1.5, 5.0)

    def _settle(self, run: Path) -> None:
        self.dsn = dsn(run)
        self._settled.set()

    def _launch(self, cluster: Cluster) -> subprocess.Popen[bytes] | None:
        """Start the server, or None where a stop came first."""
        options = {"listen_addresses": "", "unix_socket_permissions": "0700", "port": str(PORT)} | self._settings
        arguments = [word for key, value in options.items() for word in ("-c", f"{key}={value}")]
        command = cluster.command("postgres", "-D", str(cluster.data), "-k", str(cluster.run), *arguments)
        output = _open_log(cluster)
        try:
            with self._mutex:
                if self._stopping.is_set():
                    return None
                self._child = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    env=environment(**_stale(cluster.data)),
                    start_new_session=True,  # Ctrl-C at the terminal is for us; we stop the server after our own work
                )
                return self._child
        finally:
            os.close(output)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _status(data: Path) -> list[str]:
    """The lines of postmaster.pid: 1 pid, 5 the socket's folder, 8 the state; fewer while the server starts."""
    try:
        return (data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return []


def _is_ready(lines: list[str]) -> bool:
    return len(lines) >= 8 and lines[7].strip() == "ready"


def _wait_ready(child: subprocess.Popen[bytes], data: Path) -> bool:
    """Wait as long as the child lives, since recovery takes what it takes. The file of a dead server also says ready:
    only the line with our child's pid counts."""
    while child.poll() is None:
        lines = _status(data)
        if _is_ready(lines) and lines[0] == str(child.pid):
            return True
        time.sleep(0.01)
    return False


def _running(data: Path) -> Path | None:
    """The socket's folder of a server that answers, whoever runs it."""
    lines = _status(data)
    if not _is_ready(lines):
        return None
    run = Path(lines[4])
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(socket_path(run)))
        except (ConnectionError, FileNotFoundError):
            return None
    return run


def _stale(data: Path) -> dict[str, str]:
    """After kill -9 postmaster.pid may name a pid that is now another program's (in a container they repeat), and the
    server would refuse to start for ever. PG_GRANDPARENT_PID is the server's own way to be told "that is not one of
    us"; it still checks that no old backend holds the shared memory."""
    lines = _status(data)
    if not lines or not lines[0].isdigit():
        return {}
    try:
        name = Path(f"/proc/{lines[0]}/comm").read_text().strip()
    except OSError:
        return {}
    return {} if name == "postgres" else {"PG_GRANDPARENT_PID": lines[0]}


def _open_log(cluster: Cluster) -> int:
    path = cluster.home / "log"
    if path.exists() and path.stat().st_size > LOG_LIMIT:
        path.rename(path.with_name("log.1"))
    return open_private(path, cluster.user, os.O_WRONLY | os.O_APPEND)


def _tail(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 4096))
        return file.read().decode(errors="replace")

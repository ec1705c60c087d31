"""A primary PostgreSQL and standbys that follow it by streaming, each of which a test may kill, stop or promote."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dataforge_registry.core.records.binaries import Binaries, copy_binaries, find_binaries

ROLE = "registry"
SECONDS = 60
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "shared_buffers": "32MB",
    "max_connections": "60",
    "fsync": "off",  # processes are killed here, not machines
    "wal_keep_size": "256MB",
}


def _user() -> dict[str, int]:
    return {"user": 65534, "group": 65534} if os.geteuid() == 0 else {}


@dataclass
class Node:
    """One server of the pair, in a folder of its own."""

    folder: Path
    programs: Binaries
    port: int
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"postgresql://{ROLE}@127.0.0.1:{self.port}/postgres"

    def start(self, **settings: str) -> None:
        """Returns once it answers."""
        options = [f"-c{name}={value}" for name, value in (SETTINGS | {"port": str(self.port)} | settings).items()]
        with (self.folder.with_suffix(".log")).open("ab") as log:
            self.process = subprocess.Popen(
                [self.programs.program("postgres"), "-D", str(self.folder), *options],
                stdout=log, stderr=log, cwd="/", start_new_session=True, **_user(),
            )  # fmt: skip
        deadline = time.monotonic() + SECONDS
        while self._ready() != 0:
            assert self.process.poll() is None and time.monotonic() < deadline, self.folder.with_suffix(
                ".log"
            ).read_text()
            time.sleep(0.05)

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal to all of its processes at once, as when the machine goes."""
        assert self.process is not None
        listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(self.process.pid)], capture_output=True, text=True)
        for pid in (self.process.pid, *map(int, listed.stdout.split())):  # each backend leads a group of its own
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue
        if number == signal.SIGKILL:
            self.process.wait(SECONDS)
            self.process = None

    def stop(self) -> None:
        """End it in order, if it runs."""
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(signal.SIGINT)
            self.process.wait(SECONDS)
            self.process = None

    def promote(self) -> None:
        """Make a standby the primary."""
        self.run("pg_ctl", "promote", "-D", str(self.folder), "-w", "-s")

    def run(self, program: str, *arguments: str) -> None:
        command = [self.programs.program(program), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, cwd="/", check=False, **_user())
        assert done.returncode == 0, f"{program}: {done.stdout}{done.stderr}"

    def _ready(self) -> int:
        program = self.programs.program("pg_isready")
        return subprocess.run([program, "-q", "-h", "127.0.0.1", "-p", str(self.port)], check=False).returncode


def _node(folder: Path, programs: Binaries) -> Node:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return Node(folder, programs, free.getsockname()[1])


@contextmanager
def replicated(folder: Path, programs: Path | None, *, synchronous: bool) -> Iterator[tuple[Node, Node]]:
    """A primary and its standby. `synchronous`: a commit waits until the standby has it."""
    if os.geteuid() == 0:
        os.chown(folder, 65534, 65534)
    found = copy_binaries(find_binaries(programs)[0], folder / "programs")
    primary, standby = (_node(folder / name, found) for name in ("a", "b"))
    primary.run("initdb", "-D", str(primary.folder), "-U", ROLE, "-A", "trust", "--no-sync", "--locale=C", "-E", "UTF8")
    try:
        primary.start(**({"synchronous_standby_names": "*"} if synchronous else {}))
        primary.run(
            "pg_basebackup", "-D", str(standby.folder), "-d", primary.url, "-R", "-X", "stream", "-c", "fast", "-N"
        )
        standby.start()
        yield primary, standby
    finally:
        primary.stop()
        standby.stop()
        shutil.rmtree(folder / "programs", ignore_errors=True)


def both(*nodes: Node) -> str:
    """The address that names all of them."""
    places = ",".join(f"127.0.0.1:{node.port}" for node in nodes)
    return f"postgresql://{ROLE}@{places}/postgres"

"""`dfr serve` and `dfr worker` as processes that can be killed, stopped and started, and what is in their folder."""

import asyncio
import hashlib
import http.client
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import asyncpg

from dataforge_registry.core.records.embedded import PrivatePostgres

from ..registry.v2.invariants import violations

SECONDS = 60


def sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


class Server:
    """One process on one port; servers of one folder share its private PostgreSQL and its store. `ulimit` is the
    shell's: `-n 256` bounds its open files."""

    _started = b"http://"

    def __init__(self, folder: Path, ulimit: str = "", **settings: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.data = folder / "data"
        self.storage = Path(settings.get("REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", self.data / "storage"))
        self.log = folder / f"{self.port}.log"
        self._command = ["sh", "-c", f'ulimit {ulimit}; exec "$@"', "sh"] if ulimit else []
        self._command += [sys.executable, "-m", "dataforge_registry.registry", "serve"]
        self._command += [] if "REGISTRY_AUTH_ADMIN_PASSWORD" in settings else ["--auth", "none"]
        self._command += ["--data", str(self.data), "--port", str(self.port)]
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("REGISTRY_", "DFR_"))}
        self._environment = kept | settings
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Returns once it answers."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, env=self._environment, stdout=subprocess.PIPE, stderr=log, start_new_session=True
            )
        assert self._process.stdout is not None
        assert self._started in self._process.stdout.readline(), self.log.read_text()

    def send_signal(self, number: int) -> None:
        """Send a signal and go on."""
        assert self._process is not None
        self._process.send_signal(number)

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Send a signal that ends it, and wait for the end."""
        if self._process is None:
            return
        assert self._process.stdout is not None
        self._process.send_signal(number)
        self._process.wait(SECONDS)
        self._process.stdout.close()
        self._process = None

    def send(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers by lower-case name, body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        try:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def begin(self, path: str, length: int, first: bytes) -> socket.socket:
        """A PATCH whose body has begun; the rest is the caller's."""
        half = socket.create_connection(("127.0.0.1", self.port), timeout=SECONDS)
        half.sendall(f"PATCH {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n".encode() + first)
        return half

    def staged(self) -> int:
        """Bytes in all stagings: how far a body has come."""
        folder = self.storage / "uploads"
        return sum(file.stat().st_size for file in folder.iterdir()) if folder.is_dir() else 0

    def objects(self, digest: str) -> list[Path]:
        """The files that hold a blob, of whatever generation."""
        algorithm, _, name = digest.partition(":")
        folder = self.storage / "blobs" / algorithm / name[:2] / name[2:4]
        return sorted(folder.glob(f"{name}*"))

    def postgres(self) -> int:
        """The process id of the private PostgreSQL."""
        (file,) = self.data.glob("postgres/**/postmaster.pid")
        return int(file.read_text().split()[0])

    def violations(self, killed: bool = False) -> list[str]:
        """What is wrong in the records and the store. A writer that was killed may leave its lease behind."""
        with PrivatePostgres.start(self.data) as joined:
            if killed:
                asyncio.run(forget_leases(joined.dsn))
            return asyncio.run(violations(joined.dsn, self.storage))


class Worker(Server):
    """`dfr worker` of the same folder: nobody can ask it anything."""

    _started = b"in the background"

    def __init__(self, folder: Path, **settings: str) -> None:
        super().__init__(folder, **settings)
        self._command = [sys.executable, "-m", "dataforge_registry.registry", "worker", "--data", str(self.data)]


async def forget_leases(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("UPDATE upload SET lease = NULL")
    finally:
        await connection.close()

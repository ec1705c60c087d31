"""The registries that are measured: how each is started on a folder and a port, and how durable its writes are."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

TOOLS = Path(__file__).parents[1] / ".tools" / "bin"
START_SECONDS = 60
STOP_SECONDS = 60
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Kind:
    """A registry and one way to run it. `command` gets a folder and an address, `ready` is a path that answers 200."""

    name: str
    ours: bool
    program: str
    command: Callable[[Path, str], list[str]]
    version: tuple[str, ...]
    durability: str
    ready: str = "/v2/"


def ours(engine: str, workers: int) -> Kind:
    def command(folder: Path, address: str) -> list[str]:
        port = address.rpartition(":")[2]
        where = ["--data", str(folder), "--port", port, "--auth", "none"]
        return [
            sys.executable,
            "-m",
            "dataforge_registry.registry",
            "serve",
            *where,
            "--engine",
            engine,
            "--workers",
            str(workers),
        ]

    return Kind(
        name=f"dfr, {engine} x{workers}",
        ours=True,
        program=sys.executable,
        command=command,
        version=(sys.executable, "-m", "dataforge_registry.registry", "version"),
        durability="every 201 is on disk: file data and folders fsynced, PostgreSQL with fsync and synchronous_commit",
        ready="/health",
    )


def peer(name: str, program: str, durability: str) -> Kind:
    def command(folder: Path, address: str) -> list[str]:
        config = folder / "config.json"  # JSON is YAML
        storage = {"filesystem": {"rootdirectory": str(folder / "data")}, "delete": {"enabled": True}}
        # No cache of blob descriptors beside the default, no access log: the fastest setting of both peers.
        log = {"level": "error", "accesslog": {"disabled": True}}
        config.write_text(json.dumps({"version": 0.1, "storage": storage, "http": {"addr": address}, "log": log}))
        return [program, "serve", str(config)]

    return Kind(name, False, program, command, (program, "--version"), durability)


DISTRIBUTION = peer(
    "distribution 3.1.2", str(TOOLS / "registry"), "file data and its folder fsynced; tags and links are such files"
)
DEBIAN = peer("docker-registry 2.8.2", "docker-registry", "file data fsynced, folders not")
KINDS = (DISTRIBUTION, DEBIAN, ours("hypercorn", 2), ours("granian", 1), ours("granian", 2))


class Registry:
    """A running registry in a folder of its own."""

    def __init__(self, kind: Kind, folder: Path) -> None:
        self.kind = kind
        self.folder = folder
        self.address = f"127.0.0.1:{free_port()}"
        self.base = f"http://{self.address}"
        folder.mkdir(parents=True)
        self._log = (folder.parent / f"{folder.name}.log").open("wb")
        kept = {name: value for name, value in os.environ.items() if not name.startswith("REGISTRY_")}
        # No line in the log for each request: the peers' access logs are off too.
        kept |= {"REGISTRY_LOG_LEVEL": "warning"} if kind.ours else {}
        self._process = subprocess.Popen(
            kind.command(folder, self.address), env=kept, stdout=self._log, stderr=subprocess.STDOUT
        )
        self._wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                with urllib.request.urlopen(self.base + self.kind.ready, timeout=5):
                    return
            except OSError:  # URLError is one, and so is a timeout
                time.sleep(0.1)
        said = Path(self._log.name).read_text(errors="replace")[-2000:]
        self.stop()
        raise RuntimeError(f"{self.kind.name} did not start: {said}")

    def stop(self) -> None:
        """As an operator stops it; killed where it does not end."""
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    @property
    def process(self) -> int:
        """The id of its first process."""
        return self._process.pid

    def peak_memory(self) -> int:
        """The most bytes that the server's processes ever had resident, each at its own peak; PostgreSQL's left out."""
        peak = 0
        for process in descendants(self._process.pid):
            status = Path(f"/proc/{process}/status").read_text()
            fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
            if fields["Name"].strip() != "postgres":
                peak += int(fields["VmHWM"].split()[0]) * 1024
        return peak


def descendants(process: int) -> list[int]:
    """It and those below it, whichever thread began them (PostgreSQL is begun by one); none where it has ended."""
    try:
        threads = list(Path(f"/proc/{process}/task").iterdir())
    except FileNotFoundError:
        return []
    children = []
    for thread in threads:
        with suppress(FileNotFoundError, ProcessLookupError):  # the thread has ended
            children += (thread / "children").read_text().split()
    return [process] + [below for child in children for below in descendants(int(child))]


def cpu(process: int) -> float:
    """Seconds of CPU that a process and those below it have taken so far, those that ended included."""
    spent = 0
    for each in descendants(process):
        with suppress(FileNotFoundError, ProcessLookupError):
            fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
            spent += sum(map(int, fields[11:15]))
    return spent / TICKS


def present(kind: Kind) -> bool:
    return shutil.which(kind.program) is not None


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port

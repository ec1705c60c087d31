"""A registry in a process of its own, as foreign clients meet it, and a plain look at what it holds.

`DFR_TEST_TARGET=distribution|docker-registry` puts a peer in our server's place, without credentials: to tell a
quirk of a client from one of ours.
"""

import asyncio
import base64
import hashlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import requests

from dataforge_registry.core.records.embedded import PrivatePostgres

TOOLS = Path(__file__).parents[2] / ".tools" / "bin"
START_SECONDS = 60
STOP_SECONDS = 40
MANIFEST_TYPES = (
    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.v2+json, application/vnd.docker.distribution.manifest.list.v2+json"
)

ACCESSORIES = """
SELECT accessory.subject_artifact_digest, accessory.digest, accessory.type
FROM artifact_accessory accessory JOIN repository USING (repository_id)
WHERE repository.name = $1 ORDER BY accessory.id
"""


@dataclass(frozen=True)
class Mode:
    """How the server is started: which engine carries it, and whether it asks who is there."""

    engine: str
    credentials: bool

    def __str__(self) -> str:
        return f"{self.engine}-{'credentials' if self.credentials else 'open'}"


ALL_MODES = tuple(Mode(engine, credentials) for engine in ("hypercorn", "granian") for credentials in (False, True))


@dataclass(frozen=True)
class Server:
    """A running registry at `host` (address and port); `login` is (user, password), None where nobody asks."""

    host: str
    directory: Path
    login: tuple[str, str] | None = None
    projects: set[str] = field(default_factory=set)
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://{self.host}"

    def command(self, *arguments: str) -> None:
        """An administrative `dfr` command on this server's data."""
        command, settings = dfr(*arguments, "--data", str(self.directory)), environment() | self.settings
        done = subprocess.run(command, capture_output=True, text=True, env=settings)
        assert done.returncode == 0, f"dfr {' '.join(arguments)}: {done.stdout}{done.stderr}"

    def project(self, name: str, *flags: str) -> str:
        """The project, made once; a peer has no projects and needs none."""
        if "DFR_TEST_TARGET" not in os.environ and name not in self.projects:
            self.command("project", "create", name, *flags)
            self.projects.add(name)
        return name

    def request(self, method: str, path: str, **options: object) -> requests.Response:
        return requests.request(method, self.url + path, auth=self.login, timeout=30, **options)  # type: ignore[arg-type]

    def manifest(self, repository: str, reference: str) -> tuple[str, bytes]:
        """Digest and bytes, after checking that the bytes are the digest's."""
        answer = self.request("GET", f"/v2/{repository}/manifests/{reference}", headers={"Accept": MANIFEST_TYPES})
        assert answer.status_code == 200, answer.text
        digest = sha256(answer.content)
        assert answer.headers["Docker-Content-Digest"] == digest
        return digest, answer.content

    def blob(self, repository: str, digest: str) -> bytes:
        answer = self.request("GET", f"/v2/{repository}/blobs/{digest}")
        assert answer.status_code == 200, answer.text
        assert sha256(answer.content) == digest
        return answer.content

    def tags(self, repository: str) -> list[str]:
        answer = self.request("GET", f"/v2/{repository}/tags/list")
        assert answer.status_code == 200, answer.text
        return list(answer.json()["tags"] or [])

    def referrers(self, repository: str, digest: str) -> list[dict[str, object]]:
        answer = self.request("GET", f"/v2/{repository}/referrers/{digest}")
        assert answer.status_code == 200, answer.text
        return list(answer.json()["manifests"])

    def accessories(self, repository: str) -> list[tuple[str, str, str]]:
        """(subject, accessory, type) of everything attached in the repository, from the records themselves."""
        return asyncio.run(self._accessories(repository))

    async def _accessories(self, repository: str) -> list[tuple[str, str, str]]:
        with PrivatePostgres.start(self.directory) as joined:
            connection = await asyncpg.connect(joined.dsn)
            try:
                rows = await connection.fetch(ACCESSORIES, repository)
            finally:
                await connection.close()
        return [tuple(row) for row in rows]

    def status(self, repository: str, reference: str) -> int:
        answer = self.request("HEAD", f"/v2/{repository}/manifests/{reference}", headers={"Accept": MANIFEST_TYPES})
        return answer.status_code


@dataclass(frozen=True)
class Client:
    """A user's shell: an empty home, the credentials where each client looks for them, the foreign programs on PATH. A
    command has `seconds`."""

    home: Path
    server: Server
    seconds: float = 120

    def __post_init__(self) -> None:
        logins: dict[str, dict[str, str]] = {}
        if self.server.login:
            logins[self.server.host] = {"auth": base64.b64encode(":".join(self.server.login).encode()).decode()}
        (self.home / "config.json").write_text(json.dumps({"auths": logins}))

    def run(self, *command: str | Path, input: str | None = None, **variables: str) -> str:
        """Standard output of a command that must succeed; what it said on the error output is part of the failure."""
        done = self.attempt(*command, input=input, **variables)
        assert done.returncode == 0, f"{' '.join(map(str, command))}: {done.stdout}{done.stderr}"
        return done.stdout

    def attempt(
        self, *command: str | Path, input: str | None = None, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        own = {
            "HOME": str(self.home),
            "DOCKER_CONFIG": str(self.home),
            "REGISTRY_AUTH_FILE": str(self.home / "config.json"),
            "XDG_RUNTIME_DIR": str(self.home),
        }
        return subprocess.run(
            list(map(str, command)),
            cwd=self.home,
            env=environment() | own | variables,
            input=input or "",
            capture_output=True,
            text=True,
            timeout=self.seconds,
        )


def sha256(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def environment() -> dict[str, str]:
    """This environment with the foreign programs on PATH and no setting of a registry or a proxy in it."""
    kept = {
        k: v
        for k, v in os.environ.items()
        if not k.startswith(("REGISTRY_", "DFR_", "OCI_")) and "proxy" not in k.lower()
    }
    return kept | {"PATH": f"{TOOLS}:{os.environ['PATH']}"}


def dfr(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "dataforge_registry.registry", *arguments]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def serving(directory: Path, mode: Mode, **variables: str) -> Iterator[Server]:
    """The server under test, started in `directory` on a free loopback port and stopped as an operator would; variables
    are settings by environment."""
    port = free_port()
    host = f"127.0.0.1:{port}"
    target = os.environ.get("DFR_TEST_TARGET")
    if target:
        login, command, extra, ready = None, peer(target, directory, host), {}, "/v2/"
    else:
        login = ("admin", secrets.token_urlsafe(16)) if mode.credentials else None
        command = dfr("serve", "--data", str(directory), "--port", str(port), "--engine", mode.engine)
        command += [] if mode.credentials else ["--auth", "none"]
        extra, ready = ({"REGISTRY_AUTH_ADMIN_PASSWORD": login[1]} if login else {}), "/health"
    log = directory.with_suffix(".log")
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env=environment() | extra | variables, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        wait_for(f"http://{host}{ready}", process, log)
        yield Server(host, directory, login, settings=variables)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
    # What no client saw may still be in the log: a traceback is a bug even when the answer was right.
    assert "Traceback (most recent call last)" not in log.read_text(errors="replace"), log.read_text(errors="replace")[
        -4000:
    ]


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode}: {log.read_text(errors='replace')[-4000:]}")
        try:
            if requests.get(url, timeout=5).status_code == 200:
                return
        except (requests.ConnectionError, requests.Timeout):
            pass
        time.sleep(0.05)
    raise RuntimeError(f"{url} did not answer in {START_SECONDS} s: {log.read_text(errors='replace')[-4000:]}")


def peer(name: str, directory: Path, host: str) -> list[str]:
    """The command that starts another registry on files in `directory`."""
    directory.mkdir(parents=True, exist_ok=True)
    config = directory / "config.json"
    storage = {"filesystem": {"rootdirectory": str(directory / "data")}, "delete": {"enabled": True}}
    # JSON is YAML; both peers read the same settings.
    config.write_text(
        json.dumps({"version": 0.1, "storage": storage, "http": {"addr": host}, "log": {"level": "warn"}})
    )
    program = {"distribution": str(TOOLS / "registry"), "docker-registry": "docker-registry"}[name]
    return [program, "serve", str(config)]

"""Log files that anybody pushed as plain artifacts become curves of the same project (`oras push ... well.las`).

The file is fetched, read in a child process with limits, and imported as `dfr import` would, by the same logic, with
the rights of whoever pushed it. What came of it stands with the artifact (core/records/ingest.py). Doing it again
changes nothing: a file that is all there is not imported again.
"""

import asyncio
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dataforge_registry.drivers.base import DriverError

from ..access import SYSTEM, Principal
from ..curves.errors import CurveError
from ..curves.schema import Descriptor, parse_manifest
from ..importing.asked import Reading
from ..importing.files import fetch, log_layers
from ..importing.importer import Importer
from ..importing.local import local
from ..importing.reading import read_in
from ..importing.report import FileReport
from ..oci.digest import Digest
from ..oci.errors import Denied, ReadOnly, RegistryError, TooManyRequests, Unavailable
from ..records import accounts, ingest
from ..records.artifacts import Actor
from ..records.events import Event
from ..records.ingest import IngestStatus, PushedFile
from ..sandbox import Sandbox, SandboxLimits
from ..store import Store
from .task import Task, Wanted

INGEST: Final = "curve.ingest"
ATTEMPTS: Final = 8
_NO_LOGS: Final = frozenset({"CURVE", "WELL", "ORIGINAL", "IMAGE", "CHART", "CNAB", "OPA", "SIGNATURE"})
_TRANSIENT = (Unavailable, TooManyRequests, DriverError)


@dataclass(frozen=True, slots=True)
class IngestLimits:
    """size: bytes of the largest file that is read; sandbox: what reading one may take; at_once: files at a time.

    open: nobody needs to sign in, so all is done as SYSTEM.
    """

    size: int
    sandbox: SandboxLimits
    at_once: int = 1
    open: bool = False


def ingests(events: Sequence[Event]) -> Iterable[Wanted]:
    """The route of `artifact.pushed`: one task for each artifact that may hold a log file."""
    for event in events:
        said = event.payload
        if event.artifact_id is not None and said.get("fresh") and said.get("type", "IMAGE") not in _NO_LOGS:
            payload = {"artifact": event.artifact_id, "username": event.username}
            yield Wanted(INGEST, [payload], trigger="event", username=event.username)


class Ingest:
    """The handler. What is wrong with a file is final; what is wrong with database or store is tried again."""

    def __init__(self, store: Store, limits: IngestLimits) -> None:
        self._store, self._database, self._limits = store, store.database, limits
        self._slots = asyncio.Semaphore(limits.at_once)

    async def __call__(self, task: Task) -> None:
        """One artifact."""
        artifact = int(task.payload["artifact"])
        pushed = await ingest.pushed_file(self._database, artifact)
        if pushed is None:
            return
        layers = list(log_layers(parse_manifest(pushed.manifest), pushed.repository.rpartition("/")[2]))
        if not layers:
            return
        await ingest.set_status(self._database, artifact, IngestStatus("pending"))
        try:
            async with self._slots:
                status = await self._import(task, pushed, layers)
        except ReadOnly as error:
            await ingest.set_status(self._database, artifact, IngestStatus("pending", _line(error)))
            raise
        except _TRANSIENT as error:
            if task.attempt >= ATTEMPTS:
                said = f"it could not be stored in {ATTEMPTS} tries: {error}"
                await ingest.set_status(self._database, artifact, IngestStatus("failed", said))
            raise
        except (CurveError, RegistryError) as error:
            status = IngestStatus("failed", _line(error))
        await ingest.set_status(self._database, artifact, status)
        await task.log(f"{status.status}: {status.curves} curves of {len(status.wells)} wells {status.reason}".strip())

    async def _import(self, task: Task, pushed: PushedFile, layers: list[tuple[str, Descriptor]]) -> IngestStatus:
        username = str(task.payload["username"])
        principal = await self._principal(username)
        repositories = local(self._store, principal, Actor(username, "", f"task-{task.id}"))
        importer = Importer(repositories, pushed.project)
        importer.close()  # nothing else comes whose index could be written together
        done, reasons = FileReport(), []
        async with Sandbox(1, self._limits.sandbox) as sandbox:  # of its own: who pushed breaks nobody else's
            for name, layer in layers:
                try:
                    if layer.size > self._limits.size:
                        raise CurveError(f"it has {layer.size} bytes, at most {self._limits.size} are read here")
                    importer.blobs.known(layer.digest, pushed.repository)
                    with tempfile.TemporaryDirectory(prefix="dfr-ingest-") as folder:
                        path = Path(folder) / name
                        await fetch(repositories(pushed.repository), Digest.parse(layer.digest), path)
                        reading = Reading(path=str(path), source=f"{pushed.repository}@{pushed.digest}")
                        done.add(await (await importer.push(await read_in(sandbox, reading, name))).complete())
                except CurveError as error:
                    reasons.append(f"{name}: {_line(error)}")
        wells = sorted(done.wells)
        return IngestStatus("failed" if reasons else "done", "; ".join(reasons), wells, done.curves)

    async def _principal(self, username: str) -> Principal:
        """Who pushed it, as they stand now: what they may do is asked again with every push."""
        if self._limits.open:
            return SYSTEM
        async with self._database.acquire() as conn:
            account = await accounts.find(conn, username)
        if account is None:
            raise Denied(f"{username or 'nobody'} who pushed this is no user any more: push it again as one who may")
        return account.principal


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:1000]

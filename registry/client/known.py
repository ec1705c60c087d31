"""Files that a registry has whole already: known by their digests, they are not read again.

The rule: a well has the file as received, which says how it was read and which curves were made of it, and the
catalogue has a version of each of them. An edit since then leaves that true; a deleted curve, another release of the
readers or other words of the user (`--frame`, `--well` ...) do not, and then the file is read.
"""

import asyncio
import hashlib
import json
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import msgspec

from ...core.batch import Batch
from ...core.importing.report import FileReport
from ...core.oci.errors import RegistryError
from .parts import Part
from .remote import RemoteRegistry


class _Whole(msgspec.Struct, frozen=True):
    digest: str
    repository: str
    reading: str
    wells: Annotated[str, msgspec.Meta(pattern="^[0-9]{1,9}$")]
    curves: list[str]
    samples: int


class _Answer(msgspec.Struct, frozen=True):
    originals: list[_Whole]


class Known:
    """What a registry of ours has of one project."""

    def __init__(self, registry: RemoteRegistry, project: str) -> None:
        self._transport = registry.transport
        self._path = f"/api/v1/projects/{project}/originals:lookup"
        self._project = project
        self._batch: Batch[None, str, list[_Whole]] = Batch(nullcontext, self._ask)

    async def report(self, part: Part) -> FileReport | None:
        """Of a file that is there whole; None of one that is to be read."""
        if part.reading.version is not None:
            return None
        try:
            digest = await asyncio.to_thread(_digest, Path(part.reading.path))
        except OSError:  # who reads it says so
            return None
        found = [each for each in await self._batch.get(digest) if each.reading == part.reading.recipe]
        if not found or any(int(each.wells) != len(found) for each in found):
            return None
        report = FileReport(file=part.name, status="unchanged", received=part.size)
        for each in found:
            report.wells.add(each.repository)
            report.frames |= {f"{each.repository}/{path.partition('/')[0]}" for path in each.curves}
            report.curves += len(each.curves)
            report.samples += each.samples
        report.blobs_reused = len(found)
        return report

    async def _ask(self, _: None, digests: Sequence[str]) -> list[list[_Whole] | Exception]:
        body, headers = json.dumps({"digests": list(digests)}).encode(), {"Content-Type": "application/json"}
        try:
            answer = await self._transport.request("POST", self._path, self._project, headers=headers, data=body)
            found = msgspec.json.decode(answer.body, type=_Answer).originals
        except (RegistryError, msgspec.DecodeError):  # as where there is no such project yet
            found = []
        return [[each for each in found if each.digest == digest] for digest in digests]


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"

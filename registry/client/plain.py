"""Log files pushed as plain artifacts, and what the registry made of them."""

from dataclasses import dataclass
from typing import Any

from ...core.curves.names import Reference
from ...core.oci.errors import RegistryError
from .api import call
from .remote import RemoteRegistry


@dataclass(frozen=True)
class PlainPush:
    """name: a tag of it, else its digest; status: pending, done or failed, `reason` says why; wells: what it became."""

    name: str
    status: str
    reason: str
    wells: list[str]
    curves: int


async def plain_pushes(registry: RemoteRegistry, reference: Reference) -> list[PlainPush]:
    """Of one repository PROJECT/NAME, by digest; none on a registry that is not ours or where one may not look."""
    if len(reference.segments) != 2:
        return []
    found: list[PlainPush] = []
    path, query = f"/api/v1/wells/{reference.well}/originals", [("limit", "1000")]
    try:
        while path:
            answer = await call(registry, "GET", path, query)
            found += [_push(file) for file in answer.json()["files"] if file["ingest"]]
            path, query = answer.headers.get("Link", "").partition(">")[0].removeprefix("<"), []
    except RegistryError:
        return []
    return found


def _push(file: dict[str, Any]) -> PlainPush:
    said = file["ingest"]
    name = next(iter(file["tags"] or ()), file["digest"][:19])
    return PlainPush(name, said["status"], said["reason"], said["wells"], said["curves"])

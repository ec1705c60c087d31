"""A well's index with its curves as they are now, of which its lines need not tell (docs/format.md section 8)."""

import asyncio
from collections.abc import Callable
from typing import Final

import msgspec

from .curves import schema
from .curves.errors import CurveError
from .curves.names import LATEST, Reference
from .curves.schema import Descriptor, Manifest
from .oci.errors import ManifestUnknown, NameUnknown
from .oci.repository import Repository

_AT_ONCE: Final = 16


async def newest(repository: Callable[[str], Repository], well: str, index: Manifest) -> Manifest:
    """Each line names what `latest` of its curve's repository names; one whose curve is not there stays as it is, as in
    a copy of the well's repository alone. well: `project/well`, whose `latest` the index is."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def line_now(line: Descriptor) -> Descriptor:
        try:
            named = Reference.parse(f"{well}/{line.annotations[schema.REPOSITORY]}")
            async with gate:
                stored = await repository(named.repository).stat_manifest(LATEST)
        except (KeyError, CurveError, ManifestUnknown, NameUnknown):
            return line
        return msgspec.structs.replace(line, digest=stored.digest, size=stored.size)

    return msgspec.structs.replace(index, manifests=list(await asyncio.gather(*map(line_now, index.manifests))))

"""A curve version as its caller may read it: manifest, layers, and the call that counts a pull."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ...core.access import Action
from ...core.curves.names import Reference
from ...core.curves.schema import Manifest, parse_manifest
from ...core.local import LocalRepository
from ...core.oci import media
from ...core.oci.digest import Digest
from ...core.oci.errors import NameUnknown
from ...core.records import history
from .call import Call, Q
from .times import time_of


@dataclass(frozen=True)
class OpenedCurve:
    """What a reference names now. Until `count` is called nobody has pulled it."""

    repository: LocalRepository
    digest: Digest
    raw: bytes
    manifest: Manifest
    count: Callable[[], None]

    @classmethod
    async def open(cls, repository: LocalRepository, target: str) -> "OpenedCurve":
        """ManifestUnknown and the like; CurveError where it is no curve."""
        stored, raw, count = await repository.open_manifest(target)
        return cls(repository, stored.digest, raw, parse_manifest(raw, media.CURVE), count)

    @property
    def config_digest(self) -> str:
        """The digest of the typed header; empty where the manifest names none, which no blob has."""
        return self.manifest.config.digest if self.manifest.config else ""

    @property
    def size(self) -> int:
        """Bytes of all layers, as the manifest says."""
        return sum(layer.size for layer in self.manifest.layers)

    async def blobs(self, digests: Iterable[str]) -> list[bytes]:
        """Whole blobs in order, found by one query."""
        reading = (self.repository.read_blob(Digest.parse(digest)) for digest in digests)
        return list(await asyncio.gather(*reading))


async def open_curve(call: Call[Q], reference: Reference, at: str | None = None) -> OpenedCurve:
    """The curve of a reference, seen with the caller's rights; with a time, what its tag named then."""
    target = reference.target
    if at is not None and ":" not in target:
        target = await named_at(call, reference.repository, target, at)
    return await OpenedCurve.open(call.repository(reference.repository), target)


async def named_at(call: Call[Q], repository: str, tag: str, at: str) -> str:
    """The digest that a tag named at a time, for one who may pull."""
    project, database = repository.partition("/")[0], call.services.store.database
    await call.require(Action.PULL, project)
    home = await history.repository(database, project, repository)
    if home is None:
        raise NameUnknown("there is no such repository")
    return await history.as_of(database, home, tag, time_of(at))

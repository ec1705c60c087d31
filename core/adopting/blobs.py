"""Blobs of an adopted manifest: they stay where they lie, where that is our own store, else they are copied."""

import asyncio
import hashlib
from collections.abc import Set
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

from dataforge_registry.drivers.base import NotFound

from ..body import Body
from ..local import LocalRepository
from ..oci.digest import Digest
from ..oci.manifest import Descriptor, Manifest
from ..records import adopted
from ..store import Store
from .report import RepositoryReport
from .trees import Refusal, Tree

if TYPE_CHECKING:
    from .adopter import Plan


FOREIGN: Final = "a foreign layer: its manifest says where its bytes are to be had, and they are not in the tree"


class Unusable(Exception):
    """A blob is not there, or not what a manifest says of it."""


class Bringing:
    """For one repository: each blob once."""

    def __init__(self, store: Store, tree: Tree, plan: "Plan", layers: Set[Digest], report: RepositoryReport) -> None:
        self._store, self._tree, self._plan, self._layers, self._report = store, tree, plan, layers, report
        self._foreign: set[Digest] = set()
        self._under_way: dict[Digest, asyncio.Future[None]] = {}

    async def all(self, repository: LocalRepository, manifest: Manifest) -> None:
        """Every blob that a manifest names and that is meant to be in a registry, foreign ones where they are there
        all the same. Unusable, DriverError, RegistryError: one is not to be had. Nothing was recorded if it is seen
        before the first."""
        wanted = []
        for blob in {blob.digest: blob for blob in sorted(manifest.blobs, key=lambda each: not each.foreign)}.values():
            if await self._is_wanted(blob):
                wanted.append(blob)
        if not self._plan.dry_run:
            repository_id = await repository.ensure()
        for blob in wanted:
            known = self._under_way.get(blob.digest)
            if known is not None:
                await known
                continue
            mine = self._under_way[blob.digest] = asyncio.get_running_loop().create_future()
            try:
                await self._bring(repository, 0 if self._plan.dry_run else repository_id, blob)
            except BaseException as error:
                del self._under_way[blob.digest]
                mine.set_exception(Unusable(str(error)))
                mine.exception()  # heard here, whoever else waits
                raise
            mine.set_result(None)

    async def _is_wanted(self, blob: Descriptor) -> bool:
        try:
            if not blob.foreign or blob.digest in self._layers:
                await self._check(blob)
                return True
        except Unusable:
            if not blob.foreign:
                raise
        if blob.digest not in self._foreign:
            self._foreign.add(blob.digest)
            self._report.left.append(Refusal(blob.digest, FOREIGN))
        return False

    async def _check(self, blob: Descriptor) -> None:
        key = self._tree.key(blob.digest)
        try:
            size = (await self._plan.old.stat(key)).size
        except NotFound:
            raise Unusable(f"blob {blob.digest} is missing: nothing is at {key}") from None
        if size != blob.size:
            raise Unusable(f"blob {blob.digest} has {size} bytes, the manifest says {blob.size}")

    async def _bring(self, repository: LocalRepository, repository_id: int, blob: Descriptor) -> None:
        report, key = self._report, self._tree.key(blob.digest)
        ours = None if self._plan.place is None else self._plan.place + key
        if self._plan.verify and ours is not None:
            await self._hash(key, blob.digest)
        if self._plan.dry_run:
            answer: adopted.Answer = "absent" if ours is None else "adopted"
        else:
            lease = self._store.limits.lease
            answer = await adopted.adopt(self._store.database, repository_id, blob.digest, blob.size, ours, lease)
        if answer == "linked":
            report.linked += 1
            return
        if answer == "adopted":
            report.in_place += 1
            report.in_place_bytes += blob.size
            return
        if not self._plan.dry_run:
            async with aclosing(await self._plan.old.open(key)) as content:
                await repository.push_blob(blob.digest, Body(content, blob.size, None))
        report.copied += 1
        report.copied_bytes += blob.size

    async def _hash(self, key: str, digest: Digest) -> None:
        seen = hashlib.new(digest.algorithm, usedforsecurity=False)
        async with aclosing(await self._plan.old.open(key)) as body:
            async for piece in body:
                await asyncio.to_thread(seen.update, piece)
        if seen.hexdigest() != digest.hex:
            raise Unusable(f"blob {digest} is damaged: the bytes at {key} are not those of its digest")

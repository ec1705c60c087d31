"""Repositories of another registry become ours: each manifest is pushed as clients push, blobs stay where they lie or
are copied. What cannot be taken over is told and stops nothing else; what is here already is passed over, so a run that
was killed is run again.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Set
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from dataforge_registry.drivers.base import Driver, DriverError

from ..access import SYSTEM
from ..body import Body, once
from ..local import LocalRepository
from ..oci import media
from ..oci.digest import Digest
from ..oci.errors import ManifestTooLarge, ManifestUnknown, NameUnknown, ReadOnly, RegistryError
from ..oci.manifest import Manifest, parse
from ..oci.names import check_repository
from ..records import adopted
from ..records.artifacts import Actor
from ..store import Store
from .blobs import Bringing, Unusable
from .projects import Projects
from .report import RepositoryReport
from .trees import OldRepository, Refusal, Tree

AT_ONCE: Final = 8
ACTOR: Final = Actor(SYSTEM.name)
UNNAMED: Final = "a layer that no manifest taken over names"
NUMBERED: Final = "its history begins here: a version's number belongs to one version alone, and there it did not"


@dataclass(frozen=True, slots=True)
class Plan:
    """`old` is the store whose root the tree has. place: what its keys begin with in our own store, where that holds
    the tree too; None: it does not, and blobs are copied. project: of repositories whose names have none; public:
    projects that are made public, all others private. history: what tags named before is taken over too."""

    old: Driver
    place: str | None = None
    project: str = ""
    public: Set[str] = frozenset()
    history: bool = True
    dry_run: bool = False
    verify: bool = False


class Adopter:
    """`run` takes over a tree, repository by repository; `tell` hears how many manifests of one are done."""

    def __init__(
        self, store: Store, tree: Tree, plan: Plan, tell: Callable[[str, int], None] = lambda *_: None
    ) -> None:
        self._store = store
        self._tree = tree
        self._plan = plan
        self._tell = tell
        self.projects = Projects(store.database, plan.public, plan.dry_run)

    async def run(self) -> AsyncIterator[RepositoryReport]:
        """ReadOnly where the registry takes no pushes now, DriverError where the tree cannot be listed."""
        async for found in self._tree.repositories():
            yield await _Taking(self._store, self._tree, self._plan, self.projects, found, self._tell).run()


class _Taking:
    """One repository."""

    def __init__(
        self,
        store: Store,
        tree: Tree,
        plan: Plan,
        projects: Projects,
        found: OldRepository,
        tell: Callable[[str, int], None],
    ) -> None:
        self._store, self._tree, self._plan, self._found, self._tell = store, tree, plan, found, tell
        self._projects = projects
        self.report = RepositoryReport(name=found.name, refused=list(found.broken), left=list(found.left))
        self._blobs: set[Digest] = set()
        self._tags: list[str] = []
        self._done = 0
        self._room = asyncio.Semaphore(AT_ONCE)

    async def run(self) -> RepositoryReport:
        """Images before the indexes that list them, and both in the order in which they came."""
        try:
            self.report.repository = self._named()
            if self._found.manifests:
                await self._projects.ready(self.report.repository)
        except ReadOnly:
            raise
        except RegistryError as error:
            self.report.refuse(self._found.name, error.message)
            return self.report
        if self._found.manifests:
            await self._take_all()
        self.report.left += [Refusal(layer, UNNAMED) for layer in sorted(self._found.layers - self._blobs)]
        return self.report

    async def _take_all(self) -> None:
        self._repository = LocalRepository(self._store, SYSTEM, self.report.repository, ACTOR)
        self._bringing = Bringing(self._store, self._tree, self._plan, self._found.layers, self.report)
        try:
            for level in await self._levels():
                async with asyncio.TaskGroup() as group:
                    for digest in level:
                        await self._room.acquire()
                        group.create_task(self._take(digest)).add_done_callback(lambda _: self._room.release())
        except ExceptionGroup as group_error:
            raise group_error.exceptions[0] from None
        await self._replay()

    def _named(self) -> str:
        if "/" in self._found.name:
            return check_repository(self._found.name)
        if not self._plan.project:
            raise NameUnknown("its name has no project: say by --project in which it is to be")
        return check_repository(f"{self._plan.project}/{self._found.name}")

    async def _levels(self) -> list[list[Digest]]:
        """Manifests by how deep indexes nest below them, each in the order in which they came."""
        children: dict[Digest, list[Digest]] = {}
        for digest in self._found.manifests:
            manifest = await self._read(digest)
            if manifest is not None:
                children[digest] = [each.digest for each in manifest.manifests]
        depth: dict[Digest, int] = {}
        while len(depth) < len(children):
            ready = [
                digest
                for digest, below in children.items()
                if digest not in depth and all(each in depth or each not in children for each in below)
            ]
            depth |= {digest: 1 + max((depth.get(each, 0) for each in children[digest]), default=0) for digest in ready}
        levels: dict[int, list[Digest]] = {}
        for digest in sorted(depth, key=lambda each: (self._found.manifests[each], each)):
            levels.setdefault(depth[digest], []).append(digest)
        return [levels[each] for each in sorted(levels)]

    async def _read(self, digest: Digest) -> Manifest | None:
        """A manifest of the tree; None, and told, where it is none."""
        key, limit = self._tree.key(digest), self._store.limits.manifest
        try:
            async with aclosing(await self._plan.old.open(key, 0, limit + 1)) as body:
                raw = b"".join([piece async for piece in body])
            if len(raw) > limit:
                raise ManifestTooLarge(f"a manifest may have at most {limit} bytes here")
            if Digest.of(raw, digest.algorithm) != digest:
                self.report.refuse(digest, "its bytes are not those of its digest")
                return None
            return parse(raw, self._found.media_types.get(digest) or media_type_of(raw), digest)
        except RegistryError as error:
            self.report.refuse(digest, error.message)
        except DriverError as error:
            self.report.refuse(digest, f"its bytes are missing: {error}")
        return None

    async def _take(self, digest: Digest) -> None:
        try:
            await self._push(digest)
        except ReadOnly:
            raise
        except (RegistryError, Unusable, DriverError) as error:
            self.report.refuse(digest, str(error))
        self._done += 1
        self._tell(self.report.name, self._done)

    async def _push(self, digest: Digest) -> None:
        manifest = await self._read(digest)
        if manifest is None:
            return
        here, tags, kept = await self._names(digest) is not None, [], []
        for tag in sorted(tag for tag, named in self._found.tags.items() if named == digest):
            held = await self._names(tag)
            if held is None:
                tags.append(tag)
            elif held == digest:
                kept.append(tag)
            else:
                self.report.refuse(tag, f"the tag is here already, and names {held}; there it names {digest}")
        self.report.known += here
        if not here:
            await self._bringing.all(self._repository, manifest)
        if not self._plan.dry_run and (tags or not here):
            body = Body(once(manifest.raw), len(manifest.raw), None)
            await self._repository.push_manifest(body, manifest.media_type, digest, tags)
        self.report.manifests += not here
        self.report.tags += len(tags)
        self._blobs.update(blob.digest for blob in manifest.blobs)
        self._tags += tags if self._plan.dry_run else kept + tags

    async def _replay(self) -> None:
        """What tags that are here now named before."""
        past = {tag: self._found.past[tag] for tag in sorted(self._tags) if tag in self._found.past}
        if not past or not self._plan.history:
            return
        repository_id = 0 if self._plan.dry_run else await self._repository.ensure()
        for tag, named in past.items():
            answer: adopted.Replay = "replayed"
            if not self._plan.dry_run:
                moves = [(each.digest, datetime.fromtimestamp(each.at, UTC)) for each in named]
                answer = await adopted.replay(self._store.database, repository_id, tag, moves, ACTOR.username)
            if answer == "replayed":
                self.report.moves += len(named)
            elif answer == "numbered":
                self.report.left.append(Refusal(tag, NUMBERED))

    async def _names(self, reference: str) -> Digest | None:
        """What a tag or digest names here."""
        try:
            return (await self._repository.stat_manifest(reference)).digest
        except (ManifestUnknown, NameUnknown):
            return None


def media_type_of(raw: bytes) -> str | None:
    """The type of a manifest that does not say it, which OCI's need not; None where it does, or cannot be read."""
    try:
        body: Any = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return None
    if not isinstance(body, dict) or "mediaType" in body or "schemaVersion" not in body:
        return None
    if body["schemaVersion"] == 1:
        return sorted(media.DOCKER_SCHEMA1)[0]
    return media.OCI_INDEX if "manifests" in body else media.OCI_MANIFEST

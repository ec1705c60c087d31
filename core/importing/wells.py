"""The wells that an import writes to: which repository is a well's, and its index, rewritten for many files at once.

The index is pushed first, empty, so that the name is taken; then the curves; then the index with them; last the files
as received, whose tags say that all of them is here. An import that is cut short is gone on with by importing again.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from ..curves import schema
from ..curves.artifact.well import original_tag, well_index
from ..curves.errors import CurveError
from ..curves.names import LATEST, normal, slug, suffixed
from ..curves.origin import Well
from ..curves.schema import Descriptor, Manifest, parse_manifest
from ..oci import media
from ..oci.errors import ManifestUnknown, NameUnknown, PreconditionFailed, RegistryError
from ..oci.repository import Pushable
from .report import Counts

RACES = 10
PAUSE = 1.0
"""Seconds in which files of one well gather before its index is written again."""


@dataclass(frozen=True)
class Kept:
    """A file as received. blobs: those that go with its manifest; others stand in the well's repository. before: it
    is there, and its manifest is written only where that would say something else."""

    digest: str
    manifest: bytes
    blobs: Sequence[bytes] = field(default=(), repr=False)
    before: bool = False


class Home:
    """The repository of one well. `fresh`: this import made it."""

    def __init__(self, repository: Pushable, well: Well, current: Manifest | None, closing: asyncio.Event) -> None:
        self.repository = repository
        self.fresh = current is None
        self._well = well
        self._closing = closing
        self._paths: set[str] = set()
        self._names: set[tuple[str, str]] = set()
        self.know(current.manifests if current else ())
        self._new: set[str] = set()
        self._waiting: dict[str, Descriptor] = {}
        self._kept: dict[str, bool] = {}
        self._promised: set[str] = set()
        self._writing: asyncio.Task[int] | None = None
        self._one = asyncio.Lock()

    @property
    def name(self) -> str:
        """`project/well`."""
        return self.repository.name

    def lists(self, frame: str, mnemonic: str) -> bool:
        """Whether the index has a curve of these true names."""
        return (normal(frame), mnemonic) in self._names

    def may_have(self, path: str) -> bool:
        """Whether there may be a curve at `frame/curve`: only in a well that this import made is that known."""
        return not self.fresh or path in self._paths

    def know(self, lines: Iterable[Descriptor]) -> None:
        """These curves are in the well."""
        for line in lines:
            self._paths.add(_path(line))
            self._names.add((normal(line.annotations.get(schema.FRAME, "")), line.annotations.get(schema.MNEMONIC, "")))

    def renew(self, digests: Iterable[str]) -> None:
        """These versions are new here: their lines are written whatever they say."""
        self._new.update(digests)

    def _news(self, lines: Iterable[Descriptor], current: Manifest | None) -> list[Descriptor]:
        """The lines to write: of what was here already, one may name an older version (docs/format.md section 8)."""
        said = {_path(line): line.annotations for line in current.manifests} if current else {}
        return [line for line in lines if line.digest in self._new or said.get(_path(line)) != line.annotations]

    def promise(self, digest: str) -> None:
        """The curves of a file are here; the rest of it follows before this import ends."""
        self._kept[digest] = True
        self._promised.add(digest)

    def promised(self, sha256: str) -> bool:
        """Whether the rest of a file is on its way."""
        return f"sha256:{sha256}" in self._promised

    async def keeps(self, digest: str) -> bool:
        """Whether all of a file is here: the file itself is pushed last."""
        if self.fresh:
            return digest in self._kept
        if digest not in self._kept:
            try:
                await self.repository.stat_manifest(original_tag(digest))
                self._kept[digest] = True
            except (ManifestUnknown, NameUnknown):
                self._kept[digest] = False
        return self._kept[digest]

    async def add(self, lines: Iterable[Descriptor], kept: Kept | None, counts: Counts) -> None:
        """Curves into the index, with those of other files that come meanwhile; then the file as received."""
        lines = list(lines)
        self._waiting |= {_path(line): line for line in lines}
        first = self._writing is None
        self._writing = self._writing or asyncio.ensure_future(self._write())
        sent = await asyncio.shield(self._writing)
        counts.sent += sent if first else 0
        if kept:
            tag = original_tag(kept.digest)
            if kept.before and (await self.repository.get_manifest(tag))[1] == kept.manifest:
                return
            await self.repository.push_manifest(kept.manifest, media.OCI_MANIFEST, [tag], blobs=kept.blobs)
            counts.sent += len(kept.manifest)

    async def _write(self) -> int:
        """The index with all that waits; the bytes that were sent."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PAUSE):
                await self._closing.wait()
        async with self._one:
            self._writing = None
            waiting, self._waiting = self._waiting, {}
            return await self._swap(waiting.values())

    async def _swap(self, lines: Collection[Descriptor]) -> int:
        """By compare and swap; nothing where the index says so already."""
        for _ in range(RACES):
            current, expected, raw = None, None, b""
            try:
                stored, raw = await self.repository.get_manifest(LATEST)
                current, expected = checked_well(self.repository, raw), stored.digest
            except (ManifestUnknown, NameUnknown):
                pass
            updated = well_index(self._well, self._news(lines, current), current)
            if updated != raw:
                try:
                    await self.repository.push_manifest(
                        updated, media.OCI_INDEX, [LATEST], expected=expected, fresh=expected is None
                    )
                except PreconditionFailed:
                    continue
            return len(updated) if updated != raw else 0
        raise RegistryError(f"{self.name} changes faster than it can be written; import again")


class Wells:
    """The wells of one import, by their true names; two spellings of one name are one well."""

    def __init__(self, repository: Callable[[str], Pushable], project: str) -> None:
        self._repository = repository
        self._project = project
        self._homes: dict[str, asyncio.Task[Home]] = {}
        self._closing = asyncio.Event()

    def close(self) -> None:
        """No more files come: indexes that wait for them are written now."""
        self._closing.set()

    async def home(self, well: Well) -> Home:
        """The repository of a well: of its slug, or beside it where that holds a well of another true name."""
        key = normal(well.name) or well.name
        if key not in self._homes or _failed(self._homes[key]):
            self._homes[key] = asyncio.ensure_future(self._find(well))
        return await asyncio.shield(self._homes[key])

    async def _find(self, well: Well) -> Home:
        for segment in (slug(well.name, "well"), suffixed(well.name, "well")):
            repository = self._repository(f"{self._project}/{segment}")
            for _ in range(RACES):
                try:
                    current = checked_well(repository, (await repository.get_manifest(LATEST))[1])
                except (ManifestUnknown, NameUnknown):
                    try:
                        empty = well_index(well, (), None)
                        await repository.push_manifest(empty, media.OCI_INDEX, [LATEST], fresh=True)
                        return Home(repository, well, None, self._closing)
                    except PreconditionFailed:
                        continue  # another importer took the name just now: is it of the same well?
                if normal(current.annotations.get(schema.WELL, "") or well.name) == normal(well.name):
                    return Home(repository, well, current, self._closing)
                break
        raise CurveError(f"{repository.name} holds another well than {well.name!r}; import it into another project")


def checked_well(repository: Pushable, raw: bytes) -> Manifest:
    """The index of a well, or CurveError where something else stands in its place."""
    manifest = parse_manifest(raw)
    if manifest.artifactType != media.WELL:
        raise CurveError(
            f"{repository.name} holds {manifest.artifactType or 'something else'}, not a well; move it away"
        )
    return manifest


def _path(line: Descriptor) -> str:
    return line.annotations.get(schema.REPOSITORY, line.digest)


def _failed(task: "asyncio.Task[Home]") -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)

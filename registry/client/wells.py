"""A log file goes to a registry: the file as received, one version per curve that changed, and the well's index.

What the registry has is not sent: an unchanged curve costs a look at its manifest, an equal segment its name.
Importers may run side by side: versions are numbered, and `latest` and the index moved, by compare and swap.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from ...core.curves import schema
from ...core.curves.errors import CurveError
from ...core.curves.las import read_las
from ...core.curves.model import Curve, Frame
from ...core.curves.names import LATEST, checked_project, curve_slugs, normal, slug, suffixed
from ...core.curves.pack import IndexLayers, Packed, Previous, pack, pack_index
from ...core.curves.schema import Descriptor, parse_manifest
from ...core.curves.well import EMPTY_CONFIG, ORIGINAL, entry, original_manifest, original_tag, well_index
from ...core.oci import media
from ...core.oci.digest import Digest
from ...core.oci.errors import CurveConflict, ManifestUnknown, NameUnknown, PreconditionFailed, RegistryError
from .remote import RemoteRegistry, RemoteRepository
from .versions import push_version

_RACES = 10


@dataclass
class Report:
    """What an import did. new: curve versions pushed; samples: of all curves, index not counted; sizes in bytes."""

    wells: set[str] = field(default_factory=set)
    frames: set[str] = field(default_factory=set)
    curves: int = 0
    new: int = 0
    samples: int = 0
    received: int = 0
    sent: int = 0
    blobs_sent: int = 0
    blobs_reused: int = 0
    findings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class LogFile:
    """A file read and accepted: nothing is pushed before all files of an import are."""

    content: bytes = field(repr=False)
    frame: Frame


def open_las(content: bytes, name: str, frame: str | None = None) -> LogFile:
    """A LAS file, or LasRefused with line and reason."""
    return LogFile(content, read_las(content, name, frame))


class WellImport:
    """Pushes log files into one project of a registry. advance(curve) is called as each curve is done."""

    def __init__(
        self, registry: RemoteRegistry, project: str, advance: Callable[[str], None] = lambda name: None
    ) -> None:
        self._registry = registry
        self._project = checked_project(project)
        self._advance = advance
        self._homes: dict[str, str] = {}  # where a blob of this import already stands
        self._uploads: dict[str, asyncio.Lock] = {}  # one upload of equal bytes at a time; the others mount it
        self.report = Report()

    async def push(self, file: LogFile) -> None:
        """The whole of one file. RegistryError or CurveError where it cannot be; what was sent is reused later."""
        frame, before = file.frame, self._registry.transport.sent_bytes
        home = await self._home(frame.well.name)
        well = home.name
        await self._push_original(home, file)
        index = await asyncio.to_thread(pack_index, frame.index, frame.name)
        slugs = curve_slugs(curve.mnemonic for curve in frame.curves)
        lines = await asyncio.gather(
            *(self._push_curve(well, frame, curve, slugs[curve.mnemonic], index) for curve in frame.curves)
        )
        await self._push_index(home, frame, lines)
        report = self.report
        report.wells.add(well)
        report.frames.add(f"{well}/{slug(frame.name, 'frame')}")
        report.samples += len(frame.index) * len(frame.curves)
        report.received += len(file.content)
        report.sent += self._registry.transport.sent_bytes - before
        if frame.original:
            report.findings += [f"{frame.original.file}: {finding}" for finding in frame.original.findings]

    async def _home(self, name: str) -> RemoteRepository:
        """The repository of a well: of its slug, or beside it where that holds a well of another true name."""
        for segment in (slug(name, "well"), suffixed(name, "well")):
            home = self._registry.repository(f"{self._project}/{segment}")
            if normal(await self._well_named(home) or name) == normal(name):
                return home
        raise CurveError(f"{home.name} holds another well than {name!r}; import it into another project")

    async def _well_named(self, home: RemoteRepository) -> str:
        """The true name of the well in a repository: its index says it, or, after an import cut short, its first file;
        empty where there is neither."""
        for tag in (LATEST, *(tag for tag in await home.tags() if tag.startswith(ORIGINAL))):
            try:
                _, raw = await home.get_manifest(tag)
            except (ManifestUnknown, NameUnknown):
                continue
            return parse_manifest(raw).annotations.get(schema.WELL, "")
        return ""

    async def _push_original(self, home: RemoteRepository, file: LogFile) -> None:
        tag = original_tag(file.content)
        try:
            await home.stat_manifest(tag)
            self.report.blobs_reused += 1
            return
        except ManifestUnknown:
            pass
        for data in (EMPTY_CONFIG, file.content):
            await self._push_blob(home, data)
        await home.push_manifest(original_manifest(file.frame, file.content), media.OCI_MANIFEST, [tag])

    async def _push_curve(self, well: str, frame: Frame, curve: Curve, segment: str, index: IndexLayers) -> Descriptor:
        """One curve's next version, if it says anything new; its line in the well index."""
        folder = slug(frame.name, "frame")
        for _ in range(_RACES):
            repository = self._registry.repository(f"{well}/{folder}/{segment}")
            try:
                previous = await self._previous(repository)
                if previous and normal(previous.config.frame) != normal(frame.name):
                    raise CurveError(
                        f"{repository.name} is of the frame {previous.config.frame!r}; choose another name"
                    )
                if previous and previous.config.mnemonic != curve.mnemonic:
                    segment = _next_segment(repository, segment, curve)
                    continue
                packed = await asyncio.to_thread(pack, frame, curve, segment, index, previous)
                await self._push_version(repository, packed, previous)
            except PreconditionFailed:
                continue  # another importer moved `latest`: its version is the parent now
            except CurveConflict:
                segment = _next_segment(repository, segment, curve)
                continue
            self.report.curves += 1
            self.report.new += packed.changed
            self._advance(curve.mnemonic)
            return entry(packed, f"{folder}/{segment}")
        raise RegistryError(f"{repository.name} changes faster than it can be written; import again")

    async def _previous(self, repository: RemoteRepository) -> Previous | None:
        """What `latest` of a curve's repository names, or None for a new one."""
        try:
            _, raw = await repository.get_manifest(LATEST)
        except (ManifestUnknown, NameUnknown):
            return None
        manifest = parse_manifest(raw)
        if manifest.artifactType != media.CURVE or manifest.config is None:
            raise CurveError(
                f"{repository.name} holds {manifest.artifactType or 'something else'}, not a curve; move it away"
            )
        return Previous.parse(raw, await repository.read_blob(manifest.config.digest))

    async def _push_version(self, repository: RemoteRepository, packed: Packed, previous: Previous | None) -> None:
        """The version where it says anything new. PreconditionFailed: `latest` moved."""
        named = {layer.digest for layer in packed.manifest.layers}
        if packed.manifest.config:
            named.add(packed.manifest.config.digest)
        self.report.blobs_reused += len(named - packed.blobs.keys())
        if packed.changed:
            await push_version(repository, packed, previous, self._push_blob)

    async def _push_index(self, home: RemoteRepository, frame: Frame, lines: list[Descriptor]) -> None:
        """The well's index with these curves in it, by compare and swap; nothing where it says so already."""
        for _ in range(_RACES):
            current, expected, raw = None, None, b""
            try:
                stored, raw = await home.get_manifest(LATEST)
                current, expected = parse_manifest(raw), stored.digest
            except (ManifestUnknown, NameUnknown):
                pass
            if current and current.artifactType != media.WELL:
                raise CurveError(
                    f"{home.name} holds {current.artifactType or 'something else'}, not a well; move it away"
                )
            updated = well_index(frame, lines, current)
            if updated == raw:
                return
            try:
                await home.push_manifest(updated, media.OCI_INDEX, [LATEST], expected=expected, fresh=expected is None)
                return
            except PreconditionFailed:
                continue
        raise RegistryError(f"{home.name} changes faster than it can be written; import again")

    async def _push_blob(self, repository: RemoteRepository, data: bytes) -> None:
        digest = Digest.of(data)
        async with self._uploads.setdefault(digest, asyncio.Lock()):
            sent = await repository.push_blob(data, self._homes.get(digest))
            self._homes.setdefault(digest, repository.name)
        self.report.blobs_sent += sent
        self.report.blobs_reused += not sent


def _next_segment(repository: RemoteRepository, segment: str, curve: Curve) -> str:
    """Where a curve goes whose plain segment holds another true name."""
    following = suffixed(curve.mnemonic, "curve")
    if segment == following:
        raise CurveError(f"{repository.name} holds another curve than {curve.mnemonic!r}; choose another frame name")
    return following

"""A log file that was read goes into a project: one version for each curve that changed, the well's index, the file.

What the registry has is not sent: an unchanged curve costs a look at its header, an equal segment its name, and a file
that is here already one look. Importers may run side by side: versions are numbered, and `latest` and the index moved,
by compare and swap. The same logic pushes over HTTP and into this process's own repositories.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from ..curves import schema
from ..curves.artifact.well import EMPTY_CONFIG, original_manifest
from ..curves.names import checked_project
from ..curves.schema import Descriptor
from ..oci.bundle import ALONG
from ..oci.digest import Digest
from ..oci.repository import Pushable
from .blobs import Blobs
from .curves import CurvePush, Target
from .files import content_of
from .parcel import FrameParcel, ReadFile
from .report import FileReport
from .reuse import reuse
from .wells import Home, Kept, Wells


class Pushed:
    """A file whose curves are there; `complete` when the wells' indexes list them and the file as received is kept."""

    def __init__(self, report: FileReport) -> None:
        self.report = report
        self.rest: list[tuple[Home, list[Descriptor], Kept | None]] = []
        self._started = time.monotonic()

    async def complete(self) -> FileReport:
        """Wait for the rest, which files of one well do together; Importer.close makes it come at once."""
        await asyncio.gather(*(home.add(lines, kept, self.report) for home, lines, kept in self.rest))
        self.report.status = "imported" if self.report.new or self.report.sent else "unchanged"
        self.report.seconds += time.monotonic() - self._started
        return self.report


class Importer:
    """Pushes files into one project. repository(name) gives its repositories.

    tags: status tags (`raw`, `final` ...) for every version. again: also files that are here already, whose curves may
    have been edited since. advance(n): so many curves more are done.
    """

    def __init__(
        self,
        repository: Callable[[str], Pushable],
        project: str,
        *,
        tags: Sequence[str] = (),
        again: bool = False,
        advance: Callable[[int], None] = lambda curves: None,
    ) -> None:
        self.blobs = Blobs()
        self._target = Target(repository, self.blobs, tags, advance)
        self._wells = Wells(repository, checked_project(project))
        self._again = again

    def close(self) -> None:
        """No more files come: what gathers is written now."""
        self._wells.close()

    async def push(self, file: ReadFile) -> Pushed:
        """The curves of one file. RegistryError or CurveError where they cannot be; what was sent is reused later."""
        pushed = Pushed(FileReport(file=file.name, received=file.parcel.size))
        homes: dict[str, Home] = {}
        frames: dict[str, list[int]] = {}
        for number, frame in enumerate(file.parcel.frames):
            home = await self._wells.home(frame.well)
            homes[home.name] = home
            frames.setdefault(home.name, []).append(number)
        for name, numbers in frames.items():
            await self._push_well(homes[name], file, numbers, pushed, len(frames))
        return pushed

    async def _push_well(self, home: Home, file: ReadFile, numbers: list[int], pushed: Pushed, wells: int) -> None:
        frames = {number: file.parcel.frames[number] for number in numbers}
        for frame in frames.values():
            _count(home, frame, pushed.report)
        known = not self._again and file.content is not None and not (file.partly and not home.fresh)
        if known and await _complete(home, frames.values()):
            curves = sum(len(frame.curves) for frame in frames.values())
            pushed.report.curves += curves
            self._target.advance(curves)
            return
        first = file.parcel.frames[numbers[0]]
        before = file.content is not None and await self._before(home, first)
        blobs = () if before else await self._keep(home, file, first, pushed.report)
        curves_ = [
            CurvePush(self._target, home, file, (number, place), pushed.report, before and not self._again)
            for number, frame in frames.items()
            for place in range(len(frame.curves))
        ]
        await asyncio.gather(*(curve.prepare() for curve in curves_))
        if again := [curve for curve in curves_ if curve.packed is None]:  # all in one go: the file is read again
            packed = await file.repack([curve.wanted for curve in again])
            for curve, one in zip(again, packed, strict=True):
                curve.packed = one
        ready = [(curve, curve.packed) for curve in curves_ if curve.packed is not None]
        found = await reuse([(curve.repository, packed) for curve, packed in ready])
        for (curve, _), one in zip(ready, found, strict=True):
            curve.packed = one
        lines = await asyncio.gather(*(curve.push() for curve in curves_))
        home.know(lines)
        home.renew(curve.packed.digest for curve in curves_ if curve.packed and curve.packed.changed)
        kept = None
        if file.content is not None and first.original is not None and not home.promised(first.original.sha256):
            digest, paths = f"sha256:{first.original.sha256}", [line.annotations[schema.REPOSITORY] for line in lines]
            said = (first.original.file, digest, file.parcel.size, paths, file.recipe, wells)
            kept = Kept(digest, original_manifest(first.well, *said), blobs, before)
            pushed.report.blobs_reused += before
            home.promise(digest)
        pushed.rest.append((home, lines, kept))

    async def _before(self, home: Home, frame: FrameParcel) -> bool:
        """Whether all of the file was in the well before, whatever became of its curves since."""
        return frame.original is not None and await home.keeps(f"sha256:{frame.original.sha256}")

    async def _keep(self, home: Home, file: ReadFile, frame: FrameParcel, report: FileReport) -> Sequence[bytes]:
        """The bytes of the file as received, sent, or those that go with its manifest; none out of a folder."""
        if file.content is None or frame.original is None:
            return ()
        digest, size = Digest.parse(f"sha256:{frame.original.sha256}"), file.parcel.size
        if home.repository.bundles and size <= ALONG:
            content = file.content
            if isinstance(content, Path):
                content = await asyncio.to_thread(content_of, content, digest, size)
            for blob in (content, EMPTY_CONFIG):
                self.blobs.goes_along(home.repository, blob, report)
            return content, EMPTY_CONFIG
        if isinstance(file.content, Path):
            await self.blobs.push_file(home.repository, file.content, digest, size, report, home.fresh)
        else:
            await self.blobs.push(home.repository, file.content, report, home.fresh)
        await self.blobs.push(home.repository, EMPTY_CONFIG, report, home.fresh)
        return ()


def _count(home: Home, frame: FrameParcel, report: FileReport) -> None:
    report.wells.add(home.name)
    report.frames.add(f"{home.name}/{frame.folder}")
    report.samples += frame.rows * len(frame.curves)
    for finding in frame.original.findings if frame.original else ():
        if finding not in report.findings:
            report.findings.append(finding)


async def _complete(home: Home, frames: Iterable[FrameParcel]) -> bool:
    """Whether the well has all of a file: the file itself, which comes last, and its curves under these names."""
    for frame in frames:
        if frame.original is None or not await home.keeps(f"sha256:{frame.original.sha256}"):
            return False
        if not all(home.lists(frame.name, curve.mnemonic) for curve in frame.curves):
            return False
    return True

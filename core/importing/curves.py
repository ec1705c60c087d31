"""One curve of a file becomes the next version of its repository, if it says anything new."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ..curves.artifact.packed import Packed, Previous
from ..curves.artifact.well import entry
from ..curves.errors import CurveError
from ..curves.names import normal, suffixed
from ..curves.schema import Descriptor
from ..oci.errors import CurveConflict, PreconditionFailed, RegistryError
from ..oci.repository import Pushable
from .blobs import Blobs
from .follow import follow, retitled, unchanged
from .parcel import IMPORTED, Place, ReadFile, Wanted
from .report import Counts
from .versions import push_version, version_named
from .wells import RACES, Home

REMEMBERED = 2000
"""Versions whose headers are kept, of some kilobytes each."""


@dataclass(frozen=True)
class Target:
    """Where an import pushes to, and how. repository(name) gives the repositories; tags: status tags (`raw`, `final`)
    that every version gets; advance(n): so many curves more are done."""

    repository: Callable[[str], Pushable]
    blobs: Blobs
    tags: Sequence[str] = ()
    advance: Callable[[int], None] = lambda curves: None
    pushed: dict[str, Previous] = field(default_factory=dict)  # by repository: what a later file of the import follows

    def remember(self, name: str, packed: Packed) -> None:
        """A version that this import pushed."""
        self.pushed[name] = Previous(packed.digest, packed.manifest, packed.config, packed.raw)
        if len(self.pushed) > REMEMBERED:
            del self.pushed[next(iter(self.pushed))]


class CurvePush:
    """The way of one curve: `prepare` finds what it follows; `packed` None: it must be packed again; then `push`."""

    def __init__(
        self, target: Target, home: Home, file: ReadFile, place: Place, counts: Counts, before: bool = False
    ) -> None:
        self.packed: Packed | None = None
        self._target, self._home, self._file, self._place, self._counts = target, home, file, place, counts
        self._frame = file.parcel.frames[place[0]]
        self._mnemonic = self._frame.curves[place[1]].mnemonic
        self._segment = self._frame.curves[place[1]].segment
        self._previous: Previous | None = None  # what `latest` names
        self._parent: Previous | None = None  # what the curve follows: the same, but for a version out of a folder
        self._fresh = not home.may_have(self._path)
        self._before = before  # all of the file was here before: what came after it is not undone

    @property
    def wanted(self) -> Wanted:
        """What is to be packed again, where `packed` is None after `prepare`."""
        assert self._parent is not None
        return self._place, self._segment, self._parent

    async def prepare(self) -> None:
        """Look at what the repository holds; a segment taken by a curve of another true name is stepped aside from."""
        while True:
            self._previous = await self._look()
            if self._previous is None or self._previous.config.mnemonic == self._mnemonic:
                break
            self._step_aside()
        packed = self._file.packed(self._place)
        if self._segment != self._frame.curves[self._place[1]].segment:
            packed = retitled(packed, self._segment)
        parent = self._previous
        if parent is None:
            if self._file.step:
                self._file.step.first()
            self.packed = packed
            return
        found = parent.config.frame
        if normal(found) != normal(self._frame.name):
            raise CurveError(f"{self.repository.name} is of the frame {found!r}; choose another name")
        if self._before and not self._made(parent):
            self.packed = unchanged(parent)
            return
        if self._file.step:
            if await self._file.step.stands(self.repository, parent, packed.config):
                self.packed = unchanged(parent)
                return
            parent = self._file.step.parent(parent, packed.config)
        self._parent = parent
        self.packed = follow(packed, parent)

    def _made(self, version: Previous) -> bool:
        """Whether a version is what an import made of this very file."""
        found, ours = version.config.original, self._frame.original
        imported = version.config.lineage is None or version.config.lineage.operation == IMPORTED.operation
        return imported and found is not None and ours is not None and found.sha256 == ours.sha256

    async def _look(self) -> Previous | None:
        """What `latest` names: as far as this import knows, which the push then makes sure of."""
        if (pushed := self._target.pushed.get(self.repository.name)) is not None:
            return pushed
        return None if self._fresh else await version_named(self.repository)

    async def push(self) -> Descriptor:
        """The version, pushed; its line in the well index."""
        for _ in range(RACES):
            try:
                if self.packed is None:
                    await self.prepare()
                if self.packed is None:
                    (self.packed,) = await self._file.repack([self.wanted])
                await self._push(self.packed)
            except PreconditionFailed:  # another importer moved `latest`: its version is the parent now
                self._target.pushed.pop(self.repository.name, None)
                self.packed, self._fresh = None, False
                if self._file.step:
                    self._file.step.forget()
                continue
            except CurveConflict:
                self._step_aside()
                self.packed = None
                continue
            self._counts.curves += 1
            self._counts.new += self.packed.changed
            self._target.advance(1)
            return entry(self.packed, self._path)
        raise RegistryError(f"{self.repository.name} changes faster than it can be written; import again")

    async def _push(self, packed: Packed) -> None:
        assert packed.manifest.config is not None
        named = {packed.manifest.config.digest, *(layer.digest for layer in packed.manifest.layers)}
        self._counts.blobs_reused += len(named - packed.blobs.keys())
        if not packed.changed:
            return
        number = await push_version(
            self.repository, packed, self._previous, self._send, self._target.tags, self._goes_along
        )
        self._target.remember(self.repository.name, packed)
        if self._file.step:
            self._file.step.pushed(number, packed)
        self._counts.sent += len(packed.raw) * (1 + len(self._target.tags))

    async def _send(self, repository: Pushable, data: bytes) -> None:
        await self._target.blobs.push(repository, data, self._counts, self._fresh)

    def _goes_along(self, data: bytes) -> None:
        self._target.blobs.goes_along(self.repository, data, self._counts)

    def _step_aside(self) -> None:
        following = suffixed(self._mnemonic, "curve")
        if self._segment == following:
            raise CurveError(
                f"{self.repository.name} holds another curve than {self._mnemonic!r}; choose another frame name"
            )
        self._segment = following

    @property
    def _path(self) -> str:
        return f"{self._frame.folder}/{self._segment}"

    @property
    def repository(self) -> Pushable:
        """Where it goes."""
        return self._target.repository(f"{self._home.name}/{self._path}")

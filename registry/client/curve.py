"""A curve on a registry: its versions, windows of it, and new versions of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...core.curves import schema
from ...core.curves.errors import CurveError
from ...core.curves.names import Reference
from ...core.curves.schema import Config, Lineage, parse_manifest
from ...core.curves.windows.aligned import Aligned, align
from ...core.curves.windows.index_units import reading_window
from ...core.importing.versions import number_of
from ...core.oci import media
from ...core.oci.digest import Digest
from ...core.oci.errors import ManifestUnknown, NameUnknown
from .bounds import Bound, window_of
from .curves import CurveVersion, open_curve
from .log import Log, Original, Run
from .remote import RemoteRegistry
from .selection import Chosen, original_of

if TYPE_CHECKING:
    from .commit import Committed

Load = Callable[["AsyncCurve", CurveVersion], Config]


@dataclass(frozen=True)
class Version:
    """One version of a curve. number: N of its tag vN, None where it has none; tags: others that name it."""

    number: int | None
    digest: Digest
    tags: tuple[str, ...] = ()
    created: str = ""
    parent: str = ""
    lineage: Lineage | None = None


class AsyncCurve:
    """One curve at a tag or digest. Each reading asks what the tag names now; `commit` follows what was read last."""

    def __init__(self, registry: RemoteRegistry, reference: Reference) -> None:
        if len(reference.segments) != 4:
            raise CurveError(f"{reference.repository} is no curve: name one, PROJECT/WELL/FRAME/CURVE")
        self.reference = reference
        self.registry = registry
        self.opened: CurveVersion | None = None
        self._configs: dict[str, Config] = {}
        self.load: Load = _await_info
        self.run: Run | None = None

    def __repr__(self) -> str:
        return f"AsyncCurve({str(self.reference)!r})"

    async def open(self) -> CurveVersion:
        """The version that the reference names now. ManifestUnknown where there is none."""
        self.opened = await open_curve(self.registry, self.reference)
        return self.opened

    async def digest(self) -> Digest:
        """The name of the version that the reference names now."""
        return (await self.open()).digest

    async def info(self) -> Config:
        """The header: well, frame, unit, index, statistics, segments, lineage, original."""
        return await self.config_of(await self.open())

    async def config_of(self, version: CurveVersion) -> Config:
        """The header of a version, fetched once."""
        if version.digest not in self._configs:
            self._configs[version.digest] = await version.config()
        return self._configs[version.digest]

    def known_config(self, version: CurveVersion) -> Config | None:
        """The header where it was fetched before."""
        return self._configs.get(version.digest)

    async def read(self, depth: tuple[Bound, Bound] | None = None, unit: str | None = None) -> Log:
        """Rows whose index lies in [a, b] (None is open); only the layers that hold them are fetched.

        unit: what the window is given and the index answered in, `ft` or `m`; None is the curve's own. Times are
        given as datetimes or ISO 8601.
        """
        version, window = await self.open(), window_of(depth)
        if unit is not None:
            config = await self.config_of(version)
            table = await version.read(reading_window(config, window, unit))
            aligned = align([(config, table)], unit=unit, window=window)
            return Log(aligned.table, lambda: aligned, aligned.unit, window, self._original(version))
        table = await version.read(window)

        def with_header() -> Aligned:
            return align([(self.known_config(version) or self.load(self, version), table)])

        return Log(table, with_header, window=window, original=self._original(version))

    def _original(self, version: CurveVersion) -> Original:
        async def fetch() -> bytes | None:
            return await original_of(self.registry, [Chosen(self.reference, version, await self.config_of(version))])

        return Original(fetch, self.run)

    async def versions(self) -> list[Version]:
        """The versions that have a tag, numbered ones first to last, then the others."""
        repository = self.registry.repository(self.reference.repository)
        tags = await repository.tags()
        if not tags:
            raise ManifestUnknown(f"there is no curve {self.reference.repository}; dfr ls {self.reference.well}")
        stored = await asyncio.gather(*(repository.stat_manifest(tag) for tag in tags))
        named: dict[Digest, list[str]] = {}
        for tag, each in zip(tags, stored, strict=True):
            named.setdefault(each.digest, []).append(tag)
        found = [_version(digest, names) for digest, names in named.items()]
        return sorted(found, key=lambda version: (version.number is None, version.number or 0))

    async def history(self) -> list[Version]:
        """This version and those it came from, newest first, each with how it came to be."""
        numbers = {version.digest: version for version in await self.versions()}
        repository = self.registry.repository(self.reference.repository)
        version: CurveVersion | None = await self.open()
        found: list[Version] = []
        seen: set[str] = set()
        while version is not None and version.digest not in seen:
            seen.add(version.digest)
            config, notes = await self.config_of(version), version.manifest.annotations
            known = numbers.get(version.digest) or Version(None, version.digest)
            created, parent = notes.get(schema.CREATED, ""), notes.get(schema.PARENT, "")
            found.append(Version(known.number, version.digest, known.tags, created, parent, config.lineage))
            try:
                stored, raw = await repository.get_manifest(parent) if parent else (None, b"")
            except (ManifestUnknown, NameUnknown):  # deleted since, or of another repository
                break
            version = CurveVersion(repository, stored.digest, parse_manifest(raw, media.CURVE), raw) if stored else None
        return found

    async def commit(
        self,
        frame: Any,
        *,
        operation: str,
        message: str = "",
        interval: tuple[Bound, Bound] | None = None,
        whole: bool = False,
        tool: str = "",
        parameters: Mapping[str, Any] | None = None,
        inputs: Sequence[str | AsyncCurve] = (),
        tag: str | None = None,
        dtype: str | None = None,
    ) -> Committed:
        """A new version on the one that was read last; VersionConflict where another was pushed since, and nothing is
        changed then.

        frame: a pandas or polars DataFrame, a pyarrow Table, (depths, values), or what read() gave; depths in the
        curve's own unit. interval: (a, b): the frame's rows in it take the place of all samples that the curve has
        there, the others stay. Without it the frame is the whole curve; one that covers less is refused unless `whole`
        says that the curve is to become shorter. A window that read() gave is its own interval.
        dtype: another type for the values than the curve's (`float64`); values are rounded to the curve's own else.
        tag: a status to move with it, such as edited. inputs: other curves it was made from.
        """
        from .commit import commit

        lineage = lineage_of(operation, message, tool, parameters, inputs)
        return await commit(self, frame, lineage, window_of(interval) if interval else None, whole, tag, dtype)


def lineage_of(
    operation: str,
    message: str,
    tool: str,
    parameters: Mapping[str, Any] | None,
    inputs: Sequence[str | AsyncCurve],
) -> Lineage:
    """How a version came to be, or CurveError for an operation without a name."""
    if not operation.strip():
        raise CurveError("say in a word what was done: operation='despike'")
    return Lineage(
        operation=operation,
        message=message,
        tool=tool,
        parameters=dict(parameters or {}),
        inputs=[schema.LineageInput(ref=_input(each)) for each in inputs],
    )


def _input(given: Any) -> str:
    """`project/well/frame/curve@sha256:...` where the version is known."""
    curve = getattr(given, "_twin", given)
    if isinstance(curve, AsyncCurve):
        at = f"@{curve.opened.digest}" if curve.opened else f":{curve.reference.target}"
        return f"{curve.reference.repository}{at}"
    return str(Reference.parse(str(curve)))


def _version(digest: Digest, tags: list[str]) -> Version:
    numbers = [number for tag in tags if (number := number_of(tag))]
    return Version(min(numbers, default=None), digest, tuple(tag for tag in tags if not number_of(tag)))


def _await_info(curve: AsyncCurve, version: CurveVersion) -> Config:
    raise CurveError(f"the header of {curve.reference} was not read yet: await curve.info() before this")

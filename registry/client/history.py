"""Versions of curves on a registry: opened, compared, and followed back. Works with any OCI registry."""

import asyncio
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

import pyarrow as pa

from ...core.curves import schema
from ...core.curves.artifact.read import WHOLE, Window
from ...core.curves.artifact.read import assemble as assemble_window
from ...core.curves.artifact.read import plan as plan_window
from ...core.curves.compare.diff import MOST_INTERVALS, Version, assemble, new_bytes, plan
from ...core.curves.compare.differences import CurveDiff
from ...core.curves.errors import CurveError
from ...core.curves.names import Reference
from ...core.importing.versions import number_of
from ...core.oci.errors import ManifestUnknown, NameUnknown
from .curves import list_curves, open_curve, version_of
from .remote import RemoteRegistry, RemoteRepository

T = TypeVar("T")

CHEAP_BYTES = 1 << 20
_AT_ONCE = 8


@dataclass(frozen=True)
class Opened:
    """A version of a curve and where it is."""

    reference: Reference
    repository: RemoteRepository
    version: Version

    async def read(self, window: Window = WHOLE) -> pa.Table:
        """The rows of a window: index column and values."""
        wanted = plan_window(self.version.manifest, window)
        return assemble_window(wanted, await fetch(self.repository, wanted.digests))


@dataclass(frozen=True)
class Step:
    """One version in a curve's history. tags: all that name it, its number first. change: against its parent, None
    where it has none, the parent is gone, or telling costs more than CHEAP_BYTES. new_bytes: what it brought."""

    version: Version
    new_bytes: int
    tags: list[str] = field(default_factory=list)
    change: CurveDiff | None = None


async def open_version(registry: RemoteRegistry, reference: Reference) -> Opened:
    """The curve version that a REF names, with its config; CurveError and ManifestUnknown as open_curve has them."""
    curve = await open_curve(registry, reference)
    return Opened(reference, curve.repository, await _load(curve.repository, curve.digest))


async def open_curves(registry: RemoteRegistry, reference: Reference) -> list[Opened]:
    """All curves of a well or frame, or the one curve, that a REF names, in the order of the well's index."""
    if len(reference.segments) == 4:
        return [await open_version(registry, reference)]
    lines = await list_curves(registry, reference)

    async def opened(line: schema.Descriptor) -> Opened:
        found = version_of(reference, line)
        repository = registry.repository(found.repository)
        return Opened(found, repository, await _load(repository, found.target))

    return await gathered(opened(line) for line in lines)


async def parent_of(opened: Opened) -> Opened | None:
    """The version that this one follows; None for the first, and where the parent is gone."""
    version = await _followed(opened.repository, opened.version)
    if version is None:
        return None
    segments, digest, base = opened.reference.segments, _parent(opened.version), opened.reference.base
    return Opened(Reference(segments, digest, base), opened.repository, version)


async def compare(old: Opened, new: Opened, most: int = MOST_INTERVALS) -> CurveDiff:
    """What differs, from the values of what differs alone."""
    wanted = plan(old.version, new.version)
    before, after = await asyncio.gather(
        fetch(old.repository, wanted.old_digests), fetch(new.repository, wanted.new_digests)
    )
    return await asyncio.to_thread(assemble, wanted, before | after, most)


async def history(registry: RemoteRegistry, reference: Reference, most: int) -> list[Step]:
    """The `most` newest versions, newest first: those that have a number or another tag, and the parents of these.

    ManifestUnknown where there is no such curve.
    """
    head = await open_version(registry, reference)
    repository = head.repository
    tags = sorted(await repository.tags(), key=number_of, reverse=True)
    numbered = [tag for tag in tags if number_of(tag)]
    named = numbered[:most] + [tag for tag in tags if not number_of(tag)]
    stored = await gathered(repository.stat_manifest(tag) for tag in named)
    steps: dict[str, list[str]] = {str(head.version.digest): []}
    for tag, each in zip(named, stored, strict=True):
        steps.setdefault(str(each.digest), []).append(tag)
    versions = dict(zip(steps, await gathered(_load(repository, digest) for digest in steps), strict=True))
    await _follow(repository, versions, most)
    ordered = sorted(versions.values(), key=lambda version: _age(version, versions, steps), reverse=True)[:most]
    return await gathered(
        _step(repository, version, versions, steps.get(str(version.digest), [])) for version in ordered
    )


async def _follow(repository: RemoteRepository, versions: dict[str, Version], most: int) -> None:
    """Add the parents that no tag names, as far as they are there."""
    waiting = list(versions.values())
    while waiting and len(versions) < most:
        version = waiting.pop()
        if _parent(version) not in versions and (found := await _followed(repository, version)):
            versions[_parent(version)] = found
            waiting.append(found)


def _parent(version: Version) -> str:
    return version.manifest.annotations.get(schema.PARENT, "")


def _age(version: Version, versions: dict[str, Version], tags: dict[str, list[str]]) -> tuple[int, int]:
    """By number, a version without one just before the first numbered one that follows it; then by length of line."""
    number = max((number_of(tag) for tag in tags.get(str(version.digest), [])), default=0)
    line, at = 0, version
    while (digest := _parent(at)) in versions:
        at, line = versions[digest], line + 1
        number = max(number, *(number_of(tag) for tag in tags.get(digest, [""])))
    return number, line


async def _step(repository: RemoteRepository, version: Version, versions: dict[str, Version], tags: list[str]) -> Step:
    parent = versions.get(_parent(version)) or await _followed(repository, version)
    change = None
    if parent:
        wanted = plan(parent, version)
        if sum(layer.size for layer in (*wanted.old_layers, *wanted.new_layers)) <= CHEAP_BYTES:
            change = await asyncio.to_thread(assemble, wanted, await fetch(repository, wanted.digests))
    return Step(version, new_bytes(parent, version), tags, change)


async def _followed(repository: RemoteRepository, version: Version) -> Version | None:
    """The version that one follows; None for the first, and where it is gone."""
    try:
        return await _load(repository, _parent(version)) if _parent(version) else None
    except (ManifestUnknown, NameUnknown):
        return None


async def _load(repository: RemoteRepository, digest: str) -> Version:
    _, raw = await repository.get_manifest(str(digest))
    manifest = schema.parse_manifest(raw)
    if manifest.config is None:
        raise CurveError(f"{repository.name}@{digest} has no config: it is no curve")
    return Version.parse(raw, await repository.read_blob(manifest.config.digest))


async def fetch(repository: RemoteRepository, digests: Iterable[str]) -> dict[str, bytes]:
    """Blobs by digest, a few at a time."""
    wanted = list(digests)
    return dict(zip(wanted, await gathered(repository.read_blob(digest) for digest in wanted), strict=True))


async def gathered(work: Iterable[Awaitable[T]]) -> list[T]:
    """Results in order, a few at a time."""
    slots = asyncio.Semaphore(_AT_ONCE)

    async def one(each: Awaitable[T]) -> T:
        async with slots:
            return await each

    return list(await asyncio.gather(*(one(each) for each in work)))

"""Curves on a registry: what a well holds, and depth windows of one curve, reading only the layers they need."""

import asyncio
from dataclasses import dataclass, field

import pyarrow as pa

from ...core.curves import schema
from ...core.curves.artifact.read import WHOLE, Window, assemble, plan
from ...core.curves.errors import CurveError
from ...core.curves.names import LATEST, Reference
from ...core.curves.schema import Config, Descriptor, Manifest, parse_config, parse_manifest
from ...core.newest import newest
from ...core.oci import media
from ...core.oci.digest import Digest
from ...core.oci.errors import ManifestUnknown, NameUnknown, RegistryError
from .remote import RemoteRegistry, RemoteRepository


@dataclass(frozen=True)
class CurveVersion:
    """A curve as a tag or digest names it."""

    repository: RemoteRepository
    digest: Digest
    manifest: Manifest
    raw: bytes = field(repr=False)

    async def config(self) -> Config:
        """Its header: units, statistics, how values print."""
        if self.manifest.config is None:
            raise CurveError(f"{self.repository.name} has no config: it is no curve")
        return parse_config(await self.repository.read_blob(self.manifest.config.digest))

    async def read(self, window: Window = WHOLE) -> pa.Table:
        """The rows of a window: index column (exact decimals or UTC times) and values. Layers are fetched together."""
        wanted = plan(self.manifest, window)
        blobs = await asyncio.gather(*(self.repository.read_blob(digest) for digest in wanted.digests))
        return assemble(wanted, dict(zip(wanted.digests, blobs, strict=True)))


async def open_curve(registry: RemoteRegistry, reference: Reference) -> CurveVersion:
    """The curve that a REF names; CurveError if it names a well or frame, ManifestUnknown if nothing."""
    if len(reference.segments) != 4:
        raise CurveError(f"{reference.repository} is no curve: name one, PROJECT/WELL/FRAME/CURVE")
    repository = registry.repository(reference.repository)
    try:
        stored, raw = await repository.get_manifest(reference.target)
    except (ManifestUnknown, NameUnknown) as error:
        raise no_curve(reference, error) from error
    return CurveVersion(repository, stored.digest, parse_manifest(raw, media.CURVE), raw)


def no_curve(reference: Reference, error: RegistryError | None = None) -> ManifestUnknown:
    """What people are told where a REF names no curve. error: the registry's own; NameUnknown: not even the curve."""
    if reference.target == LATEST or isinstance(error, NameUnknown):
        return ManifestUnknown(f"there is no curve {reference}; dfr ls {reference.well} lists them")
    return ManifestUnknown(f"there is no curve {reference}; dfr ls {reference.repository} lists its versions")


async def open_well(registry: RemoteRegistry, reference: Reference) -> Manifest:
    """The index of a well, as a tag or digest names it (`latest` for a frame or curve of it); or ManifestUnknown."""
    target, named = (reference.target, reference) if len(reference.segments) == 2 else (LATEST, reference.well)
    try:
        _, raw = await registry.repository(reference.well).get_manifest(target)
    except (ManifestUnknown, NameUnknown) as error:
        raise ManifestUnknown(f"there is no well {named}; dfr ls {reference.segments[0]} lists them") from error
    return parse_manifest(raw, media.WELL)


async def open_now(registry: RemoteRegistry, reference: Reference) -> Manifest:
    """The same, of which a `latest` names the newest version of each curve."""
    index = await open_well(registry, reference)
    of_tag = len(reference.segments) == 2 and reference.target != LATEST
    return index if of_tag else await newest(registry.repository, reference.well, index)


async def list_curves(registry: RemoteRegistry, reference: Reference) -> list[Descriptor]:
    """The curves of a well, or of one of its frames, as its index lists them; annotations say what each is.

    ManifestUnknown where there is no such well, NameUnknown where it has no such frame.
    """
    index = await open_well(registry, reference)
    if len(reference.segments) == 2:
        return index.manifests
    frame = f"{reference.segments[2]}/"
    lines = [line for line in index.manifests if line.annotations.get(schema.REPOSITORY, "").startswith(frame)]
    if not lines:
        raise NameUnknown(f"{reference.well} has no frame {reference.segments[2]}; dfr ls {reference.well} lists them")
    return lines


def version_of(reference: Reference, line: Descriptor) -> Reference:
    """The curve of a line: of a well's `latest` the curve's own `latest`, since the line may name an older version
    (docs/format.md section 8); of any other tag or digest what the line names. A frame's tag is its curves'."""
    # an index that others wrote: what it names is a reference like any that a person types
    named = Reference.parse(f"{reference.well}/{line.annotations.get(schema.REPOSITORY, '')}")
    if len(named.segments) != 4:
        raise CurveError(f"the index of {reference.well} names {named.repository}, which is no curve; import again")
    return Reference(named.segments, target_of(reference, line), reference.base)


def target_of(reference: Reference, line: Descriptor) -> str:
    """The tag or digest of a line's curve, as version_of says."""
    of_frame = len(reference.segments) > 2
    return reference.target if of_frame or reference.target == LATEST else str(line.digest)


async def list_versions(registry: RemoteRegistry, reference: Reference) -> dict[str, Digest]:
    """The tags of a curve, or the one that is asked for, and what each names; ManifestUnknown where there is none."""
    repository = registry.repository(reference.repository)
    tags = await repository.tags() if reference.target == LATEST else [reference.target]
    try:
        stored = await asyncio.gather(*(repository.stat_manifest(tag) for tag in tags))
    except ManifestUnknown as error:
        raise no_curve(reference, error) from error
    if not tags:
        raise no_curve(reference)
    return {tag: each.digest for tag, each in zip(tags, stored, strict=True)}


async def list_wells(registry: RemoteRegistry, project: str = "") -> dict[str, int]:
    """Wells that the caller may pull, `project/well` -> how many repositories of curves lie below each."""
    wells: dict[str, int] = {}
    for name in await registry.catalog():
        segments = name.split("/")
        if len(segments) >= 2 and project in ("", segments[0]):
            well = "/".join(segments[:2])
            wells[well] = wells.get(well, 0) + (len(segments) == 4)
    return {well: curves for well, curves in wells.items() if curves}  # field/notes of somebody's oras is no well

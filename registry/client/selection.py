"""Several curves at once: what REFs name, read together and put on one index."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from ...core.curves.artifact.placed import span
from ...core.curves.artifact.read import WHOLE, Window
from ...core.curves.artifact.well import ORIGINAL
from ...core.curves.errors import CurveError
from ...core.curves.names import Reference
from ...core.curves.schema import Config, parse_manifest
from ...core.curves.windows.aligned import Aligned, align
from ...core.curves.windows.index_units import reading_window
from ...core.oci import media
from ...core.oci.errors import ManifestUnknown, NameUnknown
from .curves import CurveVersion, list_curves, open_curve, version_of
from .remote import RemoteRegistry

_AT_ONCE = 16


@dataclass(frozen=True)
class Chosen:
    """One curve version and what its config says."""

    reference: Reference
    curve: CurveVersion
    config: Config

    @property
    def frame(self) -> tuple[str, ...]:
        """The repository segments of its frame: project, well, frame."""
        return self.reference.segments[:3]


async def choose(registry: RemoteRegistry, references: Sequence[Reference]) -> list[Chosen]:
    """The curves that REFs name, each once, in order: one curve, or all of a frame or well.

    A tag on a frame is that of each of its curves. CurveError and RegistryError say what is not there.
    """
    named = [each for reference in references for each in await _curves_of(registry, reference)]
    gate = asyncio.Semaphore(_AT_ONCE)

    async def opened(reference: Reference) -> Chosen:
        async with gate:
            curve = await open_curve(registry, reference)
            return Chosen(reference, curve, await curve.config())

    return list(await asyncio.gather(*map(opened, dict.fromkeys(named))))


async def _curves_of(registry: RemoteRegistry, reference: Reference) -> list[Reference]:
    if len(reference.segments) == 4:
        return [reference]
    return [version_of(reference, line) for line in await list_curves(registry, reference)]


async def read_together(
    chosen: Sequence[Chosen],
    window: Window = WHOLE,
    *,
    unit: str | None = None,
    step: str | None = None,
    how: str = "outer",
    empty: bool = False,
) -> Aligned:
    """The curves on one index, as align puts them; CurveError where the window holds no row, with what there is, unless
    `empty` says that none is an answer too."""
    if not chosen:
        raise CurveError("no curve to read: name at least one")
    gate = asyncio.Semaphore(_AT_ONCE)
    unit = unit if unit is not None else chosen[0].config.index.unit

    async def read(one: Chosen) -> pa.Table:
        async with gate:
            return await one.curve.read(reading_window(one.config, window, unit, step))

    tables = await asyncio.gather(*map(read, chosen))
    pairs = [(one.config, table) for one, table in zip(chosen, tables, strict=True)]
    aligned = await asyncio.to_thread(lambda: align(pairs, step=step, unit=unit, how=how, window=window))
    if not len(aligned) and not empty:
        config = chosen[0].config
        first, last = span(config)
        runs = f"{first} to {last} {config.index.unit}".strip()
        raise CurveError(
            f"no sample of {chosen[0].reference} lies in the window: its {config.index.kind} runs from {runs}"
        )
    return aligned


async def original_of(registry: RemoteRegistry, chosen: Sequence[Chosen]) -> bytes | None:
    """The LAS file that all the curves came from, or None where they did not, or where it is gone."""
    files = {(one.reference.segments[:2], one.config.original.sha256) for one in chosen if one.config.original}
    las = all(one.config.original and one.config.original.format.startswith("LAS") for one in chosen)
    if len(files) != 1 or not las:
        return None
    ((well, sha256),) = files
    repository = registry.repository("/".join(well))
    try:
        _, raw = await repository.get_manifest(f"{ORIGINAL}{sha256[:12]}")
        wanted = f"sha256:{sha256}"
        layers = {layer.digest for layer in parse_manifest(raw, media.ORIGINAL).layers}
        return await repository.read_blob(wanted) if wanted in layers else None
    except (ManifestUnknown, NameUnknown):
        return None

"""Curves of a registry held against docs/format.md, their layers opened in a process with limits."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from ...core.curves import schema
from ...core.curves.checks.judging import judge
from ...core.curves.checks.verify import check_manifest
from ...core.curves.checks.verify_well import check_well
from ...core.curves.errors import CurveError
from ...core.curves.names import Reference
from ...core.oci import media
from ...core.oci.errors import RegistryError
from ...core.sandbox import Sandbox
from .curves import list_curves, open_curve, target_of
from .remote import RemoteRegistry

_AT_ONCE = 8
_CHILDREN = 2


@dataclass(frozen=True)
class Judgement:
    """What was judged, and each objection in one line; none: it follows the format."""

    name: str
    findings: tuple[str, ...]


async def verify(
    registry: RemoteRegistry, reference: Reference, advance: Callable[[str], None] = lambda name: None
) -> list[Judgement]:
    """A curve's version, or each curve that the index of a well lists (of one frame, if named) and the index itself."""
    async with Sandbox(_CHILDREN) as sandbox:
        if len(reference.segments) == 4:
            curve = await open_curve(registry, reference)
            return [await _judged(registry, sandbox, reference.repository, curve.digest)]
        lines = await list_curves(registry, reference)
        slots = asyncio.Semaphore(_AT_ONCE)

        async def one(name: str, digest: str) -> Judgement:
            async with slots:
                judgement = await _judged(registry, sandbox, name, digest)
            advance(name)
            return judgement

        paths = [line.annotations.get(schema.REPOSITORY, "") for line in lines]
        targets = [target_of(reference, line) for line in lines]
        named = [(f"{reference.well}/{path}", target) for path, target in zip(paths, targets, strict=True)]
        found = list(await asyncio.gather(*(one(*each) for each in named)))
        if len(reference.segments) == 2:
            _, index = await registry.repository(reference.well).get_manifest(reference.target)
            found.insert(0, Judgement(reference.well, tuple(check_well(index))))
        return found


async def _judged(registry: RemoteRegistry, sandbox: Sandbox, name: str, digest: str) -> Judgement:
    """One version: manifest and config first; the layers only where these say nothing wrong."""
    try:
        repository = registry.repository(name)
        _, raw = await repository.get_manifest(digest)
        manifest = schema.parse_manifest(raw, media.CURVE)
        if manifest.config is None:
            return Judgement(name, ("the manifest has no config",))
        config = await repository.read_blob(manifest.config.digest)
        found = check_manifest(raw, config, name)
        if not found:
            layers = await asyncio.gather(*(repository.read_blob(layer.digest) for layer in manifest.layers))
            found = (await sandbox.run(judge, None, [raw, config, *layers]))[0]["findings"]
    except (CurveError, RegistryError) as error:
        found = [" ".join(str(error).split())]
    return Judgement(name, tuple(found))

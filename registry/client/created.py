"""A new curve from a person's samples, in a frame that is there."""

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from ...core.curves.artifact.config import frame_of, index_of
from ...core.curves.artifact.pack import pack, pack_index
from ...core.curves.artifact.packed import Packed
from ...core.curves.errors import CurveError
from ...core.curves.model import Curve, Frame
from ...core.curves.names import Reference, slug, suffixed
from ...core.curves.schema import Config, Lineage
from ...core.importing.reuse import reuse
from ...core.importing.versions import push_version
from ...core.oci.digest import Digest
from ...core.oci.errors import CurveConflict, PreconditionFailed
from .commit import Committed, ascending, send
from .edited import new
from .given import given, scale_for, ticks_in
from .wellindex import list_curve

if TYPE_CHECKING:
    from .curve import AsyncCurve


async def create(
    model: "AsyncCurve",
    mnemonic: str,
    frame: Any,
    unit: str,
    description: str,
    lineage: Lineage,
    tag: str | None,
    dtype: str | None,
) -> Committed:
    """See AsyncWell.add_curve."""
    if not mnemonic.strip():
        raise CurveError("a curve has a mnemonic, such as VSH")
    config = await model.info()
    before = model.registry.transport.sent_bytes
    for segment in (slug(mnemonic, "curve"), suffixed(mnemonic, "curve")):
        reference = Reference((*model.reference.segments[:3], segment))
        made, packed = await asyncio.to_thread(
            _packed, config, mnemonic, frame, unit, description, lineage, dtype, segment
        )
        repository = model.registry.repository(reference.repository)
        try:
            [packed] = await reuse([(repository, packed)])
            version = await push_version(repository, packed, None, send, [tag] if tag else [])
        except CurveConflict:
            continue  # another true name has this segment
        except PreconditionFailed as error:
            raise CurveError(
                f"{reference} is there already; registry.curve({str(reference)!r}).commit(...) makes a version of it"
            ) from error
        await list_curve(model.registry, reference, made.well)
        return Committed(
            reference=f"{reference}@{packed.digest}",
            version=version,
            digest=Digest(packed.digest),
            parent=None,
            changed=True,
            sent=model.registry.transport.sent_bytes - before,
            blobs=len(packed.blobs),
        )
    raise CurveError(f"{model.reference.well} holds other curves where {mnemonic!r} would stand; choose another name")


def _packed(
    config: Config,
    mnemonic: str,
    frame: Any,
    unit: str,
    description: str,
    lineage: Lineage,
    dtype: str | None,
    segment: str,
) -> tuple[Frame, Packed]:
    header = config.index
    samples = given(frame, mnemonic, [header.kind, header.mnemonic])
    if samples.unit is not None and samples.unit != header.unit:
        raise CurveError(f"the frame's index is in {samples.unit}, its fellows' in {header.unit}; read without unit=")
    scale = scale_for(samples.index)
    if (scale is None) != (header.scale is None):
        raise CurveError(f"{config.frame} stands on {header.kind} in {header.unit or 'times'}; the frame does not")
    scale = None if scale is None or header.scale is None else max(scale, header.scale)
    ticks, values = ascending(ticks_in(samples.index, scale), samples.values)
    curve = Curve(mnemonic=mnemonic, unit=unit, values=new(values, dtype), description=description)
    index = index_of(msgspec.structs.replace(header, scale=scale), ticks)
    made = frame_of(msgspec.structs.replace(config, original=None), index, curve)
    created = datetime.now(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")
    layers = pack_index(index, made.name)
    return made, pack(made, curve, segment, layers, None, lineage=lineage, created=created)

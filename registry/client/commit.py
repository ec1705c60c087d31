"""A new version of a curve from a person's samples: what changed is sent, what was pushed meanwhile is never lost."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from ...core.curves.artifact.config import frame_of, index_of
from ...core.curves.artifact.pack import pack, pack_index
from ...core.curves.artifact.packed import Packed, Previous
from ...core.curves.artifact.parquet import index_array, index_ticks
from ...core.curves.artifact.placed import span
from ...core.curves.artifact.read import WHOLE, Window, bounds, ends
from ...core.curves.artifact.well import described
from ...core.curves.errors import CurveError
from ...core.curves.model import Curve, Frame, Ticks, Values, index_type
from ...core.curves.names import LATEST
from ...core.curves.schema import Config, IndexHeader, Lineage, LineageInput
from ...core.importing.reuse import reuse
from ...core.importing.versions import push_version
from ...core.oci import media
from ...core.oci.digest import Digest
from ...core.oci.errors import ManifestUnknown, PreconditionFailed
from .curves import CurveVersion
from .edited import typed
from .given import given, ticks_in
from .log import Log
from .wellindex import list_curve

if TYPE_CHECKING:
    from .curve import AsyncCurve
    from .remote import RemoteRepository


class VersionConflict(PreconditionFailed):
    """Another version was pushed since the one that was read; nothing was changed. detail: read and found digests."""


@dataclass(frozen=True)
class Committed:
    """What a commit made. reference names the new version for good; changed is False where nothing differs from the
    version before, which is named then. sent: bytes of all that went to the registry; blobs: how many files."""

    reference: str
    version: int | None
    digest: Digest
    parent: str | None
    changed: bool
    sent: int
    blobs: int


async def commit(
    curve: "AsyncCurve",
    frame: Any,
    lineage: Lineage,
    interval: Window | None,
    whole: bool,
    tag: str | None,
    dtype: str | None,
) -> Committed:
    """See AsyncCurve.commit."""
    base = curve.opened or await curve.open()
    before = base.repository.transport.sent_bytes
    config = await curve.config_of(base)
    header = config.index
    samples = given(frame, config.mnemonic, [header.kind, header.mnemonic])
    if samples.unit is not None and samples.unit != header.unit:
        raise CurveError(f"the frame's index is in {samples.unit}, the curve's in {header.unit}; read it without unit=")
    if interval is None and isinstance(frame, Log) and frame.window != WHOLE and not whole:
        interval = frame.window
    ticks, values = ascending(ticks_in(samples.index, header.scale), samples.values)
    kept = None
    if interval is not None:
        ticks, values = _within(ticks, values, interval, header)
        kept = await base.read()
    elif not whole:
        _covers(ticks, config)
    lineage = Lineage(
        operation=lineage.operation,
        message=lineage.message,
        tool=lineage.tool,
        parameters=lineage.parameters,
        inputs=[LineageInput(ref=f"{base.repository.name}@{base.digest}", role="parent"), *lineage.inputs],
    )
    previous = Previous.parse(base.raw, await base.repository.read_blob(_config_digest(base)))
    made, packed = await asyncio.to_thread(_packed, curve, previous, ticks, values, kept, interval, dtype, lineage)
    version = None
    tags = [tag] if tag else []
    if packed.changed:
        [packed] = await reuse([(base.repository, packed)])
        try:
            version = await push_version(base.repository, packed, previous, send, tags)
        except PreconditionFailed as error:
            raise await _conflict(curve, base) from error
        if described(packed.config) != described(config):
            await list_curve(curve.registry, curve.reference, made.well)
    else:
        for name in tags:
            await base.repository.push_manifest(packed.raw, media.OCI_MANIFEST, [name])
    digest = Digest(packed.digest)
    curve.opened = CurveVersion(base.repository, digest, packed.manifest, packed.raw)
    return Committed(
        reference=f"{base.repository.name}@{digest}",
        version=version,
        digest=digest,
        parent=base.digest if packed.changed else None,
        changed=packed.changed,
        sent=base.repository.transport.sent_bytes - before,
        blobs=len(packed.blobs),
    )


def _packed(
    curve: "AsyncCurve",
    previous: Previous,
    ticks: Ticks,
    values: Values,
    kept: pa.Table | None,
    interval: Window | None,
    dtype: str | None,
    lineage: Lineage,
) -> tuple[Frame, Packed]:
    config = previous.config
    values, decimals = typed(values, config, dtype)
    if kept is not None and interval is not None:
        ticks, values = _spliced(kept, ticks, values, interval, config)
    index = index_of(config.index, ticks)
    definition = config.original.header.get("~C", "") if config.original else ""
    made = Curve(
        mnemonic=config.mnemonic,
        unit=config.unit,
        values=values,
        description=config.description,
        null_original=config.null_original,
        text_decimals=decimals,
        definition=definition,
    )
    frame = frame_of(config, index, made)
    created = datetime.now(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")
    segment, layers = curve.reference.segments[-1], pack_index(index, frame.name)
    return frame, pack(frame, made, segment, layers, previous, lineage=lineage, created=created)


def ascending(ticks: Ticks, values: Values) -> tuple[Ticks, Values]:
    """Rows by index; CurveError where there are none, or not as many values as index values."""
    if len(ticks) != len(values):
        raise CurveError(f"there are {len(values)} values on an index of {len(ticks)} rows")
    if not len(ticks):
        raise CurveError("the frame has no rows")
    if np.all(np.diff(ticks) >= 0):
        return ticks, values
    order = np.argsort(ticks, kind="stable")
    return ticks[order], values.take(pa.array(order.astype(np.int64), pa.int64()))


def _within(ticks: Ticks, values: Values, interval: Window, header: IndexHeader) -> tuple[Ticks, Values]:
    start, stop = bounds(ticks, *ends(interval, header.scale))
    if start == stop:
        first, last = index_of(header, ticks).text(0), index_of(header, ticks).text(len(ticks) - 1)
        raise CurveError(
            f"no row of the frame ({first} to {last} {header.unit}) lies from {interval.start} to {interval.stop}"
        )
    return ticks[start:stop], values.slice(start, stop - start)


def _covers(ticks: Ticks, config: Config) -> None:
    """CurveError for a frame that would cut the curve at an end, which nobody asked for."""
    now = index_of(config.index, ticks)
    first, last = span(config)
    low, high = ends(Window(first, last), config.index.scale)
    if low is None or high is None or (now.ticks[0] <= low and now.ticks[-1] >= high):
        return
    a, b = now.text(0), now.text(len(now) - 1)
    raise CurveError(
        f"the frame covers {a} to {b} of a curve from {first} to {last}: give interval=({a}, {b}) to put it in place "
        f"there, or whole=True to make the curve that short"
    )


def _spliced(kept: pa.Table, ticks: Ticks, values: Values, interval: Window, config: Config) -> tuple[Ticks, Values]:
    """The curve with new rows in the place of those it has in an interval."""
    old_index, old = kept.column(0).combine_chunks(), kept.column(1).combine_chunks()
    scale = config.index.scale
    start, stop = bounds(index_ticks(old_index), *ends(interval, scale))
    if old.type != values.type:
        old, _ = typed(old, config, str(values.type))
    kind = index_type(scale)
    index = pa.concat_arrays([old_index.slice(0, start), index_array(ticks, kind), old_index.slice(stop)])
    return index_ticks(index), pa.concat_arrays([old.slice(0, start), values, old.slice(stop)])


def _config_digest(base: CurveVersion) -> str:
    assert base.manifest.config is not None  # its config was read
    return base.manifest.config.digest


async def send(repository: "RemoteRepository", data: bytes) -> None:
    """One blob."""
    await repository.push_blob(data)


async def _conflict(curve: "AsyncCurve", base: CurveVersion) -> VersionConflict:
    """Names both versions, by number where they have one."""
    name = curve.reference.repository
    try:
        versions = await curve.versions()
    except ManifestUnknown:
        return VersionConflict(f"{name} was deleted since {base.digest} was read; nothing was changed")
    read = next((f"v{each.number}" for each in versions if each.digest == base.digest and each.number), base.digest)
    now = next((each for each in versions if LATEST in each.tags), None)
    found = f"v{now.number}" if now and now.number else str(now.digest if now else "none")
    message = (
        f"{name}: {found} is the latest, while this edit was made on {read}; nothing was changed. "
        f"Read the curve again, edit that and commit it (dfr diff {name}:{read} {name}:{found} shows what came between)"
    )
    return VersionConflict(message, {"read": base.digest, "latest": now.digest if now else None})

"""A curve becomes an OCI image manifest: config, shared index layer, value segments, and the name of its parent.

The same curve packed twice gives the same manifest bytes. What a parent version already holds is named by its
descriptor and not encoded again, found by content id and never by comparing Parquet bytes.
"""

from dataclasses import dataclass, field

import msgspec

from ...oci import media
from ...oci.digest import Digest
from .. import schema
from ..content import Samples, index_id
from ..model import Curve, Frame, Index
from ..names import slug
from ..schema import Config, Descriptor, Lineage, Manifest
from .config import config_of
from .layout import INDEX_LAYER_ROWS, index_layers, layout_notes, value_layers
from .packed import Packed, Previous
from .parquet import encode_index, encode_values
from .placed import placed
from .segments import Span, cut


@dataclass(frozen=True)
class IndexLayers:
    """The index of a frame, encoded once for all its curves."""

    content: str
    descriptors: tuple[Descriptor, ...]
    blobs: dict[str, bytes] = field(repr=False)


def pack_index(index: Index, frame: str) -> IndexLayers:
    """The index layers of a frame: one file, beyond 2**20 rows a file for each run of 2**20 rows."""
    folder, rows = slug(frame, "frame"), len(index)
    descriptors: list[Descriptor] = []
    blobs: dict[str, bytes] = {}
    for start in range(0, rows, INDEX_LAYER_ROWS):
        span = Span(start, min(start + INDEX_LAYER_ROWS, rows))
        part = "" if rows <= INDEX_LAYER_ROWS else f".{len(descriptors) + 1:04}"
        data = encode_index(index, span.start, span.stop)
        descriptors.append(_descriptor(media.PARQUET, data, {schema.TITLE: f"{folder}/{index.kind}{part}.parquet"}))
        blobs[descriptors[-1].digest] = data
    return IndexLayers(index_id(index), tuple(descriptors), blobs)


def pack(
    frame: Frame,
    curve: Curve,
    segment: str,
    index: IndexLayers,
    previous: Previous | None = None,
    *,
    lineage: Lineage | None = None,
    created: str | None = None,
) -> Packed:
    """One curve version of a frame. segment: the curve's repository segment, which also names its files.

    previous: the version it follows; its segment size is inherited and its layers are reused.
    lineage: how it came to be; a version that differs by nothing else is none.
    created: RFC 3339 time of the edit (never the clock's, or a push repeated would be another version); else the day
    the frame was acquired.
    """
    samples = Samples.of(curve.values)
    parts, avg = _cut(samples, previous)
    config = config_of(frame, curve, index.content, samples, parts, avg, lineage)
    if previous and _says_nothing_new(config, previous.config):
        return Packed(previous.manifest, previous.raw, previous.digest, previous.config, {}, changed=False)
    layers, blobs = _index_layers(frame.index, index, previous)
    held = _held_segments(previous)
    folder = slug(frame.name, "frame")
    for number, (_, part) in enumerate(parts, 1):
        notes = {schema.TITLE: f"{folder}/{segment.upper()}-{number:04}.parquet"}
        layer = held.get(part.content_id)
        if layer is None:
            data = encode_values(part)
            layer = _descriptor(media.PARQUET, data, notes)
            blobs[layer.digest] = data
            held[part.content_id] = layer
        layers.append(msgspec.structs.replace(layer, mediaType=media.PARQUET, artifactType="", annotations=notes))
    header = schema.encode(config)
    described = _descriptor(media.CURVE_CONFIG, header)
    blobs[described.digest] = header
    manifest = Manifest(
        schemaVersion=2,
        mediaType=media.OCI_MANIFEST,
        artifactType=media.CURVE,
        config=described,
        layers=layers,
        annotations=_annotations(frame, curve, config, previous, created),
    )
    raw = schema.encode(manifest)
    return Packed(manifest, raw, Digest.of(raw), config, blobs)


def _cut(samples: Samples, previous: Previous | None) -> tuple[list[tuple[Span, Samples]], int]:
    """The segments with their rows, and the average rows of one, inherited where there is a version before."""
    spans, avg = cut(samples, previous.config.chunking.avg if previous else None)
    return [(span, samples.slice(span.start, span.stop)) for span in spans], avg


def _says_nothing_new(config: Config, before: Config) -> bool:
    """Equal but for where it came from: the same curve of another file, or by another way, is the same version."""
    return msgspec.structs.replace(before, original=config.original, lineage=config.lineage) == config


def _index_layers(
    index: Index, packed: IndexLayers, previous: Previous | None
) -> tuple[list[Descriptor], dict[str, bytes]]:
    """The parent's index layers where they hold the same index under the same name, else the frame's own."""
    if previous and (previous.config.index.index_id, previous.config.index.kind) == (packed.content, index.kind):
        return index_layers(previous.manifest), {}
    return list(packed.descriptors), dict(packed.blobs)


def _held_segments(previous: Previous | None) -> dict[str, Descriptor]:
    if previous is None:
        return {}
    layers = value_layers(previous.manifest)
    return {header.content: layer for header, layer in zip(previous.config.segments, layers, strict=False)}


def _descriptor(media_type: str, data: bytes, notes: dict[str, str] | None = None) -> Descriptor:
    return Descriptor(mediaType=media_type, digest=Digest.of(data), size=len(data), annotations=notes or {})


def _annotations(
    frame: Frame, curve: Curve, config: Config, previous: Previous | None, created: str | None
) -> dict[str, str]:
    notes = {
        schema.CREATED: created or (f"{frame.acquired}T00:00:00Z" if frame.acquired else ""),
        schema.WELL: frame.well.name,
        schema.UWI: frame.well.uwi,
        schema.FRAME: frame.name,
        schema.MNEMONIC: curve.mnemonic,
        schema.UNIT: curve.unit,
        schema.FAMILY: config.family or "",
        **layout_notes(config, placed(config)),
        schema.VALUES_ID: config.values_id,
        schema.PARENT: previous.digest if previous else "",
    }
    return {key: note for key, note in notes.items() if note}

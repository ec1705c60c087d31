"""A curve becomes an OCI image manifest: config, shared index layer, value segments, and the name of its parent.

The same curve packed twice gives the same manifest bytes. What a parent version already holds is named by its
descriptor and not encoded again, found by content id and never by comparing Parquet bytes.
"""

from dataclasses import dataclass, field

import msgspec

from ..oci import media
from ..oci.digest import Digest
from . import schema
from .content import dtype_of, index_id, values_id
from .families import canonical_unit, family_of
from .model import Curve, Frame, Index, Values, tick_text
from .names import slug
from .parquet import encode_index, encode_values
from .schema import Config, Descriptor, Manifest
from .segments import ALGORITHM, Span, cut
from .stats import extremes, stats_of

INDEX_LAYER_ROWS = 1 << 20


@dataclass(frozen=True)
class Previous:
    """The version a new one follows, as it was read from the registry."""

    digest: str
    manifest: Manifest
    config: Config
    raw: bytes = field(repr=False)

    @classmethod
    def parse(cls, manifest: bytes, config: bytes) -> "Previous":
        """From the bytes of both, or CurveError."""
        return cls(
            Digest.of(manifest), schema.parse_manifest(manifest, media.CURVE), schema.parse_config(config), manifest
        )

    def layers(self, role: str) -> list[Descriptor]:
        """Its index or value layers, in row order."""
        return [layer for layer in self.manifest.layers if layer.annotations.get(schema.ROLE) == role]


@dataclass(frozen=True)
class IndexLayers:
    """The index of a frame, encoded once for all its curves."""

    content: str
    descriptors: tuple[Descriptor, ...]
    blobs: dict[str, bytes] = field(repr=False)


@dataclass(frozen=True)
class Packed:
    """A curve version ready to push. blobs holds what the parent does not have: digest -> bytes, config included.

    changed is False where the parent says the same of the same values: then there is nothing to push, and manifest and
    digest are the parent's.
    """

    manifest: Manifest
    raw: bytes = field(repr=False)
    digest: str
    config: Config
    blobs: dict[str, bytes] = field(repr=False)
    changed: bool = True


def pack_index(index: Index, frame: str) -> IndexLayers:
    """The index layers of a frame: one file, beyond 2**20 rows a file for each run of 2**20 rows."""
    folder, rows = slug(frame, "frame"), len(index)
    descriptors: list[Descriptor] = []
    blobs: dict[str, bytes] = {}
    for start in range(0, rows, INDEX_LAYER_ROWS):
        span = Span(start, min(start + INDEX_LAYER_ROWS, rows))
        part = "" if rows <= INDEX_LAYER_ROWS else f".{len(descriptors) + 1:04}"
        data = encode_index(index, span.start, span.stop)
        notes = {schema.TITLE: f"{folder}/{index.kind}{part}.parquet", schema.ROLE: "index"}
        if part:
            notes |= _span_notes(index, span)
        descriptors.append(_descriptor(media.PARQUET, data, notes))
        blobs[descriptors[-1].digest] = data
    return IndexLayers(index_id(index), tuple(descriptors), blobs)


def pack(frame: Frame, curve: Curve, segment: str, index: IndexLayers, previous: Previous | None = None) -> Packed:
    """One curve version of a frame. segment: the curve's repository segment, which also names its files.

    previous: the version it follows; its segment size is inherited and its layers are reused.
    """
    spans, avg = cut(curve.values, previous.config.chunking.avg if previous else None)
    contents = [values_id(curve.values.slice(span.start, len(span))) for span in spans]
    config = _config(frame, curve, index, spans, contents, avg)
    if previous and msgspec.structs.replace(previous.config, original=config.original) == config:
        return Packed(previous.manifest, previous.raw, previous.digest, previous.config, {}, changed=False)
    layers, blobs = _index_layers(frame.index, index, previous)
    known = _known_segments(previous)
    folder = slug(frame.name, "frame")
    for number, (span, content) in enumerate(zip(spans, contents, strict=True), 1):
        notes = {schema.TITLE: f"{folder}/{segment.upper()}-{number:04}.parquet", schema.ROLE: "values"}
        notes |= _span_notes(frame.index, span)
        if content in known:
            layers.append(msgspec.structs.replace(known[content], annotations=notes))
            continue
        data = encode_values(curve.mnemonic, curve.values.slice(span.start, len(span)))
        layers.append(_descriptor(media.PARQUET, data, notes))
        blobs[layers[-1].digest] = data
    header = schema.encode(config)
    described = _descriptor(media.CURVE_CONFIG, header)
    blobs[described.digest] = header
    manifest = Manifest(
        schemaVersion=2,
        mediaType=media.OCI_MANIFEST,
        artifactType=media.CURVE,
        config=described,
        layers=layers,
        annotations=_annotations(frame, curve, config, previous),
    )
    raw = schema.encode(manifest)
    return Packed(manifest, raw, Digest.of(raw), config, blobs)


def _index_layers(
    index: Index, packed: IndexLayers, previous: Previous | None
) -> tuple[list[Descriptor], dict[str, bytes]]:
    """The parent's index layers where they hold the same index under the same name, else the frame's own."""
    if previous and (previous.config.index.index_id, previous.config.index.kind) == (packed.content, index.kind):
        return previous.layers("index"), {}
    return list(packed.descriptors), dict(packed.blobs)


def _known_segments(previous: Previous | None) -> dict[str, Descriptor]:
    if previous is None:
        return {}
    layers = previous.layers("values")
    return {header.content: layer for header, layer in zip(previous.config.segments, layers, strict=False)}


def _span_notes(index: Index, span: Span) -> dict[str, str]:
    """Rows half-open, index inclusive; parted by `/`, since depths may be negative and times hold `-`."""
    return {
        schema.ROWS: f"{span.start}/{span.stop}",
        schema.SPAN: f"{index.text(span.start)}/{index.text(span.stop - 1)}",
    }


def _descriptor(media_type: str, data: bytes, notes: dict[str, str] | None = None) -> Descriptor:
    return Descriptor(mediaType=media_type, digest=Digest.of(data), size=len(data), annotations=notes or {})


def _annotations(frame: Frame, curve: Curve, config: Config, previous: Previous | None) -> dict[str, str]:
    notes = {
        schema.CREATED: f"{frame.acquired}T00:00:00Z" if frame.acquired else "",
        schema.WELL: frame.well.name,
        schema.UWI: frame.well.uwi,
        schema.FRAME: frame.name,
        schema.MNEMONIC: curve.mnemonic,
        schema.UNIT: curve.unit,
        schema.FAMILY: config.family or "",
        schema.VALUES_ID: config.values_id,
        schema.PARENT: previous.digest if previous else "",
    }
    return {key: note for key, note in notes.items() if note}


def _config(
    frame: Frame, curve: Curve, packed: IndexLayers, spans: list[Span], contents: list[Digest], avg: int
) -> Config:
    index, original = frame.index, frame.original
    regular = None
    if index.step is not None:
        step = tick_text(index.step, index.scale if index.scale is not None else 6)  # times: seconds
        regular = schema.Regular(start=index.text(0), step=step, count=len(index))
    return Config(
        schema=1,
        well=schema.WellHeader(
            name=frame.well.name, uwi=frame.well.uwi, aliases=[], country=frame.well.country, field=frame.well.field
        ),
        wellbore=None,
        frame=frame.name,
        run=frame.run,
        pass_=None,
        service_company=frame.service_company,
        acquired=frame.acquired,
        mnemonic=curve.mnemonic,
        description=curve.description,
        family=family_of(curve.mnemonic),
        unit=curve.unit,
        unit_canonical=canonical_unit(curve.unit),
        dtype=dtype_of(curve.values.type),
        width=1,
        null_original=curve.null_original,
        text_decimals=curve.text_decimals,
        index=schema.IndexHeader(
            kind=index.kind,
            mnemonic=index.mnemonic,
            unit=index.unit,
            unit_original=index.unit_original,
            scale=index.scale,
            regular=regular,
            recorded_direction=index.direction,
            datum=index.datum,
            index_id=packed.content,
        ),
        values_id=values_id(curve.values),
        chunking=schema.Chunking(algorithm=ALGORITHM, avg=avg),
        stats=stats_of(curve.values),
        segments=[
            _segment(index, curve.values.slice(span.start, len(span)), span, content)
            for span, content in zip(spans, contents, strict=True)
        ],
        lineage=None,
        original=schema.OriginalHeader(
            file=original.file,
            format=original.format,
            sha256=original.sha256,
            header={"~C": curve.definition},
            findings=list(original.findings),
        )
        if original
        else None,
    )


def _segment(index: Index, values: Values, span: Span, content: str) -> schema.SegmentHeader:
    low, high = extremes(values)
    return schema.SegmentHeader(
        content=content,
        rows=len(span),
        first_row=span.start,
        index=[index.text(span.start), index.text(span.stop - 1)],
        min=low,
        max=high,
        nulls=values.null_count,
    )

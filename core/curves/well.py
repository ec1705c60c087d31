"""The documents a well's own repository holds: the index over its curves, and the files they came from."""

from collections.abc import Iterable

from ..oci import media
from ..oci.digest import Digest
from . import schema
from .errors import CurveError
from .model import Frame
from .pack import Packed
from .schema import Config, Descriptor, Manifest

ORIGINAL = "original-"
EMPTY_CONFIG = b"{}"
"""The empty descriptor's content (image-spec, manifest.md#guidance-for-an-empty-descriptor)."""


def entry(packed: Packed, path: str) -> Descriptor:
    """A curve's line in the well index. path: `frame/curve`, its repository below the well's."""
    config = packed.config
    notes = {
        schema.REPOSITORY: path,
        schema.FRAME: config.frame,
        schema.MNEMONIC: config.mnemonic,
        schema.UNIT: config.unit,
        schema.FAMILY: config.family or "",
        schema.ROWS: f"0/{config.rows}",
        schema.SPAN: _span(config),
        schema.INDEX_KIND: config.index.kind,
        schema.INDEX_UNIT: config.index.unit,
    }
    return Descriptor(
        mediaType=media.OCI_MANIFEST,
        artifactType=media.CURVE,
        digest=packed.digest,
        size=len(packed.raw),
        annotations={key: note for key, note in notes.items() if note},
    )


def _span(config: Config) -> str:
    first, last = config.segments[0].index[0], config.segments[-1].index[1]
    return f"{first}/{last}"


def well_index(frame: Frame, entries: Iterable[Descriptor], current: Manifest | None) -> bytes:
    """The index of a well with entries put in place of those of the same curves; all others stay.

    Sorted by path, so that importers who bring the same curves in any order write the same bytes.
    """
    lines = (
        {line.annotations.get(schema.REPOSITORY, line.digest): line for line in current.manifests} if current else {}
    )
    lines |= {line.annotations[schema.REPOSITORY]: line for line in entries}
    notes = dict(current.annotations) if current else {}
    notes.setdefault(schema.WELL, frame.well.name)
    if frame.well.uwi:
        notes.setdefault(schema.UWI, frame.well.uwi)
    manifest = Manifest(
        schemaVersion=2,
        mediaType=media.OCI_INDEX,
        artifactType=media.WELL,
        manifests=[lines[path] for path in sorted(lines)],
        annotations=notes,
    )
    return schema.encode(manifest)


def original_tag(content: bytes) -> str:
    """The tag of a file as received: `original-` and 12 hex of the file's own SHA-256, as configs record it."""
    return f"{ORIGINAL}{Digest.of(content).hex[:12]}"


def original_manifest(frame: Frame, content: bytes) -> bytes:
    """The manifest that keeps a file as received; its blobs are the file and EMPTY_CONFIG."""
    if frame.original is None:
        raise CurveError("a frame without an original has no file to keep")
    config = Descriptor(mediaType=media.OCI_EMPTY, digest=Digest.of(EMPTY_CONFIG), size=len(EMPTY_CONFIG))
    layer = Descriptor(
        mediaType=media.OCTET_STREAM,
        digest=Digest.of(content),
        size=len(content),
        annotations={schema.TITLE: frame.original.file},
    )
    manifest = Manifest(
        schemaVersion=2,
        mediaType=media.OCI_MANIFEST,
        artifactType=media.ORIGINAL,
        config=config,
        layers=[layer],
        annotations={schema.WELL: frame.well.name},
    )
    return schema.encode(manifest)

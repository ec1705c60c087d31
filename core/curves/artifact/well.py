"""The documents a well's own repository holds: the index over its curves, and the files they came from."""

from collections.abc import Iterable

from ...oci import media
from ...oci.digest import Digest
from .. import schema
from ..origin import Well
from ..schema import Config, Descriptor, Document, Manifest
from .packed import Packed, Previous
from .placed import span

ORIGINAL = "original-"
READING, CURVES, WELLS = "io.dataforge.reading", "io.dataforge.curves", "io.dataforge.wells"
"""Of a file as received: how it was read, `frame/curve` of each curve made of it in this well, parted by spaces, and in
how many wells its curves are, where that is not one."""
EMPTY_CONFIG = b"{}"
"""The empty descriptor's content (image-spec, manifest.md#guidance-for-an-empty-descriptor)."""


class Index(Document, frozen=True, kw_only=True):
    """An image index as it is written: its list stands there also where it is empty (image-index.md, "manifests")."""

    schemaVersion: int
    mediaType: str
    artifactType: str
    manifests: list[Descriptor]
    annotations: dict[str, str]


def entry(version: Packed | Previous, path: str) -> Descriptor:
    """A curve's line in the well index. path: `frame/curve`, its repository below the well's."""
    return Descriptor(
        mediaType=media.OCI_MANIFEST,
        artifactType=media.CURVE,
        digest=version.digest,
        size=len(version.raw),
        annotations={schema.REPOSITORY: path} | described(version.config),
    )


def described(config: Config) -> dict[str, str]:
    """What a curve's line says of it. As long as a new version says the same, the line may name an older one."""
    notes = {
        schema.FRAME: config.frame,
        schema.MNEMONIC: config.mnemonic,
        schema.UNIT: config.unit,
        schema.FAMILY: config.family or "",
        schema.ROWS: f"0/{config.rows}",
        schema.SPAN: "/".join(span(config)),
        schema.INDEX_KIND: config.index.kind,
        schema.INDEX_UNIT: config.index.unit,
    }
    return {key: note for key, note in notes.items() if note}


def well_index(well: Well, entries: Iterable[Descriptor], current: Manifest | None) -> bytes:
    """The index of a well with entries put in place of those of the same curves; all others stay.

    Sorted by path, so that importers who bring the same curves in any order write the same bytes.
    """
    lines = (
        {line.annotations.get(schema.REPOSITORY, line.digest): line for line in current.manifests} if current else {}
    )
    lines |= {line.annotations[schema.REPOSITORY]: line for line in entries}
    notes = dict(current.annotations) if current else {}
    notes.setdefault(schema.WELL, well.name)
    if well.uwi:
        notes.setdefault(schema.UWI, well.uwi)
    manifest = Index(
        schemaVersion=2,
        mediaType=media.OCI_INDEX,
        artifactType=media.WELL,
        manifests=[lines[path] for path in sorted(lines)],
        annotations=notes,
    )
    return schema.encode(manifest)


def original_tag(digest: str) -> str:
    """The tag of a file as received: `original-` and 12 hex of the file's own SHA-256, as configs record it."""
    return f"{ORIGINAL}{digest.removeprefix('sha256:')[:12]}"


def original_manifest(
    well: Well, file: str, digest: str, size: int, curves: Iterable[str] = (), reading: str = "", wells: int = 1
) -> bytes:
    """The manifest that keeps a file as received; its blobs are the file and EMPTY_CONFIG. curves: `frame/curve` of all
    that were made of it in this well, of `wells`; reading: how it was read."""
    made = " ".join(sorted(curves))
    notes = {schema.WELL: well.name, READING: reading, CURVES: made, WELLS: str(wells) if wells > 1 else ""}
    config = Descriptor(mediaType=media.OCI_EMPTY, digest=Digest.of(EMPTY_CONFIG), size=len(EMPTY_CONFIG))
    layer = Descriptor(
        mediaType=media.OCTET_STREAM, digest=Digest.parse(digest), size=size, annotations={schema.TITLE: file}
    )
    manifest = Manifest(
        schemaVersion=2,
        mediaType=media.OCI_MANIFEST,
        artifactType=media.ORIGINAL,
        config=config,
        layers=[layer],
        annotations={key: note for key, note in notes.items() if note or key == schema.WELL},
    )
    return schema.encode(manifest)

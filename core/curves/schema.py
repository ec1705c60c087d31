"""The JSON documents of a curve as typed structs: config, manifest and well index, in the order they are written.

Encoding is deterministic: fields in declared order, no spaces, so equal curves have equal bytes (curves.md section 3).
"""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ..oci import media
from ..oci.digest import Digest
from .errors import ContentMismatch, CurveError

LAYERS, AXIS = "io.dataforge.layers", "io.dataforge.axis"
ROWS, SPAN = "io.dataforge.rows", "io.dataforge.index"
TITLE, CREATED = "org.opencontainers.image.title", "org.opencontainers.image.created"
WELL, UWI, FRAME = "io.dataforge.well", "io.dataforge.uwi", "io.dataforge.frame"
MNEMONIC, UNIT, FAMILY = "io.dataforge.mnemonic", "io.dataforge.unit", "io.dataforge.family"
INDEX_KIND, INDEX_UNIT = "io.dataforge.index-kind", "io.dataforge.index-unit"
VALUES_ID, PARENT, REPOSITORY = "io.dataforge.values-id", "io.dataforge.parent", "io.dataforge.repository"


class Struct(msgspec.Struct, frozen=True, kw_only=True):
    """A JSON object; unknown fields of later versions are let through on reading."""


class Document(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A document whose fields are left out where they say nothing or what is usual."""


MAX_NAME = 512
KIND = "(MD|TVD|TIME|INDEX)"
Text = Annotated[str, Meta(max_length=MAX_NAME)]
Name = Annotated[str, Meta(min_length=1, max_length=MAX_NAME)]
Sha256 = Annotated[str, Meta(pattern="^sha256:[0-9a-f]{64}$")]
Count = Annotated[int, Meta(ge=0, le=1 << 53)]
Rows = Annotated[int, Meta(ge=1, le=1 << 53)]


class WellHeader(Document, frozen=True, kw_only=True):
    """latitude and longitude in degrees, as the file has them (datum unknown)."""

    name: Name
    uwi: Text = ""
    aliases: list[Text] = []
    operator: Text = ""
    api: Text = ""
    country: Text = ""
    field: Text = ""
    latitude: float | None = None
    longitude: float | None = None


class Regular(Document, frozen=True, kw_only=True):
    """Where every row lies exactly `step` behind the one before; times in seconds."""

    start: str
    step: str
    count: Rows


class IndexHeader(Document, frozen=True, kw_only=True):
    """scale: decimals of a depth; null: times, microseconds since 1970-01-01 UTC."""

    kind: Annotated[str, Meta(pattern=f"^{KIND}$")]
    mnemonic: Text
    unit: Text
    unit_original: Text = ""
    scale: Annotated[int, Meta(ge=0, le=18)] | None
    regular: Regular | None = None
    recorded_direction: Annotated[str, Meta(pattern="^(up|down)$")] = "down"
    datum: Text | None = None
    index_id: Sha256


class Chunking(Document, frozen=True, kw_only=True):
    """How the segments were cut; `none`: by no rule that a later version could follow."""

    algorithm: Annotated[str, Meta(pattern="^(sum8-splitmix64|none)$")]
    avg: Annotated[int, Meta(ge=2, le=1 << 40)]


class Stats(Document, frozen=True, kw_only=True):
    """Of the finite samples; of all elements of an array curve. All null for texts and where no sample is finite.

    count: rows times width; nulls: absent ones among them.
    """

    count: Count
    nulls: Count
    min: float | None = None
    max: float | None = None
    mean: float | None = None
    std: float | None = None
    p01: float | None = None
    p05: float | None = None
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    hist: Annotated[list[Count], Meta(max_length=32)] = []  # samples in 32 equal bins from min to max


class SegmentHeader(Document, frozen=True, kw_only=True):
    """One value layer. index: first and last index value of its rows, where the index is not regular."""

    content: Sha256
    rows: Rows
    index: Annotated[list[str], Meta(min_length=2, max_length=2)] | None = None
    nulls: Count = 0


class OriginalHeader(Document, frozen=True, kw_only=True):
    """The file a curve came from, and the curve's own lines of its header."""

    file: Text
    format: Text
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
    header: dict[str, str] = {}
    findings: list[str] = []


class LineageInput(Document, frozen=True, kw_only=True):
    """What a version was made from: `project/well/frame/curve@sha256:...`, and as what (parent, input, reference)."""

    ref: Text
    role: Text = "input"


class Lineage(Document, frozen=True, kw_only=True):
    """How a version came to be: operation (despike), message in the author's words, tool with its version."""

    operation: Text
    message: str = ""
    tool: Text = ""
    parameters: dict[str, Any] = {}
    inputs: list[LineageInput] = []


class Config(Document, frozen=True, kw_only=True, rename={"pass_": "pass"}):
    """`application/vnd.dataforge.curve.config.v1+json`. Units are always explicit; `schema` is 1."""

    schema: Annotated[int, Meta(ge=1, le=1)]
    well: WellHeader
    wellbore: Text | None = None
    frame: Name
    run: Text | None = None
    pass_: Text | None = None
    service_company: Text | None = None
    acquired: Annotated[str, Meta(pattern=r"^\d{4}-\d{2}-\d{2}$")] | None = None
    mnemonic: Name
    description: str = ""
    family: Text | None = None
    unit: Text
    unit_canonical: Text = ""
    dtype: Annotated[str, Meta(pattern="^(float32|float64|int8|int16|int32|int64|uint8|uint16|uint32|utf8)$")]
    width: Annotated[int, Meta(ge=1, le=1 << 20)] = 1
    null_original: Text | None = None
    text_decimals: Annotated[int, Meta(ge=0, le=99)] | None = None
    index: IndexHeader
    values_id: Sha256
    chunking: Chunking
    stats: Stats
    segments: Annotated[list[SegmentHeader], Meta(min_length=1)]
    lineage: Lineage | None = None
    original: OriginalHeader | None = None

    @property
    def rows(self) -> int:
        """Of the whole curve."""
        return sum(segment.rows for segment in self.segments)


class Descriptor(Document, frozen=True, kw_only=True):
    mediaType: str = ""
    artifactType: str = ""
    digest: str
    size: int
    annotations: dict[str, str] = {}

    def check(self, data: bytes) -> bytes:
        """The data itself if it is what the descriptor names, else ContentMismatch."""
        return checked(self.digest, data)


class Manifest(Document, frozen=True, kw_only=True):
    """An OCI image manifest or image index; the parts that curves and wells use."""

    schemaVersion: int
    mediaType: str = ""
    artifactType: str = ""
    config: Descriptor | None = None
    layers: list[Descriptor] = []
    manifests: list[Descriptor] = []
    annotations: dict[str, str] = {}


def checked(digest: str, data: bytes) -> bytes:
    """The data itself if its digest is the one asked for, else ContentMismatch."""
    expected = Digest.parse(digest)
    if Digest.of(data, expected.algorithm) != expected:
        raise ContentMismatch(f"the bytes received for {digest} have another digest; ask again or check the registry")
    return data


def encode(document: Struct) -> bytes:
    """The bytes that are pushed."""
    return msgspec.json.encode(document, enc_hook=str)  # a Digest is a str of its own class


def parse_manifest(data: bytes, artifact_type: str = "") -> Manifest:
    """A manifest, or CurveError if it is none or not of the artifact type asked for."""
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except msgspec.DecodeError:
        manifest = _without_nulls(data)
    if artifact_type and manifest.artifactType != artifact_type:
        found = manifest.artifactType or manifest.mediaType or "nothing"
        raise CurveError(f"expected {artifact_type}, found {found}: {_HINTS.get(artifact_type, 'check the reference')}")
    return manifest


def _without_nulls(data: bytes) -> Manifest:
    """A manifest in which some writer put null where it had nothing to say, as encoders of other languages do."""
    try:
        found = msgspec.json.decode(data)
        for part in (found, found.get("config"), *(found.get("layers") or ()), *(found.get("manifests") or ())):
            for name in [name for name, value in (part or {}).items() if value is None]:
                del part[name]
        return msgspec.convert(found, Manifest)
    except (msgspec.MsgspecError, AttributeError, TypeError) as error:
        raise CurveError(f"this is no OCI manifest: {error}") from error


_HINTS = {
    media.CURVE: "name one curve, PROJECT/WELL/FRAME/CURVE",
    media.WELL: "name a well, PROJECT/WELL",
}


def parse_config(data: bytes) -> Config:
    """A curve's config, or CurveError."""
    try:
        return msgspec.json.decode(data, type=Config)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CurveError(f"this is no curve config of schema 1: {error}") from error


class _Schema(msgspec.Struct):
    schema: int


def schema_of(data: bytes) -> int:
    """The number of the schema that a config follows, or CurveError; one that is not 1 is of another release."""
    try:
        return msgspec.json.decode(data, type=_Schema).schema
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CurveError(f"this is no curve config: {error}") from error

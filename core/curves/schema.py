"""The JSON documents of a curve as typed structs: config, manifest and well index, in the order they are written.

Encoding is deterministic: fields in declared order, no spaces, so equal curves have equal bytes (curves.md section 3).
"""

from typing import Any

import msgspec

from ..oci import media
from ..oci.digest import Digest
from .errors import ContentMismatch, CurveError

ROLE, ROWS, SPAN = "io.dataforge.role", "io.dataforge.rows", "io.dataforge.index"
TITLE, CREATED = "org.opencontainers.image.title", "org.opencontainers.image.created"
WELL, UWI, FRAME = "io.dataforge.well", "io.dataforge.uwi", "io.dataforge.frame"
MNEMONIC, UNIT, FAMILY = "io.dataforge.mnemonic", "io.dataforge.unit", "io.dataforge.family"
INDEX_KIND, INDEX_UNIT = "io.dataforge.index-kind", "io.dataforge.index-unit"
VALUES_ID, PARENT, REPOSITORY = "io.dataforge.values-id", "io.dataforge.parent", "io.dataforge.repository"


class Struct(msgspec.Struct, frozen=True, kw_only=True):
    """A JSON object; unknown fields of later versions are let through on reading."""


class Document(Struct, frozen=True, omit_defaults=True):
    """An OCI document: empty optional fields are left out."""


class WellHeader(Struct, frozen=True):
    """latitude and longitude in degrees, as the file has them (datum unknown)."""

    name: str
    uwi: str = ""
    aliases: list[str] = []
    operator: str = ""
    api: str = ""
    country: str = ""
    field: str = ""
    latitude: float | None = None
    longitude: float | None = None


class Regular(Struct, frozen=True):
    start: str
    step: str
    count: int


class IndexHeader(Struct, frozen=True):
    kind: str
    mnemonic: str
    unit: str
    unit_original: str
    scale: int | None
    regular: Regular | None
    recorded_direction: str
    datum: str | None
    index_id: str


class Chunking(Struct, frozen=True):
    algorithm: str
    avg: int


class Stats(Struct, frozen=True):
    """Of the finite samples; of all elements of an array curve. All null for texts and where no sample is finite.

    count: rows times width; nulls: absent ones among them.
    """

    count: int
    nulls: int
    min: float | None = None
    max: float | None = None
    mean: float | None = None
    std: float | None = None
    p01: float | None = None
    p05: float | None = None
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    hist: list[int] = []  # samples in 32 equal bins from min to max


class SegmentHeader(Struct, frozen=True):
    content: str
    rows: int
    first_row: int
    index: list[str]
    min: float | None
    max: float | None
    nulls: int


class OriginalHeader(Struct, frozen=True):
    file: str
    format: str
    sha256: str
    header: dict[str, str]
    findings: list[str]


class LineageInput(Struct, frozen=True):
    """What a version was made from: `project/well/frame/curve@sha256:...`, and as what (parent, input, reference)."""

    ref: str
    role: str = "input"


class Lineage(Struct, frozen=True):
    """How a version came to be: operation (despike), message in the author's words, tool with its version."""

    operation: str
    message: str = ""
    tool: str = ""
    parameters: dict[str, Any] = {}
    inputs: list[LineageInput] = []


class Config(Struct, frozen=True, rename={"pass_": "pass"}):
    """`application/vnd.dataforge.curve.config.v1+json`. Units are always explicit; `schema` is 1."""

    schema: int
    well: WellHeader
    wellbore: str | None
    frame: str
    run: str | None
    pass_: str | None
    service_company: str | None
    acquired: str | None
    mnemonic: str
    description: str
    family: str | None
    unit: str
    unit_canonical: str
    dtype: str
    width: int
    null_original: str | None
    text_decimals: int | None
    index: IndexHeader
    values_id: str
    chunking: Chunking
    stats: Stats
    segments: list[SegmentHeader]
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
    except msgspec.DecodeError as error:
        raise CurveError(f"this is no OCI manifest: {error}") from error
    if artifact_type and manifest.artifactType != artifact_type:
        found = manifest.artifactType or manifest.mediaType or "nothing"
        raise CurveError(f"expected {artifact_type}, found {found}: {_HINTS.get(artifact_type, 'check the reference')}")
    return manifest


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

"""Which endpoint a path of /v2/ means: a pure function over the raw path.

Names may hold the words `blobs`, `manifests`, `tags`, `referrers` and `uploads`, so the last such segment decides. An
encoded slash never parts segments. Ids are the distribution specification's.
"""

from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from ...core.oci.errors import NameInvalid, NameUnknown
from ...core.oci.names import check_repository


@dataclass(frozen=True, slots=True)
class Route:
    """One of base, catalog, discover, manifest, blob, uploads, upload, tags, referrers; then what the path names."""

    endpoint: str
    name: str = ""
    reference: str = ""


_SHORT = 512
BASE, CATALOG, DISCOVER = Route("base"), Route("catalog"), Route("discover")


def parse(raw_path: bytes) -> Route:
    """The route of a raw path below /v2. NameInvalid, NameUnknown (no such endpoint)."""
    return _remembered(raw_path) if len(raw_path) <= _SHORT else _parse(raw_path)


def _parse(raw_path: bytes) -> Route:
    path = raw_path.partition(b"?")[0]
    if path in (b"/v2", b"/v2/"):
        return BASE
    segments = [_decode(segment) for segment in path.split(b"/")[2:]]
    match segments:
        case ["_catalog"]:
            return CATALOG
        case [*_, "_oci", "ext", "discover"]:
            return DISCOVER
        case [*name, "manifests", reference]:
            return Route("manifest", _name(name), reference)
        case [*name, "blobs", "uploads"] | [*name, "blobs", "uploads", ""]:
            return Route("uploads", _name(name))
        case [*name, "blobs", "uploads", upload]:
            return Route("upload", _name(name), upload)
        case [*name, "blobs", digest]:
            return Route("blob", _name(name), digest)
        case [*name, "tags", "list"]:
            return Route("tags", _name(name))
        case [*name, "referrers", digest]:
            return Route("referrers", _name(name), digest)
        case _:
            _name([segment for segment in segments if segment not in ("_catalog", "_oci")] or [""])
            raise NameUnknown("there is no such endpoint below /v2/")


_remembered = lru_cache(4096)(_parse)


def _decode(segment: bytes) -> str:
    """A path segment as text; what may not stand in one becomes NUL, which no grammar takes."""
    if b"%" not in segment:
        return segment.decode("latin-1")
    return unquote_to_bytes(segment).decode("utf-8", "replace").replace("/", "\0")


def _name(segments: list[str]) -> str:
    if not segments:
        raise NameInvalid("the path holds no repository name")
    return check_repository("/".join(segments))

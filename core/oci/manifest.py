"""Manifests: strict reading of what clients push (OCI image-spec, manifest.md and image-index.md; Docker schema 2).

The bytes are kept as they came; this only decides whether they are one unambiguous manifest and what it refers to.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

from . import media
from .digest import Digest
from .errors import DigestInvalid, ManifestInvalid, ManifestUnsupported, SizeInvalid

MAX_DEPTH = 64
MAX_SIZE = 2**63 - 1
_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
"""A JSON string, also one that is never closed: what matches at every quote is looked for in linear time."""
_NOT_BRACKETS = re.compile(r"[^\[\]{}]+")
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_FOREIGN = re.compile(r"application/vnd\.(oci\.image\.layer\.nondistributable|docker\.image\.rootfs\.foreign)\..*")


@dataclass(frozen=True, slots=True)
class Descriptor:
    """What points at bytes. `foreign`: they need not be here (urls, or a non-distributable layer)."""

    media_type: str
    digest: Digest
    size: int
    artifact_type: str | None = None
    foreign: bool = False


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest as pushed, and what it refers to. `layers` and `config` of an image, `manifests` of an index."""

    raw: bytes
    media_type: str
    digest: Digest
    config: Descriptor | None
    layers: tuple[Descriptor, ...]
    manifests: tuple[Descriptor, ...]
    subject: Descriptor | None
    artifact_type: str | None
    annotations: dict[str, str]

    @property
    def blobs(self) -> tuple[Descriptor, ...]:
        """Config and layers."""
        return ((self.config,) if self.config else ()) + self.layers

    @property
    def is_index(self) -> bool:
        """Whether this is a manifest of manifests."""
        return self.media_type in media.INDEXES

    @property
    def type_word(self) -> str:
        """Harbor's one-word type."""
        return media.type_word(self.artifact_type, self.config.media_type if self.config else None, self.is_index)

    @property
    def referrer_type(self) -> str | None:
        """The artifactType a referrers list shows: its own, else an image's config type (spec, "Listing Referrers")."""
        return self.artifact_type or (self.config.media_type if self.config else None)


def parse(raw: bytes, content_type: str | None, digest: Digest) -> Manifest:
    """The manifest in raw, pushed with a Content-Type (None: its mediaType field decides) under a verified digest.

    ManifestInvalid, ManifestUnsupported, DigestInvalid or SizeInvalid where it is not one unambiguous manifest.
    """
    body = _object(_strict_json(raw), "the manifest")
    media_type = _media_type(body, content_type)
    if body.get("schemaVersion") != 2 or not isinstance(body["schemaVersion"], int):
        raise ManifestInvalid("schemaVersion must be 2")
    is_index = media_type in media.INDEXES
    for name in ("config", "layers", "fsLayers") if is_index else ("manifests", "fsLayers"):
        if name in body:
            raise ManifestInvalid(f"a manifest of type {media_type} has no {name}; it would read as two things at once")
    if not is_index and "config" not in body:
        raise ManifestInvalid("an image manifest needs a config; use the empty descriptor where there is none")
    if is_index and "manifests" not in body:
        raise ManifestInvalid("an index needs manifests, if only an empty list")
    manifest = Manifest(
        raw=raw,
        media_type=media_type,
        digest=digest,
        config=None if is_index else _descriptor(body["config"], "config"),
        layers=_descriptors(body, "layers"),
        manifests=_descriptors(body, "manifests"),
        subject=_subject(body),
        artifact_type=_text(body, "artifactType", "the manifest") or None,
        annotations=_annotations(body, "the manifest"),
    )
    sizes: dict[Digest, int] = {}
    for entry in (*manifest.blobs, *manifest.manifests):
        if sizes.setdefault(entry.digest, entry.size) != entry.size:
            raise SizeInvalid(f"the manifest gives {entry.digest} two different sizes")
    return manifest


def _strict_json(raw: bytes) -> Any:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ManifestInvalid(f"the manifest is not UTF-8: byte {error.start} cannot be read") from None
    if text.count("{") + text.count("[") > MAX_DEPTH:  # most have fewer, and cannot be nested deeper
        depth = 0
        for bracket in _NOT_BRACKETS.sub("", _STRING.sub("", text)):
            depth += 1 if bracket in "[{" else -1
            if depth > MAX_DEPTH:
                raise ManifestInvalid(f"the manifest is nested more than {MAX_DEPTH} deep")
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise ManifestInvalid(f"the manifest is not JSON: {str(error)[:200]}") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ManifestInvalid("a key stands twice in one object; parsers would read two different manifests")
    return found


def _no_constant(name: str) -> Any:
    raise ManifestInvalid(f"{name} is not JSON")


def _media_type(body: dict[str, Any], content_type: str | None) -> str:
    inside = _text(body, "mediaType", "the manifest")
    outside = content_type.partition(";")[0].strip() if content_type else None
    given = outside or inside
    if not given:
        raise ManifestInvalid("send a Content-Type, or a mediaType in the manifest")
    if given in media.DOCKER_SCHEMA1:
        raise ManifestUnsupported("Docker schema 1 manifests are not served; push schema 2 or OCI")
    if given not in media.MANIFESTS:
        raise ManifestInvalid(f"not a manifest type; this registry takes {', '.join(sorted(media.MANIFESTS))}")
    if inside and inside != given:
        raise ManifestInvalid("Content-Type and the manifest's mediaType differ")
    return given


def _object(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ManifestInvalid(f"{where} must be a JSON object")
    return value


def _text(body: dict[str, Any], name: str, where: str) -> str:
    value = body.get(name)
    if value is None and name not in body:
        return ""
    if not isinstance(value, str):
        raise ManifestInvalid(f"{name} of {where} must be a string")
    if len(value) > 255 or _UNSTORABLE.search(value):
        raise ManifestInvalid(f"{name} of {where} is no media type")
    return value


def _annotations(body: dict[str, Any], where: str) -> dict[str, str]:
    found = body.get("annotations")
    if found is None:
        return {}
    for key, value in _object(found, f"annotations of {where}").items():
        if not isinstance(value, str):
            raise ManifestInvalid(f"annotation values of {where} must be strings")
        if _UNSTORABLE.search(key) or _UNSTORABLE.search(value):
            raise ManifestInvalid(f"an annotation of {where} holds a NUL or half a surrogate pair")
    return dict(found)


def _descriptors(body: dict[str, Any], name: str) -> tuple[Descriptor, ...]:
    found = body.get(name)
    if found is None:
        return ()
    if not isinstance(found, list):
        raise ManifestInvalid(f"{name} must be a list")
    return tuple(_descriptor(entry, f"{name}[{n}]") for n, entry in enumerate(found))


def _descriptor(value: Any, where: str) -> Descriptor:
    entry = _object(value, where)
    size = entry.get("size")
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= MAX_SIZE:
        raise ManifestInvalid(f"size of {where} must be a whole number of bytes from 0 to {MAX_SIZE}")
    digest = entry.get("digest")
    if not isinstance(digest, str):
        raise ManifestInvalid(f"digest of {where} must be a string")
    media_type = _text(entry, "mediaType", where)
    if not media_type:
        raise ManifestInvalid(f"{where} needs a mediaType")
    _annotations(entry, where)
    return Descriptor(
        media_type=media_type,
        digest=Digest.parse(digest),
        size=size,
        artifact_type=_text(entry, "artifactType", where) or None,
        foreign=bool(entry.get("urls")) or _FOREIGN.fullmatch(media_type) is not None,
    )


def _subject(body: dict[str, Any]) -> Descriptor | None:
    if body.get("subject") is None:
        return None
    try:
        return _descriptor(body["subject"], "subject")
    except DigestInvalid as error:
        raise ManifestInvalid(f"subject: {error.message}") from None

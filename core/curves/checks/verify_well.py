"""Judging what a well's own repository holds, its index and the files as received (docs/format.md, 8 and 9)."""

import re
from collections.abc import Iterator

from ...oci import media
from .. import schema
from ..artifact.well import EMPTY_CONFIG
from ..errors import CurveError
from ..schema import Manifest
from .verify import check_title

_PATH = re.compile(r"[a-z0-9]+([._-]+[a-z0-9]+)*/[a-z0-9]+([._-]+[a-z0-9]+)*")


def check_well(index: bytes) -> list[str]:
    """What is wrong with a well's index, told from its bytes alone."""
    try:
        return list(_lines(schema.parse_manifest(index, media.WELL)))
    except CurveError as error:
        return [str(error)]


def check_original(manifest: bytes) -> list[str]:
    """What is wrong with the manifest of a file as received, told from its bytes alone."""
    try:
        return list(_file(schema.parse_manifest(manifest, media.ORIGINAL)))
    except CurveError as error:
        return [str(error)]


def _lines(index: Manifest) -> Iterator[str]:
    if index.mediaType not in ("", media.OCI_INDEX):
        yield f"mediaType is {index.mediaType}, not {media.OCI_INDEX}"
    if not index.annotations.get(schema.WELL):
        yield f"the index has no annotation {schema.WELL}"
    seen: set[str] = set()
    for line in index.manifests:
        path = line.annotations.get(schema.REPOSITORY, "")
        if not _PATH.fullmatch(path):
            yield f"{line.digest} has {schema.REPOSITORY} {path!r}, not FRAME/CURVE"
        elif path in seen:
            yield f"{path} stands there twice"
        seen.add(path)
        if line.mediaType != media.OCI_MANIFEST or line.artifactType not in ("", media.CURVE):
            yield f"{path or line.digest} is {line.artifactType or line.mediaType}, not a curve's manifest"
        if not line.annotations.get(schema.MNEMONIC):
            yield f"{path or line.digest} has no annotation {schema.MNEMONIC}"


def _file(manifest: Manifest) -> Iterator[str]:
    if len(manifest.layers) != 1:
        yield f"a file as received is one layer, not {len(manifest.layers)}"
    for layer in manifest.layers:
        if wrong := check_title(layer.annotations.get(schema.TITLE, "")):
            yield wrong
    config = manifest.config
    if config is None or config.mediaType != media.OCI_EMPTY or config.size != len(EMPTY_CONFIG):
        yield f"its config is not the empty one, {media.OCI_EMPTY}"
    if not manifest.annotations.get(schema.WELL):
        yield f"the manifest has no annotation {schema.WELL}"

"""What an image's config says of it, as Harbor shows it: for one artifact, where the config is small."""

from typing import Any, Final

import msgspec

from ...core.local import LocalRepository
from ...core.oci.digest import Digest
from ...core.oci.errors import BlobUnknown
from ...core.oci.manifest import parse

IMAGE: Final = "IMAGE"
MOST: Final = 256 << 10
"""Bytes of a config that is read."""
_FIELDS: Final = {"architecture": str, "author": str, "config": dict, "created": str, "os": str}


async def said_of_image(local: LocalRepository, digest: str) -> dict[str, Any]:
    """architecture, os, created, author and config (OCI image-spec, config.md), as far as they are there. Nobody has
    pulled the image by this."""
    stored, raw, _ = await local.open_manifest(digest)
    config = parse(raw, stored.media_type, Digest(digest)).config
    if config is None or config.size > MOST:
        return {}
    try:
        said = msgspec.json.decode(await local.read_blob(config.digest))
    except (BlobUnknown, msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return {}  # clients may push whatever they like for a config
    if not isinstance(said, dict):
        return {}
    return {name: said[name] for name, kind in _FIELDS.items() if isinstance(said.get(name), kind)}

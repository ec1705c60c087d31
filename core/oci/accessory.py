"""What a pushed manifest is attached to, and as what (Harbor's accessories)."""

import re

from . import media
from .digest import LENGTHS
from .manifest import Manifest

_COSIGN_TAG = re.compile(r"(sha256|sha512)-([0-9a-f]+)\.(sig|att|sbom)")
_KINDS = {"sig": "signature.cosign", "att": "attestation.cosign", "sbom": "sbom"}


def accessory_of(manifest: Manifest, tags: list[str]) -> tuple[str, str] | None:
    """(type, subject digest): by its subject, else by a tag of the form cosign wrote before referrers existed."""
    if manifest.subject is not None:
        layers = tuple(layer.media_type for layer in manifest.layers)
        return media.accessory_type(manifest.referrer_type, layers), manifest.subject.digest
    for tag in tags:
        named = _COSIGN_TAG.fullmatch(tag)
        if named and len(named[2]) == LENGTHS[named[1]]:
            return _KINDS[named[3]], f"{named[1]}:{named[2]}"
    return None

"""What a push tells the catalogue: the row of a curve's manifest, read from its config before the transaction.

Contradictions are told here; what other pushes decide at the same time (which curve a repository holds) is decided in
the transaction.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from .curves import catalogue, schema
from .curves.checks import verify
from .curves.errors import CurveError
from .oci import media
from .oci.digest import Digest
from .oci.errors import BlobUnknown, ManifestInvalid, RegistryError
from .oci.manifest import Manifest
from .reading import BlobReading
from .records.lookup import FoundBlob

MOST_CONFIG: Final = 1 << 20
"""Bytes of a curve's config: one of 50 million samples has a tenth of it."""

Find = Callable[[Digest], Awaitable[FoundBlob | None]]
"""The blob as the repository of the push has it, if it has it."""


async def describe(reading: BlobReading, find: Find, repository: str, sparse: bool, manifest: Manifest) -> Any:
    """The catalogue's row of a manifest. None: not a curve in a curve's home, of a schema that is not known yet, or its
    config is not here (then a sparse project's push goes on without, any other is refused by the transaction).

    ManifestInvalid where manifest and config contradict each other, CurveConflict where the names are not those of the
    repository.
    """
    home = catalogue.home_of(repository)
    if home is None or manifest.artifact_type != media.CURVE:
        return None
    if manifest.config is None:
        raise ManifestInvalid("a curve is an image manifest with a config, not an index")
    if manifest.config.size > MOST_CONFIG:
        raise ManifestInvalid(f"a curve's config has at most {MOST_CONFIG} bytes, this one {manifest.config.size}")
    digest = manifest.config.digest
    # What is in memory under this digest is the config, whoever pushed it; the transaction asks whether this repository
    # has it, but for a sparse project's, which may name what it does not have.
    content = None if sparse else reading.known(digest)
    trusted = content is None
    if content is None:
        content = await _read(reading, await find(digest), manifest.config.size)
    if content is None:
        return None
    try:
        return row_from(manifest.raw, content, home)
    except (RegistryError, CurveError) as error:
        if not trusted and await find(digest) is None:  # nothing is told of a config that is another's
            return None
        raise ManifestInvalid(f"this is no curve: {error}") if isinstance(error, CurveError) else error from None


async def _read(reading: BlobReading, found: FoundBlob | None, size: int) -> bytes | None:
    if found is None or found.size != size:
        return None
    try:
        return await reading.whole(found)
    except BlobUnknown:
        return None


def row_from(raw: bytes, content: bytes, home: tuple[str, str, str]) -> dict[str, Any] | None:
    """The row of a manifest and its config, None where that follows a schema of another release. CurveError,
    CurveConflict."""
    if schema.schema_of(content) != catalogue.KNOWN_SCHEMA:
        return None
    config, claimed = schema.parse_config(content), schema.parse_manifest(raw, media.CURVE)
    if found := verify.contradictions(claimed, config):
        raise CurveError(found[0])
    catalogue.check_names(config, home)
    row = catalogue.row_of(claimed, config, home)
    catalogue.check_storable(row, content)
    return row

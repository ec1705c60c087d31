"""A new version's line in the index of its well, by compare and swap."""

from ...core.curves.artifact.well import entry, well_index
from ...core.curves.names import LATEST, Reference
from ...core.curves.origin import Well
from ...core.curves.schema import parse_manifest
from ...core.oci import media
from ...core.oci.errors import ManifestUnknown, NameUnknown, PreconditionFailed, RegistryError
from .history import open_version
from .remote import RemoteRegistry

_RACES = 50


async def list_curve(registry: RemoteRegistry, reference: Reference, well: Well) -> None:
    """Puts a curve, of which a version was just pushed, into its well's index, as its newest version is.

    Whose version says what the one before says writes no line, so a line has to be of the newest, whoever pushed that.
    """
    home, path = registry.repository(reference.well), "/".join(reference.segments[2:])
    for _ in range(_RACES):
        current, expected, raw = None, None, b""
        try:
            stored, raw = await home.get_manifest(LATEST)
            current, expected = parse_manifest(raw, media.WELL), stored.digest
        except (ManifestUnknown, NameUnknown):
            pass
        newest = await open_version(registry, Reference(reference.segments))
        line = entry(newest.version, path)
        updated = well_index(well, [line], current)
        if updated == raw:
            return
        try:
            await home.push_manifest(updated, media.OCI_INDEX, [LATEST], expected=expected, fresh=expected is None)
            return
        except PreconditionFailed:
            continue
    raise RegistryError(f"{home.name} changes faster than it can be written; the version itself is in {reference}")

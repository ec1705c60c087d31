"""A new version's line in the index of its well, by compare and swap."""

from ...core.curves.model import Frame
from ...core.curves.names import LATEST, Reference
from ...core.curves.packed import Packed
from ...core.curves.schema import parse_manifest
from ...core.curves.well import entry, well_index
from ...core.oci import media
from ...core.oci.errors import ManifestUnknown, NameUnknown, PreconditionFailed, RegistryError
from .remote import RemoteRegistry

_RACES = 50


async def list_curve(registry: RemoteRegistry, reference: Reference, frame: Frame, packed: Packed) -> None:
    """Puts a curve's version, just pushed, into its well's index; nothing where a newer one has its place there.

    Who pushes a version lists it afterwards: so the line of the last one pushed is the last one written.
    """
    home, repository = registry.repository(reference.well), registry.repository(reference.repository)
    line = entry(packed, "/".join(reference.segments[2:]))
    for _ in range(_RACES):
        current, expected, raw = None, None, b""
        try:
            stored, raw = await home.get_manifest(LATEST)
            current, expected = parse_manifest(raw, media.WELL), stored.digest
        except (ManifestUnknown, NameUnknown):
            pass
        if (await repository.stat_manifest(LATEST)).digest != packed.digest:
            return
        updated = well_index(frame.well, [line], current)
        if updated == raw:
            return
        try:
            await home.push_manifest(updated, media.OCI_INDEX, [LATEST], expected=expected, fresh=expected is None)
            return
        except PreconditionFailed:
            continue
    raise RegistryError(f"{home.name} changes faster than it can be written; the version itself is in {reference}")

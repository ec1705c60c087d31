"""A packed curve version goes to its repository: blobs side by side, then the manifest under `latest` and a number.

The number is asked of the registry (`?version=next`), which gives it in the transaction that moves `latest`. A registry
that does not know the question, as any but ours, has it found and pushed by the client.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from ..curves.artifact.packed import Packed, Previous
from ..curves.errors import CurveError
from ..curves.names import LATEST
from ..curves.schema import parse_manifest
from ..oci import media
from ..oci.bundle import along
from ..oci.errors import ManifestUnknown, NameUnknown, PreconditionFailed, RegistryError
from ..oci.repository import Pushable

Target = TypeVar("Target", bound=Pushable)
Send = Callable[[Target, bytes], Awaitable[object]]

_RACES = 10


async def push_version(
    repository: Target,
    packed: Packed,
    previous: Previous | None,
    send: Send[Target],
    tags: Sequence[str] = (),
    goes_along: Callable[[bytes], None] = lambda data: None,
) -> int:
    """The number N of `vN` that the version got. previous: what `latest` names now, None for the first version.

    tags: others to move with it, wherever they stand. goes_along(data) is told of each blob that goes with the manifest
    instead of by `send`. PreconditionFailed: `latest` moved meanwhile, nothing is changed.
    """
    blobs = along(packed.blobs.values()) if repository.bundles else []
    for data in blobs:
        goes_along(data)
    await asyncio.gather(*(send(repository, data) for data in packed.blobs.values() if data not in blobs))
    try:
        moved = await repository.push_next(
            packed.raw, media.OCI_MANIFEST, LATEST, previous.digest if previous else None, blobs, tags
        )
    except PreconditionFailed:
        # Ours already where the answer of a first attempt was lost on its way; a second one is given the same number.
        if (await repository.stat_manifest(LATEST)).digest != packed.digest:
            raise
        moved = await repository.push_next(packed.raw, media.OCI_MANIFEST, LATEST, expected=packed.digest, along=tags)
    for tag in set(tags).difference(moved):  # by a registry that does not know the question
        await repository.push_manifest(packed.raw, media.OCI_MANIFEST, [tag])
    numbers = [number for tag in moved if (number := number_of(tag))]
    return max(numbers, default=0) or await _number(repository, packed)


async def version_named(repository: Pushable, tag: str = LATEST) -> Previous | None:
    """What a tag of a curve's repository names, or None where there is none; CurveError where it is no curve."""
    try:
        _, raw = await repository.get_manifest(tag)
    except (ManifestUnknown, NameUnknown):
        return None
    manifest = parse_manifest(raw)
    if manifest.artifactType != media.CURVE or manifest.config is None:
        found = manifest.artifactType or "something else"
        raise CurveError(f"{repository.name} holds {found}, not a curve; move it away")
    return Previous.parse(raw, await repository.read_blob(manifest.config.digest))


def number_of(tag: str) -> int:
    """N of a version tag `vN`, 0 of any other."""
    return int(tag[1:]) if tag[:1] == "v" and tag[1:].isascii() and tag[1:].isdigit() else 0


async def _number(repository: Pushable, packed: Packed) -> int:
    """The next free version tag. Taken by these very bytes (a push cut short, or a twin), it is ours already."""
    last = max(map(number_of, await repository.tags()), default=0)
    if last and (await repository.stat_manifest(f"v{last}")).digest == packed.digest:
        return last
    for number in range(last + 1, last + 1 + _RACES):
        try:
            await repository.push_manifest(packed.raw, media.OCI_MANIFEST, [f"v{number}"], fresh=True)
            return number
        except PreconditionFailed:
            if (await repository.stat_manifest(f"v{number}")).digest == packed.digest:
                return number
    raise RegistryError(f"{repository.name} gains versions faster than one can be added; push again")

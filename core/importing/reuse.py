"""Values that the registry holds elsewhere are not sent: a copy under another name, a curve of another file or project,
or the same values written by another pyarrow.

Found by content id, of which only such pairs are told as the registry has judged by their bytes; taken by a mount. What
cannot be mounted is sent as if nobody had asked.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from ..curves.artifact.layout import value_layers
from ..curves.artifact.packed import Packed
from ..curves.schema import Descriptor
from ..oci.digest import Digest
from ..oci.repository import Held, Pushable
from .follow import with_layers

WORTH: Final = 64 << 10
"""Bytes of segments from which it is cheaper to ask than to send them."""
SMALLEST: Final = 8 << 10
"""Bytes of a segment that is better mounted, by a request of its own, than sent along with others."""
MOST: Final = 1000
"""Content ids of one question."""


async def reuse(versions: Sequence[tuple[Pushable, Packed]]) -> list[Packed]:
    """Versions on their way to repositories of one registry, with what it has of their values: one question for all,
    and a mount for each segment."""
    sizes = {content: layer.size for _, packed in versions for content, layer in _sent(packed)}
    held: Mapping[str, Held] = {}
    if sum(sizes.values()) >= WORTH:
        held = await versions[0][0].held(sorted(sizes, key=sizes.__getitem__, reverse=True)[:MOST])
    if not held:
        return [packed for _, packed in versions]
    return list(await asyncio.gather(*(_mounted(repository, packed, held) for repository, packed in versions)))


def _sent(packed: Packed) -> list[tuple[str, Descriptor]]:
    """Content id and layer of each segment that is worth it."""
    contents = (segment.content for segment in packed.config.segments)
    pairs = zip(contents, value_layers(packed.manifest), strict=True)
    return [(content, layer) for content, layer in pairs if layer.digest in packed.blobs and layer.size >= SMALLEST]


async def _mounted(repository: Pushable, packed: Packed, held: Mapping[str, Held]) -> Packed:
    found = {layer.digest: held[content] for content, layer in _sent(packed) if content in held}
    done = await asyncio.gather(*(repository.mount_blob(each.digest, each.repository) for each in found.values()))
    here = {digest: each for (digest, each), mounted in zip(found.items(), done, strict=True) if mounted}
    if not here:
        return packed
    layers = [
        msgspec.structs.replace(layer, digest=Digest(each.digest), size=each.size)
        if (each := here.get(layer.digest))
        else layer
        for layer in packed.manifest.layers
    ]
    return with_layers(packed, layers, packed.manifest.annotations, here)

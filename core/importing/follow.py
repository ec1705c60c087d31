"""A curve that was packed as a first version becomes what follows the version its repository holds.

Only descriptors change places: what the version before holds, by content id, is named as it is there, and not sent.
"""

from collections.abc import Collection

import msgspec

from ..curves import schema
from ..curves.artifact.layout import index_layers, value_layers
from ..curves.artifact.packed import Packed, Previous
from ..curves.schema import Config, Descriptor
from ..oci import media
from ..oci.digest import Digest


def follow(packed: Packed, previous: Previous) -> Packed | None:
    """The version after `previous`: unchanged where that says the same of the same values.

    None where the values were cut into segments of another size than those before: then they must be packed again.
    """
    before, config = previous.config, packed.config
    if says_the_same(before, config):
        return unchanged(previous)
    if before.chunking != config.chunking:
        return None
    held = value_layers(previous.manifest)
    known = {header.content: layer for header, layer in zip(before.segments, held, strict=False)}
    same_index = (before.index.index_id, before.index.kind) == (config.index.index_id, config.index.kind)
    layers = index_layers(previous.manifest if same_index else packed.manifest)
    for segment, layer in zip(config.segments, value_layers(packed.manifest), strict=True):
        if same := known.get(segment.content):
            layer = msgspec.structs.replace(
                same, mediaType=media.PARQUET, artifactType="", annotations=layer.annotations
            )
        layers.append(layer)
    notes = {**packed.manifest.annotations, schema.PARENT: previous.digest}
    return with_layers(packed, layers, notes, {layer.digest for layer in previous.manifest.layers})


def unchanged(previous: Previous) -> Packed:
    """A version as it stands: nothing to push."""
    return Packed(previous.manifest, previous.raw, previous.digest, previous.config, {}, changed=False)


def retitled(packed: Packed, segment: str) -> Packed:
    """The same in a repository of another segment: the names of its files follow."""
    layers = index_layers(packed.manifest)
    for layer in value_layers(packed.manifest):
        folder, _, file = layer.annotations[schema.TITLE].rpartition("/")
        title = f"{folder}/{segment.upper()}-{file.rpartition('-')[2]}"
        layers.append(msgspec.structs.replace(layer, annotations=layer.annotations | {schema.TITLE: title}))
    return with_layers(packed, layers, packed.manifest.annotations)


def says_the_same(before: Config, config: Config) -> bool:
    """Equal but for where it came from and how its values are cut."""
    return config == msgspec.structs.replace(
        before,
        original=config.original,
        lineage=config.lineage,
        chunking=config.chunking,
        segments=config.segments,
    )


def with_layers(packed: Packed, layers: list[Descriptor], notes: dict[str, str], here: Collection[str] = ()) -> Packed:
    """The same version with other descriptors. here: digests that the repository has, which are not sent."""
    manifest = msgspec.structs.replace(packed.manifest, layers=layers, annotations=notes)
    raw = schema.encode(manifest)
    assert manifest.config is not None
    sent = {layer.digest for layer in layers}.difference(here) | {manifest.config.digest}
    blobs = {digest: data for digest, data in packed.blobs.items() if digest in sent}
    return Packed(manifest, raw, Digest.of(raw), packed.config, blobs)

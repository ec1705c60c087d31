"""Frames become a parcel: each curve as the first version of its repository, or as what follows a version."""

from collections.abc import Sequence

from ..curves import schema
from ..curves.artifact.pack import pack, pack_index
from ..curves.artifact.packed import Packed
from ..curves.model import Frame
from ..curves.names import curve_slugs, slug
from .parcel import IMPORTED, CurveParcel, FrameParcel, Parcel, Wanted


def parcel_of(
    frames: Sequence[Frame], size: int, *, folder: bool = False, lineage: schema.Lineage = IMPORTED
) -> tuple[Parcel, list[bytes]]:
    """The frames of a file of so many bytes, packed. lineage: how its versions came to be."""
    blobs: list[bytes] = []
    places: dict[str, int] = {}

    def place(digest: str, data: bytes) -> int:
        if digest not in places:
            places[digest] = len(blobs)
            blobs.append(data)
        return places[digest]

    packed = []
    for frame in frames:
        curves = []
        for mnemonic, segment, curve in _packed(frame, lineage):
            assert curve.manifest.config is not None
            parts = [curve.manifest.config.digest, *(layer.digest for layer in curve.manifest.layers)]
            held = [place(digest, curve.blobs[digest]) for digest in parts]
            curves.append(CurveParcel(mnemonic, segment, place(curve.digest, curve.raw), held))
        segment = slug(frame.name, "frame")
        packed.append(FrameParcel(frame.well, frame.name, segment, len(frame.index), curves, frame.original))
    return Parcel(size, folder, packed), blobs


def _packed(frame: Frame, lineage: schema.Lineage) -> list[tuple[str, str, Packed]]:
    index = pack_index(frame.index, frame.name)
    slugs = curve_slugs(curve.mnemonic for curve in frame.curves)
    return [
        (curve.mnemonic, slugs[curve.mnemonic], pack(frame, curve, slugs[curve.mnemonic], index, lineage=lineage))
        for curve in frame.curves
    ]


def repacked(frames: Sequence[Frame], wanted: Sequence[Wanted], lineage: schema.Lineage = IMPORTED) -> list[Packed]:
    """Some curves again, each at its segment as what follows a version."""
    indexes = {number: pack_index(frames[number].index, frames[number].name) for (number, _), _, _ in wanted}
    return [
        pack(frames[frame], frames[frame].curves[curve], segment, indexes[frame], previous, lineage=lineage)
        for (frame, curve), segment, previous in wanted
    ]

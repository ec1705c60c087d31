"""What differs between two wells, two versions of one, or two frames: told from their indexes alone.

diff = diff_wells(parse_manifest(old, media.WELL), parse_manifest(new, media.WELL))

Which samples of a changed curve differ is told by diff.py, from its two digests.
"""

from .. import schema
from ..errors import CurveError
from ..schema import Descriptor, Manifest, Struct
from .differences import HeaderChange

_HEADER = {schema.WELL: "well.name", schema.UWI: "well.uwi"}


class CurveLine(Struct, frozen=True):
    """A curve by its place below the well (`run-two/gr`) or frame (`gr`), and the digests of its manifests, null where
    there is none. mnemonic and unit are those of the new one, if there is one."""

    path: str
    mnemonic: str
    unit: str
    old: str | None
    new: str | None


class WellDiff(Struct, frozen=True):
    """Curves by path. changed: both have it, under another digest, so header or samples differ."""

    equal: bool
    header: list[HeaderChange]
    added: list[CurveLine]
    removed: list[CurveLine]
    changed: list[CurveLine]
    unchanged: list[CurveLine]


def diff_wells(old: Manifest, new: Manifest, old_frame: str = "", new_frame: str = "") -> WellDiff:
    """Compare two well indexes; with a frame's slug on both sides, these frames only, whatever the wells are."""
    before, after = curves_of(old, old_frame), curves_of(new, new_frame)
    lines = [_line(path, before.get(path), after.get(path)) for path in sorted(before | after)]
    header = [
        HeaderChange(field=field, old=old.annotations.get(note), new=new.annotations.get(note))
        for note, field in _HEADER.items()
        if old.annotations.get(note) != new.annotations.get(note)
    ]
    unchanged = [line for line in lines if line.old == line.new]
    return WellDiff(
        equal=len(unchanged) == len(lines) and not header,
        header=header,
        added=[line for line in lines if line.old is None],
        removed=[line for line in lines if line.new is None],
        changed=[line for line in lines if line.old and line.new and line.old != line.new],
        unchanged=unchanged,
    )


def curves_of(index: Manifest, frame: str = "") -> dict[str, Descriptor]:
    """The curves of a well index by path below the well, or of one frame by their last segment. CurveError for a frame
    that it does not have."""
    curves = {line.annotations.get(schema.REPOSITORY, line.digest): line for line in index.manifests}
    if not frame:
        return curves
    found = {path[len(frame) + 1 :]: line for path, line in curves.items() if path.startswith(f"{frame}/")}
    if not found:
        frames = ", ".join(sorted({path.partition("/")[0] for path in curves})) or "none"
        raise CurveError(f"the well has no frame {frame}; it has {frames}")
    return found


def _line(path: str, old: Descriptor | None, new: Descriptor | None) -> CurveLine:
    notes = (new or old or Descriptor(digest="", size=0)).annotations
    return CurveLine(
        path=path,
        mnemonic=notes.get(schema.MNEMONIC, ""),
        unit=notes.get(schema.UNIT, ""),
        old=str(old.digest) if old else None,
        new=str(new.digest) if new else None,
    )

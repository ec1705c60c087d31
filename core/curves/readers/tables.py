"""Tables of named columns, CSV or Parquet: which column is the index, what unit a name gives, whose well it is."""

import re
from collections.abc import Sequence
from pathlib import Path

from ..errors import CurveError
from ..families import canonical_index_unit, index_kind
from ..model import Curve, Frame, Index, Ticks
from ..origin import Original, Well

_INDEX_NAMES = ("DEPT", "DEPTH", "MD", "TVD", "TIME")
_UNIT = re.compile(
    r"(?P<name>.*\S)\s*\[(?P<unit>[^\[\]]*[^\[\]\d\s][^\[\]]*)\]|(?P<name2>.*\S)\s+\((?P<unit2>[^()]+)\)"
)


def named_unit(header: str) -> tuple[str, str]:
    """Mnemonic and unit of a column's name: `GR [gAPI]`, `DEPT (m)`; the number in `GR[1]` is no unit."""
    bare = " ".join(header.split())
    if match := _UNIT.fullmatch(bare):
        return match["name"] or match["name2"], (match["unit"] or match["unit2"]).strip()
    return bare, ""


def index_column(names: Sequence[str], wanted: str | None, file: str, default: int | None = None) -> int:
    """The place of the index column: the one asked for, else the one that is named as only an index is, else default.

    CurveError that lists the columns where there is no such column, or more than one.
    """
    if len(names) < 2:
        raise CurveError(
            f"{file} has {len(names)} column{'' if len(names) == 1 else 's'}: an index and a curve are needed"
        )
    listed = ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
    if wanted is not None:
        for same in (names, [name.casefold() for name in names]):
            key = wanted if same is names else wanted.casefold()
            if same.count(key) == 1:
                return same.index(key)
        raise CurveError(f"{file} has no column {wanted!r}; it has {listed}")
    known = [at for at, name in enumerate(names) if name.upper() in _INDEX_NAMES]
    if known and (known[0] == 0 or len(known) == 1):
        return known[0]
    if default is not None:
        return default
    doubt = "several columns could be the index" if known else "no column is named as an index is"
    raise CurveError(f"{file}: {doubt} ({', '.join(_INDEX_NAMES)}); give --index COLUMN, one of {listed}")


def table_frame(
    path: Path,
    original: Original,
    index: tuple[str, str, Ticks, int | None, str],
    curves: Sequence[Curve],
    frame: str | None,
    well: str | None,
) -> Frame:
    """The frame of a table. index: name, unit as printed, ascending ticks, scale, direction as recorded."""
    if not well:
        raise CurveError(f"{path.name} does not say which well it is of; give --well NAME")
    if not curves:
        raise CurveError(f"{path.name} has no column beside its index")
    name, printed, ticks, scale, direction = index
    unit = canonical_index_unit(printed)
    kind = "TIME" if scale is None else index_kind(name, unit)
    return Frame(
        well=Well(well),
        name=frame or "log",
        index=Index(kind, name, unit, printed, ticks, scale, direction),
        curves=tuple(curves),
        original=original,
    )

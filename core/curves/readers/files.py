"""Any log file we know, as frames: the one place that says which reader a file gets.

A reader is loaded when a file needs it: who only asks for names loads none.
"""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import CurveError
from .limits import LIMITS, Limits

if TYPE_CHECKING:
    from ..model import Frame

SUFFIXES = {".las": "LAS", ".dlis": "DLIS", ".dlf": "DLIS", ".lis": "LIS", ".lti": "LIS"}
SUFFIXES |= {".csv": "CSV", ".parquet": "Parquet", ".pq": "Parquet"}


def is_log_file(path: Path) -> bool:
    """Whether the name ends as one of a log file does; the content is judged by read_frames."""
    return path.suffix.casefold() in SUFFIXES


def read_frames(
    path: Path,
    *,
    frame: str | None = None,
    index: str | None = None,
    well: str | None = None,
    decimal_comma: bool = False,
    limits: Limits = LIMITS,
) -> "list[Frame]":
    """The frames of a log file, in the order they stand in it, each with the file's record in `original`.

    frame: a name for its frame, instead of the file's own. index: the index column of a table (CSV, Parquet). well: the
    well's name where the file says none. decimal_comma: `12,5` is a number in CSV.

    CurveError in one line for what cannot be read right, or is beyond the limits; OSError where the file cannot be
    opened.
    """
    kind = SUFFIXES.get(path.suffix.casefold())
    if kind is None:
        known = ", ".join(sorted(SUFFIXES))
        raise CurveError(f"{path.name} is no log file by its name; known endings are {known}")
    limits.check_size(path, path.stat().st_size)
    if kind in {"DLIS", "LIS"}:
        return _read_by_path(kind, path, frame, well, limits)
    content = path.read_bytes()
    if kind == "LAS":
        from .las.reader import las_frames

        return las_frames(content, path.name, frame, well, limits)
    sha256 = hashlib.sha256(content).hexdigest()
    if kind == "CSV":
        from .csv_files import read_csv

        return read_csv(
            path, content, sha256, frame=frame, index=index, well=well, decimal_comma=decimal_comma, limits=limits
        )
    from .parquet_files import read_parquet

    return read_parquet(path, content, sha256, frame=frame, index=index, well=well, limits=limits)


def _read_by_path(kind: str, path: Path, frame: str | None, well: str | None, limits: Limits) -> "list[Frame]":
    """What dlisio reads: it opens the file itself."""
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    if kind == "DLIS":
        from .dlis import read_dlis

        return read_dlis(path, sha256, frame, well, limits)
    from .lis import read_lis

    return read_lis(path, sha256, frame, well, limits)

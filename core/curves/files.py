"""Any log file we know, as frames: the one place that says which reader a file gets."""

import hashlib
from pathlib import Path

from .errors import CurveError
from .las import las_frames
from .limits import LIMITS, Limits
from .model import Frame

SUFFIXES = {".las": "LAS", ".dlis": "DLIS", ".dlf": "DLIS", ".lis": "LIS", ".lti": "LIS"}


def is_log_file(path: Path) -> bool:
    """Whether the name ends as one of a log file does; the content is judged by read_frames."""
    return path.suffix.casefold() in SUFFIXES


def read_frames(
    path: Path,
    *,
    frame: str | None = None,
    index: str | None = None,
    well: str | None = None,
    limits: Limits = LIMITS,
) -> list[Frame]:
    """The frames of a log file, in the order they stand in it, each with the file's record in `original`.

    frame: a name for its frame, instead of the file's own. index: the index column of a table (CSV, Parquet). well: the
    well's name where the file says none. CurveError in one line for what cannot be read right, or is beyond the limits;
    OSError where the file cannot be opened.
    """
    kind = SUFFIXES.get(path.suffix.casefold())
    if kind is None:
        known = ", ".join(sorted(SUFFIXES))
        raise CurveError(f"{path.name} is no log file by its name; known endings are {known}")
    limits.check_size(path, path.stat().st_size)
    if kind == "LAS":
        return las_frames(path.read_bytes(), path.name, frame, well, limits)
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    if kind == "DLIS":
        from .dlis import read_dlis

        return read_dlis(path, sha256, frame, well, limits)
    from .lis import read_lis

    return read_lis(path, sha256, frame, well, limits)

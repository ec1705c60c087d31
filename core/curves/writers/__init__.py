"""Curves out: one table (Aligned) in the formats that others read, as bytes that come while they are made."""

from collections.abc import Iterable, Iterator
from enum import StrEnum

from ..errors import CurveError
from ..windows.aligned import Aligned
from .extent import Extent

__all__ = ["MEDIA_TYPES", "Extent", "Format", "format_of", "write"]


class Format(StrEnum):
    """What `--format` and `format=` take; also the file's suffix, but `json` for jwlf."""

    las = "las"
    csv = "csv"
    parquet = "parquet"
    arrow = "arrow"
    json = "json"
    jwlf = "jwlf"
    dlis = "dlis"

    @property
    def suffix(self) -> str:
        """`.las`; a JSON Well Log Format file ends in `.json`."""
        return ".json" if self is Format.jwlf else f".{self.value}"

    @property
    def chunk_rows(self) -> int:
        """Rows of a chunk that suit it: a Parquet row group is long, texts are made in pieces."""
        return 1 << 20 if self in (Format.parquet, Format.arrow) else 1 << 13


MEDIA_TYPES = {
    Format.las: "text/plain; charset=utf-8",
    Format.csv: "text/csv; charset=utf-8",
    Format.parquet: "application/vnd.apache.parquet",
    Format.arrow: "application/vnd.apache.arrow.stream",
    Format.json: "application/json",
    Format.jwlf: "application/json",
    Format.dlis: "application/octet-stream",
}


def format_of(name: str) -> Format:
    """A format by its name, or CurveError."""
    try:
        return Format(name.casefold())
    except ValueError as error:
        raise CurveError(f"there is no format {name!r}: it is one of {', '.join(Format)}") from error


def write(
    kind: Format, chunks: Iterable[Aligned], *, header: bytes | None = None, extent: Extent | None = None
) -> Iterator[bytes]:
    """The bytes of a file, piece by piece. chunks: of one table, ascending, at least one, all with the same columns.

    header: the LAS file that all curves came from, for the lossless way back (las.py). extent: of all chunks together;
    LAS and JSON Well Log Format say it before the data, so without one they hold all chunks; DLIS holds them anyway.
    CurveError where the format cannot say what is to be written.
    """
    from . import csv_text, json_text, tables

    match kind:
        case Format.csv:
            yield from csv_text.write_csv(chunks)
        case Format.json:
            yield from json_text.write_json(chunks)
        case Format.parquet:
            yield from tables.write_parquet(chunks)
        case Format.arrow:
            yield from tables.write_arrow(chunks)
        case Format.jwlf:
            from .well_log_json import write_well_log_json

            if extent is None:
                chunks = list(chunks)
                extent = Extent.of(chunks)
            yield from write_well_log_json(chunks, extent)
        case Format.las:
            from .las import write_las

            yield from write_las(list(chunks) if extent is None else chunks, extent, header)
        case Format.dlis:
            from .dlis import write_dlis

            yield from write_dlis(list(chunks))

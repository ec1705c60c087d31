"""Range requests (RFC 9110 section 14), read before any byte is."""

import re
from dataclasses import dataclass

from ..core.oci.errors import RangeNotSatisfiable

MOST = 16
_SPEC = re.compile(r"(\d*)-(\d*)")
_LONGEST = 512


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes [start, stop) of size."""

    start: int
    stop: int
    size: int

    @property
    def content_range(self) -> str:
        """The value of Content-Range."""
        return f"bytes {self.start}-{self.stop - 1}/{self.size}"


def parse_range(header: str | None, size: int) -> list[Span]:
    """The spans a Range header asks of content of size bytes; [] for all of it.

    Other units, malformed ranges and more than 16 are not ranges: [] (the whole). RangeNotSatisfiable where no byte of
    any range is inside, and for `500-0`, which the conformance suite wants so.
    """
    if header is None or len(header) > _LONGEST:
        return []
    unit, equals, specs = header.partition("=")
    if unit.strip().lower() != "bytes" or not equals:
        return []
    parts = [part.strip() for part in specs.split(",") if part.strip()]
    if not parts or len(parts) > MOST:
        return []
    spans = []
    for part in parts:
        match = _SPEC.fullmatch(part)
        if not match or part == "-":
            return []
        span = _span(match[1], match[2], size)
        if span is not None:
            spans.append(span)
    if not spans:
        raise RangeNotSatisfiable(
            f"no byte of the range is inside: the content has {size} bytes",
            headers={"content-range": f"bytes */{size}"},
        )
    if len(spans) > 1 and sum(span.stop - span.start for span in spans) > size:
        return []  # overlapping ranges: cheaper, and safer, as the whole
    return spans


def _span(first: str, last: str, size: int) -> Span | None:
    if not first:
        wanted = min(int(last), size)
        return Span(size - wanted, size, size) if wanted else None
    start = int(first)
    stop = min(int(last) + 1, size) if last else size
    return Span(start, stop, size) if start < stop else None

"""How a curve's rows lie in the layers of its manifest, and on which index, told from two annotations alone.

Layers come in row order, those of the index first, one for each 2**20 rows; then the values. `io.dataforge.layers` says
the first row of each value layer, then the number of all rows: `0 3475 5644`. `io.dataforge.axis` says kind, decimals
and, of a regular index, first value and step: `MD 4 1000.0 +0.1524`; of another the first value of each value layer,
then the last of all: `MD 4 1000.0 1187.5 1240.25`.
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from ...oci import media
from .. import schema
from ..errors import CurveError
from ..schema import Config, Descriptor, Manifest
from ..ticks import TIME_SCALE, whole_tick
from .placed import Placed

INDEX_LAYER_ROWS = 1 << 20
_MOST_TICK = 10**18
_MOST_ROWS = 1 << 53
_KIND = re.compile(schema.KIND)


@dataclass(frozen=True)
class Part:
    """A layer and its rows [start, stop)."""

    layer: Descriptor
    start: int
    stop: int


@dataclass(frozen=True)
class Layout:
    """scale: decimals of the index, None of times. marks: ticks of each value layer's first row, then of the last row.
    step: of a regular index, in ticks."""

    kind: str
    scale: int | None
    index: tuple[Part, ...]
    values: tuple[Part, ...]
    marks: tuple[int, ...]
    step: int | None

    @classmethod
    def of(cls, manifest: Manifest) -> "Layout":
        """Of a curve's manifest; CurveError where it is none, or its annotations do not fit its layers."""
        starts, (kind, scale, marks, step) = _starts(manifest), _index(manifest.annotations.get(schema.AXIS, ""))
        rows, layers = starts[-1], manifest.layers
        grid = [*range(0, rows, INDEX_LAYER_ROWS), rows]
        if len(layers) != len(grid) + len(starts) - 2:
            raise CurveError(
                f"the manifest has {len(layers)} layers; {schema.LAYERS} tells of {len(grid) - 1} of the index"
                f" and {len(starts) - 1} of values"
            )
        if step is not None:
            marks = [marks[0] + step * row for row in (*starts[:-1], rows - 1)]
        if len(marks) != len(starts) or any(after < before for before, after in pairwise(marks)):
            raise CurveError(f"{schema.AXIS} gives {len(marks)} values, ascending ones are due for {len(starts)} rows")
        if max(-marks[0], marks[-1]) >= _MOST_TICK:
            raise CurveError(f"{schema.AXIS} reaches beyond 18 digits")
        index = tuple(Part(layer, *span) for layer, span in zip(layers, pairwise(grid), strict=False))
        values = tuple(Part(layer, *span) for layer, span in zip(layers[len(index) :], pairwise(starts), strict=True))
        return cls(kind, scale, index, values, tuple(marks), step)

    @property
    def rows(self) -> int:
        """Of the whole curve."""
        return self.values[-1].stop

    def touching(self, start: Decimal | None, stop: Decimal | None) -> tuple[Part, ...]:
        """The value layers that may have rows from start to stop, in ticks, both included, None open; one at least."""
        found = []
        for at, part in enumerate(self.values):
            low, high = self.marks[at], self.marks[at + 1]
            if self.step is not None and at + 1 < len(self.values):
                high -= self.step
            if (stop is None or low <= stop) and (start is None or high >= start):
                found.append(part)
        return tuple(found) or self.values[:1]


def layout_notes(config: Config, segments: tuple[Placed, ...]) -> dict[str, str]:
    """The two annotations, as the config has it."""
    index = config.index
    said = [index.kind, "-" if index.scale is None else str(index.scale), segments[0].index[0]]
    if index.regular is not None:
        said.append(f"+{index.regular.step}")
    else:
        said += [*(segment.index[0] for segment in segments[1:]), segments[-1].index[1]]
    rows = [*(segment.first_row for segment in segments), config.rows]
    return {schema.LAYERS: " ".join(map(str, rows)), schema.AXIS: " ".join(said)}


def index_layers(manifest: Manifest) -> list[Descriptor]:
    """Those of a curve's manifest that hold its index."""
    return manifest.layers[: len(Layout.of(manifest).index)]


def value_layers(manifest: Manifest) -> list[Descriptor]:
    """Those of a curve's manifest that hold its values, in row order."""
    return manifest.layers[len(Layout.of(manifest).index) :]


def _starts(manifest: Manifest) -> list[int]:
    said = manifest.annotations.get(schema.LAYERS)
    if manifest.artifactType != media.CURVE or said is None:
        raise CurveError("this manifest is no curve: name one curve, PROJECT/WELL/FRAME/CURVE")
    words = said.split(" ")
    starts = [int(word) for word in words if word.isascii() and word.isdigit() and len(word) <= len(str(_MOST_ROWS))]
    ascending = all(before < after for before, after in pairwise(starts))
    if len(starts) != len(words) or len(starts) < 2 or starts[0] != 0 or not ascending or starts[-1] > _MOST_ROWS:
        raise CurveError(f"{schema.LAYERS} is {said[:80]!r}: first rows from 0, ascending, then their number, are due")
    return starts


def _index(said: str) -> tuple[str, int | None, list[int], int | None]:
    kind, scale_text, *texts = [*said.split(" "), "", ""][: max(2, len(said.split(" ")))]
    if not _KIND.fullmatch(kind) or not re.fullmatch("-|[0-9]|1[0-8]", scale_text) or len(texts) < 2:
        raise CurveError(f"{schema.AXIS} is {said[:80]!r}: such as MD 4 1000.0 +0.1524 is due")
    scale = None if scale_text == "-" else int(scale_text)
    if not texts[1].startswith("+"):
        return kind, scale, [whole_tick(text, scale) for text in texts], None
    step = whole_tick(texts[1][1:], TIME_SCALE if scale is None else scale)
    if step <= 0 or len(texts) != 2:
        raise CurveError(f"{schema.AXIS} is {said[:80]!r}: a regular index has a first value and a step above 0")
    return kind, scale, [whole_tick(texts[0], scale)], step

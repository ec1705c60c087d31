"""How the rows of a LAS file are laid out, and the numbers its header says of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from ..model import tick_text
from ..windows.aligned import Aligned
from .extent import Extent
from .texts import Printed

LINE = 256  # LAS 2.0, section 5: characters of a line that is not wrapped
WRAPPED_LINE = 80


@dataclass(frozen=True)
class Layout:
    """How rows are printed between head and tail. order: places of the printed columns, -1 for the index; decimals: of
    the index; widths: of the printed columns, then of the index."""

    head: str
    order: tuple[int, ...]
    null: str
    decimals: int | None
    widths: tuple[int, ...]
    delimiter: str | None = None  # None: spaces
    wrapped: bool = False
    newline: str = "\n"
    tail: str = field(default="", repr=False)


def separators(layout: Layout) -> list[str]:
    """What stands before each column of a row."""
    between = layout.delimiter or " "
    found: list[str] = []
    length = 0
    for number, at in enumerate(layout.order):
        width = layout.widths[at] + 1
        fresh = layout.wrapped and number > 0 and (number == 1 or length + width > WRAPPED_LINE)
        found.append(
            "" if number == 0 else layout.newline + (" " if layout.delimiter is None else "") if fresh else between
        )
        length = width if fresh else length + width
    return found


def moved_items(first: Aligned, extent: Extent, up: bool, decimals: int | None) -> dict[str, str]:
    """STRT, STOP and STEP of an export, in the order of its rows."""
    ends = [index_text(tick, first.scale, decimals) for tick in (extent.first, extent.last)]
    if up:
        ends.reverse()
    step = (extent.step or 0) * (-1 if up else 1)
    said = index_text(step, 6 if first.scale is None else first.scale, decimals) if step else "0"
    return {"STRT": ends[0], "STOP": ends[1], "STEP": said}


def index_text(tick: int, scale: int | None, decimals: int | None) -> str:
    text = tick_text(tick, scale)
    if scale is None or decimals is None:
        return text
    whole, _, behind = text.partition(".")
    behind = behind.rstrip("0").ljust(decimals, "0")
    return f"{whole}.{behind}" if behind else whole


def decimals_of(first: Aligned, extent: Extent) -> int | None:
    """The decimals that say every index value: of start and step where it is regular, else all of its scale."""
    if first.scale is None:
        return None
    if extent.step is None and extent.rows > 1:
        return first.scale
    texts = [tick_text(tick, first.scale) for tick in (extent.first, extent.step or 0)]
    return max(len(text.partition(".")[2].rstrip("0")) for text in texts)


def widths_of(
    columns: Sequence[Printed], null: str, first: Aligned, extent: Extent, decimals: int | None
) -> tuple[int, ...]:
    """Of each column, told from the statistics of the whole curve, so that all chunks stand alike; then the index's."""
    found: list[int] = []
    for column in columns:
        stats, places = column.column.config.stats, column.column.decimals
        texts = [null]
        if not column.word:
            shown = [value for value in (stats.min, stats.max) if value is not None]
            texts += [f"{value:.{places}f}" if places is not None else "-0.12345678" for value in shown]
        found.append(max(len(text) for text in texts))
    ends = [index_text(tick, first.scale, decimals) for tick in (extent.first, extent.last)]
    return (*found, max(len(text) for text in ends))


def index_unit(first: Aligned) -> str:
    index = first.columns[0].config.index
    return index.unit_original if first.unit == index.unit else first.unit

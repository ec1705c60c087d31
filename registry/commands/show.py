"""`dfr show`: a curve's header, statistics and lineage with its picture; of a well, what it holds and where."""

import shutil
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import screen
from .pushed import pushed_table
from .windows import At

if TYPE_CHECKING:
    from rich.console import Console

    from ...core.curves.names import Reference
    from ...core.curves.schema import Config
    from ..client.history import Opened

Ref = Annotated[str, typer.Argument(metavar="REF", help="PROJECT/WELL[/FRAME[/CURVE]][:TAG|@DIGEST]")]
Start = Annotated[str | None, typer.Option("--from", help="First depth or time, included.", metavar="A")]
Stop = Annotated[str | None, typer.Option("--to", help="Last depth or time, included.", metavar="B")]
_WIDEST, _LINES, _NARROWEST = 100, 40, 40
_SHOWN_BLOCKS = 40


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(show)


def show(ref: Ref, start: Start = None, stop: Stop = None, at: At = None) -> None:
    """Show a curve in the terminal, depth down, or a well. Of a well: its curves and what they cover."""
    with screen.one_line():
        from ...core.curves.names import Reference

        reference = Reference.parse(ref)
        screen.run(_show(reference, start, stop, at))


async def _show(reference: "Reference", start: str | None, stop: str | None, at: str | None) -> None:
    from ...core.curves.artifact.read import Window
    from ...core.curves.errors import CurveError
    from ...core.oci.errors import ManifestUnknown
    from ..client.history import open_curves
    from ..client.past import as_of
    from ..client.plain import plain_pushes
    from ..client.remote import RemoteRegistry

    async with RemoteRegistry(screen.address(reference.base)) as registry:
        reference = await as_of(registry, reference, at)
        pushed = pushed_table(await plain_pushes(registry, reference))
        try:
            opened = await open_curves(registry, reference)
        except (ManifestUnknown, CurveError):  # no well, but somebody's files
            if not pushed:
                raise
            opened = []
        if len(reference.segments) < 4:
            if opened:
                _print_well(opened)
            for plain in pushed:
                screen.console().print(plain)
            return
        (curve,) = opened
        table = await curve.read(Window(start, stop))
    if not table.num_rows:
        raise CurveError(f"no sample of {reference} lies in the window; dfr show {reference} shows all")
    console = screen.console()
    _print_header(console, curve)
    for line in _picture(curve.version.config, table):
        console.print(line, markup=False, style="green" if console.is_terminal else None)


def _print_header(console: "Console", curve: "Opened") -> None:
    from ..plot.facts import facts_of

    name = max(len(name) for name, _ in facts_of(curve))
    for label, value in facts_of(curve):
        console.print(f"[dim]{label:<{name}}[/]  ", end="")
        console.print(value, markup=False)
    console.print()


def _size() -> tuple[int, int, bool]:
    """Columns, lines and whether braille can be shown."""
    size = shutil.get_terminal_size((80, 50))
    encoding = (sys.stdout.encoding or "ascii").casefold().replace("-", "")
    width = min(max(size.columns, _NARROWEST), _WIDEST)
    lines = min(max(size.lines - 16, 16), _LINES) if sys.stdout.isatty() else _LINES
    return width, lines, encoding.startswith("utf")


def _picture(config: "Config", table: Any) -> list[str]:
    import numpy as np

    from ...core.curves.display import style_of
    from ...core.curves.windows.envelope import row_extremes
    from ..plot.loading import places_of
    from ..plot.terminal import picture

    width, lines, fancy = _size()
    places = places_of(table)
    values = table.column(1).combine_chunks()
    if config.dtype == "utf8":
        return _blocks(table, width)
    low, high = row_extremes(values)
    numbers = low if config.width == 1 else (low + high) / 2
    edges = np.linspace(places[0], places[-1], lines + 1)
    name = f"{config.mnemonic} {config.unit}".strip()
    texts = [_place(edge, config) for edge in edges]
    return [
        f"{config.index.kind} {config.index.unit}".strip(),
        *picture(places, numbers, style_of(config), name, width, lines, texts, fancy),
    ]


def _place(value: float, config: "Config") -> str:
    from datetime import UTC, datetime

    if config.index.scale is None:
        return f"{datetime.fromtimestamp(value, UTC):%Y-%m-%d %H:%M:%S}"
    return f"{value:.1f}"


def _blocks(table: Any, width: int) -> list[str]:
    """Runs of equal texts, from where to where."""
    from ...core.curves.artifact.parquet import index_ticks
    from ...core.curves.model import tick_text

    index = table.column(0).combine_chunks()
    scale = getattr(index.type, "scale", None)
    depths, words = [tick_text(tick, scale) for tick in index_ticks(index).tolist()], table.column(1).to_pylist()
    starts = [0, *(at for at in range(1, len(words)) if words[at] != words[at - 1])]
    ends = [*starts[1:], len(words)]
    lines = [
        f"{depths[start]:>10} {depths[end - 1]:>10}  {'' if words[start] is None else words[start]}"[:width]
        for start, end in zip(starts, ends, strict=True)
    ]
    if len(lines) > _SHOWN_BLOCKS:
        lines = [*lines[:_SHOWN_BLOCKS], f"... {len(lines) - _SHOWN_BLOCKS} more (dfr read lists every sample)"]
    return lines


def _print_well(curves: "list[Opened]") -> None:
    from rich.markup import escape

    from ..plot.coverage import coverage, extent
    from ..plot.terminal import bar

    console = screen.console()
    width, _, fancy = _size()
    header = curves[0].version.config.well
    known = [("well", header.name), ("uwi", header.uwi), ("field", header.field), ("country", header.country)]
    console.print("  ".join(f"[dim]{name}[/] {escape(value)}" for name, value in known if value))
    frames: dict[str, list[Opened]] = {}
    for curve in curves:
        frames.setdefault(curve.reference.segments[2], []).append(curve)
    for name, members in frames.items():
        configs = [curve.version.config for curve in members]
        first, last, unit = extent(configs)
        rows = max(config.rows for config in configs)
        console.print(
            f"\n[bold]{escape(name)}[/]  {len(members)} curves, {rows:,} rows, {first} to {last} {unit}".rstrip()
        )
        names = max(len(curve.reference.segments[3]) for curve in members)
        units = max(len(config.unit) for config in configs)
        cells = max(width - names - units - 22, 10)
        for curve in members:
            config = curve.version.config
            low, high = config.stats.min, config.stats.max
            values = "" if low is None else f"{low:.5g} .. {high:.5g}"
            line = f"{curve.reference.segments[3]:<{names}} {config.unit:<{units}} {values:>18} "
            console.print(line, markup=False, end="")
            console.print(bar(coverage(config, configs, cells), fancy), style="green", markup=False)

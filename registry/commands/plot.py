"""`dfr plot`: curves as a well log, on paper or on a page."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import screen

if TYPE_CHECKING:
    from ...core.curves.artifact.read import Window
    from ...core.curves.names import Reference

Refs = Annotated[list[str], typer.Argument(metavar="REF", help="Curves, frames or wells; one curve twice: overlaid.")]
Output = Annotated[Path, typer.Option("-o", "--output", help="A .svg, .png or .pdf file.", metavar="FILE")]
Start = Annotated[str | None, typer.Option("--from", help="First depth or time, included.", metavar="A")]
Stop = Annotated[str | None, typer.Option("--to", help="Last depth or time, included.", metavar="B")]
_FINEST, _COARSEST = 10, 100_000
_DPI = (40, 600)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(plot)


def plot(
    refs: Refs,
    output: Output,
    start: Start = None,
    stop: Stop = None,
    scale: Annotated[str, typer.Option(help="1:200, 1:500 ...; else what fits a page.", metavar="1:N")] = "",
    unit: Annotated[str | None, typer.Option(help="Of the depths: m or ft; else the first curve's.")] = None,
    title: Annotated[str, typer.Option(help="Instead of the well's name.")] = "",
    dpi: Annotated[int, typer.Option(help="Dots per inch of a PNG.", min=_DPI[0], max=_DPI[1])] = 110,
) -> None:
    """Draw curves as a log on paper. Depth down, tracks by family, two versions of a curve over one another."""
    with screen.one_line():
        from ...core.curves.artifact.read import Window
        from ...core.curves.errors import CurveError
        from ...core.curves.names import Reference

        ratio = _ratio(scale)
        if output.suffix.lower() not in (".svg", ".png", ".pdf"):
            raise CurveError(f"{output.name}: a plot is written as .svg, .png or .pdf")
        references = _references(refs)
        try:
            import matplotlib  # noqa: F401 - before anything is asked of the registry
        except ImportError:
            raise CurveError("plots need matplotlib: pip install 'dataforge-registry[plot]'") from None
        drawn = screen.run(_plot(references, output, Window(start, stop), ratio, unit, title, dpi))
        screen.console().print(f"{output}: {drawn} curve{'' if drawn == 1 else 's'}", markup=False)
        del Reference


def _references(refs: list[str]) -> "list[Reference]":
    """A `:TAG` or `@DIGEST` alone is another version of the curve before it."""
    from ...core.curves.errors import CurveError
    from ...core.curves.names import Reference

    made: list[Reference] = []
    for text in refs:
        if text[:1] in (":", "@"):
            if not made:
                raise CurveError(f"{text} is a version of nothing: name its curve first")
            last = made[-1]
            text = "/".join((*((last.base,) if last.base else ()), last.repository)) + text
        made.append(Reference.parse(text))
    return made


def _ratio(scale: str) -> int | None:
    from ...core.curves.errors import CurveError

    if not scale:
        return None
    one, colon, number = scale.partition(":")
    if one.strip() != "1" or not colon or not number.strip().isdecimal():
        raise CurveError(f"--scale reads 1:200, not {scale!r}")
    ratio = int(number)
    if not _FINEST <= ratio <= _COARSEST:
        raise CurveError(f"--scale is from 1:{_FINEST} to 1:{_COARSEST}")
    return ratio


async def _plot(
    references: "list[Reference]",
    output: Path,
    window: "Window",
    ratio: int | None,
    unit: str | None,
    title: str,
    dpi: int,
) -> int:
    from ...core.curves.errors import CurveError
    from ..client.history import Opened, open_curves
    from ..client.remote import RemoteRegistry
    from ..plot.loading import chosen, load, page_of
    from ..plot.page import draw, save

    bases = {screen.address(reference.base) for reference in references}
    if len(bases) > 1:
        raise CurveError("one plot shows curves of one registry")
    opened: list[Opened] = []
    async with RemoteRegistry(bases.pop()) as registry:
        for reference in references:
            found = await open_curves(registry, reference)
            opened += found if len(reference.segments) == 4 else chosen(found)
        logs, in_unit, interval = await load(opened, window, unit)
    figure = draw(page_of(opened, in_unit, interval, ratio, title, dpi), logs)
    try:
        save(figure, output)
    except OSError as error:
        raise screen.Failed(f"{output} cannot be written: {error.strerror}") from error
    return len(logs)

"""The second half of `make demo`: one interval of a curve edited and committed, and what dfr tells of it."""

from pathlib import Path

import numpy as np
from rich.console import Console

from ..core.curves.names import Reference
from .cli import build
from .client.connection import connect_async

EDIT_FEET = 10
DIFFERENT = 1
"""What `dfr diff` ends with where there is a difference, as here."""


class StepFailed(Exception):
    """One line that says which command ended otherwise than it should."""


async def edit(console: Console, url: str, reference: Reference, middle: float) -> tuple[float, float]:
    """Bridge ten feet of the curve by a straight line and commit that; from where to where, in feet."""
    start, stop = middle - EDIT_FEET / 2, middle + EDIT_FEET / 2
    async with connect_async(url, cache=None) as registry:
        imported = await registry.curve(f"{reference}:v1").read(depth=(start - EDIT_FEET, stop + EDIT_FEET))
        depth, values = imported.index, np.asarray(imported[imported.exact.column_names[1]]).astype(np.float64)
        inside, known = (depth >= start) & (depth <= stop), ~np.isnan(values)
        around = known & ~inside
        curve = registry.curve(str(reference))
        decimals = (await curve.info()).text_decimals
        bridged = np.interp(depth[inside], depth[around], values[around])
        done = await curve.commit(
            (depth[inside], bridged if decimals is None else bridged.round(decimals)),
            interval=(start, stop),
            operation="interpolate",
            message="bad hole",
            tag="edited",
        )
    what = f"[bold]Edit[/], {start:g} to {stop:g} ft drawn straight and committed: "
    if done.changed:
        console.print(f"{what}v{done.version}, {done.sent:,} bytes sent, the list of the well with them")
    else:
        console.print(f"{what}the same as the version there is, nothing sent")
    return start, stop


def tell(console: Console, reference: Reference, interval: tuple[float, float], folder: Path) -> None:
    """The versions, the difference, a search and a picture, as the commands that a user types."""
    frame = "/".join(reference.segments[:3])
    low, high = (f"{depth:g}" for depth in (interval[0] - 4 * EDIT_FEET, interval[1] + 4 * EDIT_FEET))
    curves = (f"{reference}:v1", ":edited", f"{frame}/rhob", f"{frame}/dt")
    for words, code in (
        (("log", str(reference)), 0),
        (("diff", f"{reference}:v1", ":edited"), DIFFERENT),
        (("search", "family=gamma_ray", "mean=[20~]", "--in", reference.segments[0]), 0),
        (("plot", *curves, "--from", low, "--to", high, "-o", str(folder / "edit.svg")), 0),
    ):
        console.print(f"\n[bold]$ dfr {' '.join(words)}[/]", soft_wrap=True)
        ended = build()(words, standalone_mode=False) or 0
        if ended != code:
            raise StepFailed(f"dfr {words[0]} ended with {ended} instead of {code}")

"""Where curves have samples, told from their segments' headers alone."""

from collections.abc import Sequence

import numpy as np

from ...core.curves.artifact.placed import placed, span
from ...core.curves.model import parse_tick, tick_text
from ...core.curves.schema import Config


def extent(configs: Sequence[Config]) -> tuple[str, str, str]:
    """First and last index value of the curves of one frame, and their unit."""
    index = configs[0].index
    first, last = _ends(configs)
    return tick_text(first, index.scale), tick_text(last, index.scale), index.unit


def coverage(config: Config, among: Sequence[Config], cells: int) -> list[float]:
    """For equal parts of the extent of all curves in `among`, the share of this one's samples that are present; 0 where
    it has none. Within a segment the share is the same throughout."""
    first, last = _ends(among)
    edges = np.linspace(first, last, cells + 1)
    shares = np.zeros(cells)
    for segment in placed(config):
        start, stop = (int(parse_tick(text, config.index.scale)) for text in segment.index)
        share = 1 - segment.nulls / (segment.rows * config.width)
        inside = (edges[1:] > start) & (edges[:-1] <= stop)
        shares[inside] = np.maximum(shares[inside], share)
    return shares.tolist()


def _ends(configs: Sequence[Config]) -> tuple[int, int]:
    scale = configs[0].index.scale
    return (
        min(int(parse_tick(span(config)[0], scale)) for config in configs),
        max(int(parse_tick(span(config)[1], scale)) for config in configs),
    )

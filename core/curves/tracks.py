"""Which tracks a log has, and what stands in each: told from the curves' headers alone."""

from collections.abc import Sequence
from dataclasses import dataclass

from .display import CORRELATION, OTHER, OVERVIEW, TRACKS, Style, style_of
from .schema import Config

LINES, BLOCKS, IMAGE = "lines", "blocks", "image"
_PER_TRACK = {OTHER: 3}
_MOST = 5
_FEW_VALUES = 12
_NEARLY = 0.9
_UNKNOWN = 12


@dataclass(frozen=True)
class Lane:
    """One curve in a track. position: among the curves that were asked for."""

    position: int
    config: Config
    style: Style


@dataclass(frozen=True)
class Track:
    """how: `lines`; `blocks`, one text or flag curve as colours; `image`, one array curve as a colour map."""

    kind: str
    how: str
    lanes: tuple[Lane, ...]

    @property
    def log(self) -> bool:
        """Whether the grid is logarithmic: all curves in it are."""
        return self.how == LINES and all(lane.style.log for lane in self.lanes)


def lay_out(configs: Sequence[Config]) -> list[Track]:
    """Tracks from left to right, the curves of each in the order they were asked for. No curve is left out."""
    lines: dict[str, list[Lane]] = {kind: [] for kind in TRACKS}
    single: list[Track] = []
    unknown = 0
    for position, config in enumerate(configs):
        style = style_of(config, unknown)
        unknown += style.track == OTHER
        lane = Lane(position, config, style)
        if config.width > 1:
            single.append(Track(OTHER, IMAGE, (lane,)))
        elif is_blocks(config):
            single.append(Track(OTHER, BLOCKS, (lane,)))
        else:
            lines[style.track].append(lane)
    tracks: list[Track] = []
    for kind, lanes in lines.items():
        lanes.sort(key=lambda lane: _rank(lane.config))
        most = _PER_TRACK.get(kind, _MOST)
        tracks += [Track(kind, LINES, tuple(lanes[at : at + most])) for at in range(0, len(lanes), most)]
    return tracks + single


def depth_position(tracks: Sequence[Track]) -> int:
    """Before which track the depths stand: behind the correlation tracks, or first of all where there are none."""
    return sum(track.kind == CORRELATION for track in tracks)


def is_blocks(config: Config) -> bool:
    """Texts, and flags: whole numbers of a curve that takes few."""
    if config.dtype == "utf8":
        return True
    low, high = config.stats.min, config.stats.max
    whole = config.dtype.startswith(("int", "uint")) or config.text_decimals == 0
    return whole and low is not None and high is not None and high - low < _FEW_VALUES and config.family is None


def overview(configs: Sequence[Config]) -> list[int]:
    """Of a whole well: for each family of OVERVIEW the position of one curve; where there is none, the first twelve.

    Of several the first that says its unit and has nine tenths of the samples that the fullest of them has.
    """
    chosen: list[int] = []
    for family in OVERVIEW:
        known = [at for at, config in enumerate(configs) if config.family == family]
        known = [at for at in known if style_of(configs[at]).track != OTHER and _samples(configs[at])]
        known = [at for at in known if configs[at].unit] or known
        most = max((_samples(configs[at]) for at in known), default=0)
        chosen += [at for at in known if _samples(configs[at]) >= most * _NEARLY][:1]
    return chosen or list(range(min(len(configs), _UNKNOWN)))


def _samples(config: Config) -> int:
    return config.stats.count - config.stats.nulls


def _rank(config: Config) -> int:
    return OVERVIEW.index(config.family) if config.family in OVERVIEW else len(OVERVIEW)

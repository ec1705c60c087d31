"""Depths and times in another unit, exact: a foot is 0.3048 m, so decimals stay decimals wherever they can."""

import math
from dataclasses import dataclass
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np

from ..artifact.placed import span
from ..artifact.read import WHOLE, Window, ends
from ..errors import ContentMismatch, CurveError
from ..families import canonical_index_unit
from ..model import DEFAULT_SCALE, Ticks, parse_tick, tick_text
from ..schema import Config, IndexHeader
from ..ticks import TIME_SCALE
from ..units import conversion

MAX_SCALE = 12
_MAX_TICK = 10**15  # fifteen digits, as an index is kept with
_WINDOW_DIGITS = 60  # a window's end that no decimal can say falls on the right side of every tick with fewer


def wanted_unit(header: IndexHeader, unit: str | None) -> str:
    """The canonical unit to read an index in; None is its own. CurveError where there is no way to it."""
    wanted = header.unit if unit is None else canonical_index_unit(unit)
    if header.scale is None:
        if wanted != header.unit:
            raise CurveError(
                f"the index holds dates and times (UTC): it cannot be read in {wanted}; leave the unit out"
            )
        return wanted
    _factor(header.unit, wanted)
    return wanted


@dataclass(frozen=True)
class IndexUnit:
    """How the index of one curve is said in a unit: decided by its config alone, so that every window of it agrees.

    Exact with up to 12 decimals and 15 digits; where that does not suffice, `rounded` to 1e-4. scale None: timestamps.
    """

    unit: str
    scale: int | None
    factor: Fraction = Fraction(1)  # ticks to ticks
    shared: int = 1  # divides every tick
    rounded: bool = False

    @classmethod
    def of(cls, config: Config, unit: str | None = None) -> "IndexUnit":
        """unit: any spelling; None is the index's own."""
        index = config.index
        wanted = wanted_unit(index, unit)
        if index.scale is None or wanted == index.unit:
            return cls(wanted, index.scale)
        factor = _factor(index.unit, wanted)
        largest = int(np.max(np.abs(whole_span(config))))
        shared = 1
        if index.regular is not None:
            regular = (int(parse_tick(text, index.scale)) for text in (index.regular.start, index.regular.step))
            shared = math.gcd(*regular, factor.denominator)
        rest, more = factor.denominator // shared, 0
        while 10**more % rest and index.scale + more < MAX_SCALE:
            more += 1
        if 10**more % rest == 0 and largest * factor * 10**more < _MAX_TICK:
            return cls(wanted, index.scale + more, factor * 10**more, shared)
        if largest * factor >= Fraction(_MAX_TICK, 10**DEFAULT_SCALE) * 10**index.scale:
            raise CurveError(f"the index has more than 15 digits in {wanted}; read it in {index.unit}")
        return cls(wanted, DEFAULT_SCALE, factor * Fraction(10) ** (DEFAULT_SCALE - index.scale), rounded=True)

    def apply(self, ticks: Ticks) -> Ticks:
        """Ticks of shape (rows,) in this unit and scale; rounded halves go up."""
        if self.factor == 1 or not len(ticks):
            return ticks
        top, bottom = self.factor.numerator, self.factor.denominator
        if not self.rounded:
            if np.any(ticks % self.shared):
                raise ContentMismatch("the index is not regular, though its config says so; ask for it in its own unit")
            return ticks // self.shared * int(self.factor * self.shared)
        largest = max(abs(int(ticks[0])), abs(int(ticks[-1])))
        wide = ticks if largest * top * 2 + bottom < 2**63 else ticks.astype(object)  # Python's integers
        return np.asarray((wide * (2 * top) + bottom) // (2 * bottom), dtype=np.int64)


def _factor(given: str, wanted: str) -> Fraction:
    try:
        return conversion(given, wanted)[0]
    except CurveError as error:
        raise CurveError(f"the index cannot be read in {wanted}: {error}") from error


def own_window(window: Window, unit: str | None, header: IndexHeader) -> Window:
    """A window in any unit (None: the index's own) as one in the index's own unit, with the same rows in it.

    header: config.index of the curve to be read. CurveError for an end that is no depth or time, a window upside down,
    or a unit with no way to the index's.
    """
    wanted = wanted_unit(header, unit)
    ends(window, header.scale)
    if header.scale is None or wanted == header.unit:
        return window
    factor = _factor(wanted, header.unit)
    return Window(_scaled(window.start, factor), _scaled(window.stop, factor))


def _scaled(text: str | None, factor: Fraction) -> str | None:
    if text is None:
        return None
    with localcontext() as context:
        context.prec = _WINDOW_DIGITS
        return f"{Decimal(text) * factor.numerator / factor.denominator:f}"


def reading_window(config: Config, window: Window = WHOLE, unit: str | None = None, step: str | None = None) -> Window:
    """What to read of a curve for a window in `unit`: with a step two samples more at either end, since values at the
    window's ends are interpolated between what lies on both sides."""
    own = own_window(window, unit, config.index)
    if step is None:
        return own
    scale = config.index.scale
    reach = 2 * usual_step(config)
    start, stop = ends(own, scale)
    return Window(
        None if start is None else _bound(start - reach, scale), None if stop is None else _bound(stop + reach, scale)
    )


def _bound(tick: Decimal, scale: int | None) -> str:
    if scale is not None:
        return f"{tick.scaleb(-scale):f}"
    return tick_text(int(tick), None)


def usual_step(config: Config) -> Decimal:
    """The spacing of a curve's whole index in ticks: the constant one, else the mean; 0 for a single row."""
    index = config.index
    scale = TIME_SCALE if index.scale is None else index.scale
    if index.regular is not None:
        return abs(Decimal(index.regular.step)).scaleb(scale)
    rows = config.stats.count
    if rows < 2:
        return Decimal(0)
    first, last = whole_span(config).tolist()
    return Decimal(last - first) / (rows - 1)


def whole_span(config: Config) -> Ticks:
    """The first and last index value of a whole curve, in its own ticks."""
    return np.array([int(parse_tick(text, config.index.scale)) for text in span(config)], dtype=np.int64)

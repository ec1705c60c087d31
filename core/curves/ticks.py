"""Index values as text and as ticks, exactly: a depth is ticks / 10**scale, a time microseconds since 1970 in UTC."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from .errors import CurveError

TIME_SCALE = 6
"""Decimals of a time in seconds: its ticks are microseconds."""

_MOST = 10**18
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def tick_text(tick: int, scale: int | None) -> str:
    """One index value as text, shortest exact form with at least one decimal."""
    if scale is None:
        try:
            stamp = _EPOCH + timedelta(microseconds=tick)
        except OverflowError as error:
            raise CurveError(f"{tick} microseconds from 1970 lie beyond the years 1 to 9999") from error
        return stamp.isoformat().replace("+00:00", "Z")
    whole, dot, decimals = f"{Decimal(tick).scaleb(-scale):f}".partition(".")
    return f"{whole}.{decimals.rstrip('0') or '0'}" if dot else f"{whole}.0"


def parse_tick(text: str, scale: int | None) -> Decimal:
    """An index value given as text, in ticks, unrounded (a window bound may fall between two ticks)."""
    try:
        if scale is not None:
            tick = Decimal(text).scaleb(scale)
            if tick.is_finite():
                return tick
            raise CurveError(f"{text!r} is no depth or time of this curve: give a plain number, such as 2000 or 1523.5")
        stamp = datetime.fromisoformat(text)
    except (ArithmeticError, ValueError) as error:
        wanted = "a number, such as 2000 or 1523.5" if scale is not None else "ISO 8601, such as 2020-01-31T12:00:00Z"
        raise CurveError(f"{text!r} is no depth or time of this curve: give {wanted}") from error
    stamp = stamp if stamp.tzinfo else stamp.replace(tzinfo=UTC)
    return Decimal((stamp - _EPOCH) // timedelta(microseconds=1))


def whole_tick(text: str, scale: int | None) -> int:
    """The same of a value that an index has: CurveError for one between two ticks, or beyond 18 digits."""
    tick = parse_tick(text, scale)
    if tick != tick.to_integral_value() or abs(tick) >= _MOST:
        raise CurveError(f"{text[:40]!r} is no index value of {'times' if scale is None else f'{scale} decimals'}")
    return int(tick)

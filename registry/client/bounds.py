"""A depth or time window as a person gives it."""

from ...core.curves.artifact.read import WHOLE, Window
from ...core.curves.errors import CurveError

Bound = object
"""A number, a text, a datetime, or None for an open end."""


def window_of(depth: "tuple[Bound, Bound] | None") -> Window:
    """(a, b), both included, as a Window; None is all."""
    if depth is None:
        return WHOLE
    try:
        start, stop = depth
    except (TypeError, ValueError) as error:
        raise CurveError(f"a window is a pair (from, to), such as (1000, 1050), not {depth!r}") from error
    return Window(_text(start), _text(stop))


def _text(bound: Bound) -> str | None:
    return None if bound is None else str(bound)

"""Latitudes and longitudes as headers print them."""

import re

_DEGREES = re.compile(
    r"(?P<sign>[-+]?)(?P<deg>\d{1,3}(?:\.\d+)?)\s*(?:°|deg\w*)?\s*"
    r"(?:(?P<min>\d{1,2}(?:\.\d+)?)\s*['′]\s*(?:(?P<sec>\d{1,2}(?:\.\d+)?)\s*(?:\"|''|″)?)?)?\s*(?P<side>[NSEW]?)",
    re.IGNORECASE | re.ASCII,
)


def degrees(text: str, most: float) -> float | None:
    """Decimal degrees of `45.37`, `45° 12' 58"` or `60 51' 40.5'' N`; None for what reads as none, or beyond +-most."""
    match = _DEGREES.fullmatch(text.strip())
    if not match:
        return None
    value = float(match["deg"]) + float(match["min"] or 0) / 60 + float(match["sec"] or 0) / 3600
    value = -value if match["sign"] == "-" or match["side"].upper() in {"S", "W"} else value
    return round(value, 9) if abs(value) <= most else None


def place_of(latitude: str, longitude: str) -> tuple[float | None, float | None]:
    """Both or neither: a place needs two numbers, and 0, 0 is a form that nobody filled in."""
    north, east = degrees(latitude, 90), degrees(longitude, 180)
    return (north, east) if north is not None and east is not None and (north or east) else (None, None)

"""What the catalogue keeps of a curve version: the row that a push brings, made of its manifest and config alone.

The names are those of the type push_curve in schema.sql.
"""

import json
import re
from datetime import UTC, date, datetime
from decimal import Context, Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Any, Final

from ..oci.digest import Digest
from ..oci.errors import CurveConflict, RegistryError
from . import schema
from .artifact.layout import value_layers
from .artifact.placed import span
from .errors import CurveError
from .families import family_of
from .names import is_segment, normal, slug
from .schema import Config, Manifest
from .unit_table import UNITS

KNOWN_SCHEMA: Final = 1
KINDS: Final = ("well", "frame", "curve")
_DEPTH = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,12})?")
_NUL = b"\\u0000"
_WIDE = Context(prec=40)
_ONE = Fraction(1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def home_of(repository: str) -> tuple[str, str, str] | None:
    """The segments of well, frame and curve where a repository can be a curve's home: four segments, project first."""
    segments = repository.split("/")
    return (segments[1], segments[2], segments[3]) if len(segments) == 4 else None


def check_names(config: Config, home: tuple[str, str, str]) -> None:
    """CurveConflict where a true name does not fold to its segment of the repository."""
    for kind, name, segment in zip(KINDS, (config.well.name, config.frame, config.mnemonic), home, strict=True):
        if not is_segment(segment, name, kind):
            raise CurveConflict(
                f"the config's {kind} is {name!r}, so this segment of the repository's name should be"
                f" {slug(name, kind)}, and not {segment}: push it there, or correct the config"
            )


def row_of(manifest: Manifest, config: Config, home: tuple[str, str, str]) -> dict[str, Any]:
    """The catalogue's row of a version in its home; CurveError where something in it cannot be kept."""
    well, stats = config.well, config.stats
    first, last = span(config)
    low, high = _base_range(config, first, last)
    lineage = config.lineage or schema.Lineage(operation="")
    row = {
        "well": well.name,
        "well_norm": normal(well.name),
        "well_slug": home[0],
        "aliases": [[alias, normal(alias)] for alias in well.aliases if normal(alias)],
        "uwi": well.uwi or None,
        "uwi_norm": normal(well.uwi) or None,
        "api": well.api or None,
        "operator": well.operator or None,
        "field": well.field or None,
        "country": well.country or None,
        "lat": well.latitude,
        "lon": well.longitude,
        "frame": config.frame,
        "frame_norm": normal(config.frame),
        "frame_slug": home[1],
        "mnemonic": config.mnemonic,
        "mnemonic_norm": normal(config.mnemonic),
        "values_id": _bytea(config.values_id),
        "index_id": _bytea(config.index.index_id),
        "dtype": config.dtype,
        "width": config.width,
        "samples": config.rows,
        "index_kind": config.index.kind,
        "index_unit": config.index.unit,
        "first_index": first,
        "last_index": last,
        "idx_low": low,
        "idx_high": high,
        "step": _step(config),
        "null_fraction": stats.nulls / stats.count if stats.count else 1.0,
        "description": config.description,
        "family": config.family,
        "family_known": family_of(config.mnemonic),
        "unit": config.unit,
        "unit_canonical": config.unit_canonical or config.unit,
        "vmin": stats.min,
        "vmax": stats.max,
        "vmean": stats.mean,
        "vstd": stats.std,
        "p01": stats.p01,
        "p05": stats.p05,
        "p50": stats.p50,
        "p95": stats.p95,
        "p99": stats.p99,
        "hist": stats.hist or None,
        "wellbore": config.wellbore,
        "run": config.run,
        "pass": config.pass_,
        "service_company": config.service_company,
        "acquired": _date(config.acquired),
        "created": _time(manifest.annotations.get(schema.CREATED, "")),
        "operation": lineage.operation,
        "message": lineage.message,
        "tool": lineage.tool,
        "parent_digest": _digest(manifest.annotations.get(schema.PARENT, "")),
        "segments": _segments(manifest, config),
        "inputs": [[entry.ref, entry.role, _digest(entry.ref.rpartition("@")[2])] for entry in lineage.inputs],
    }
    return row


def _segments(manifest: Manifest, config: Config) -> list[list[str]]:
    layers = value_layers(manifest)
    return [[Digest.parse(part.content).hex, layer.digest] for part, layer in zip(config.segments, layers, strict=True)]


def _base_range(config: Config, first: str, last: str) -> tuple[str | None, str | None]:
    """Both ends in metres, or seconds since 1970, as exact decimals; None where the unit is neither."""
    factor = _factor(config)
    if factor is None:
        return None, None
    low, high = _base(first, factor, config), _base(last, factor, config)
    if low > high:
        raise CurveError(f"the index runs from {first} to {last}: it is stored ascending")
    return f"{low:f}", f"{high:f}"


def _factor(config: Config) -> Fraction | None:
    if config.index.scale is None:
        return _ONE
    unit = UNITS.get(config.index.unit)
    return unit.factor if unit and unit.dimension in ("length", "time") else None


def _base(text: str, factor: Fraction, config: Config) -> Decimal:
    if config.index.scale is None:
        moment = _time(text)
        if moment is None:
            raise CurveError(f"{text!r} is no time of an index: write ISO 8601, such as 2020-01-31T12:00:00Z")
        passed = datetime.fromisoformat(moment) - _EPOCH
        return Decimal(passed.days * 86_400 + passed.seconds) + Decimal(passed.microseconds).scaleb(-6)
    if not _DEPTH.fullmatch(text):
        raise CurveError(f"{text!r} is no index value: write a decimal number, such as 1523.5")
    return _WIDE.divide(_WIDE.multiply(Decimal(text), factor.numerator), factor.denominator)


def _step(config: Config) -> float | None:
    """Of a regular index, in metres or seconds."""
    regular, factor = config.index.regular, _factor(config)
    if regular is None or factor is None:
        return None
    if not _DEPTH.fullmatch(regular.step):
        raise CurveError(f"{regular.step!r} is no step of an index: write a decimal number, such as 0.1524")
    return _metres(regular.step, factor)


@lru_cache(1024)
def _metres(step: str, factor: Fraction) -> float:
    return float(Fraction(step) * factor)


def _bytea(digest: str) -> str:
    return f"\\x{Digest.parse(digest).hex}"


def _digest(text: str) -> str | None:
    """The digest that a text is, if it is one."""
    try:
        return Digest.parse(text)
    except RegistryError:
        return None


def _date(text: str | None) -> str | None:
    """An ISO date; None for what is none: an odd date in a header is no reason to refuse a curve."""
    try:
        return date.fromisoformat(text or "").isoformat()
    except ValueError:
        return None


def _time(text: str) -> str | None:
    """An RFC 3339 time in UTC, or None."""
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
    except (ValueError, OverflowError):
        return None


def check_storable(row: dict[str, Any], config: bytes) -> None:
    """CurveError for what no column can hold: a NUL in a text (numbers are held against the count of stats, which has
    53 bits). Walked only where the config's text gives a reason to: it takes longer than all else."""
    if _NUL in config:
        _storable(row)


def _storable(value: Any) -> None:
    if isinstance(value, str) and "\0" in value:
        raise CurveError(f"{json.dumps(value[:80])} holds a NUL, which no text of a catalogue can")
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            _storable(part)

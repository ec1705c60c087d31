"""What can be searched for, and each condition as SQL: from fixed pieces, values always as parameters."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Literal

from ..curves.families import canonical_unit
from ..curves.names import normal
from ..oci.digest import Digest
from ..oci.errors import QueryInvalid, RegistryError
from ..search import Condition

Kind = Literal["name", "word", "unit", "number", "digest", "day", "time", "well", "tag"]
LARGEST = 1e300


@dataclass(frozen=True)
class Field:
    """latest: where only latest versions are asked, of the curve's own row (c) if it is there."""

    kind: Kind
    latest: str
    all: str = ""

    def sql(self, everything: bool) -> str:
        return (self.all or self.latest) if everything else self.latest


FIELDS: dict[str, Field] = {
    "well": Field("well", "w.name_norm"),
    "uwi": Field("name", "w.uwi_norm"),
    "field": Field("word", "w.field"),
    "operator": Field("word", "w.operator"),
    "country": Field("word", "w.country"),
    "frame": Field("name", "c.frame_norm"),
    "mnemonic": Field("name", "c.mnemonic_norm"),
    "family": Field("word", "c.family", "v.family"),
    "unit": Field("unit", "c.unit_canonical", "v.unit_canonical"),
    "index_kind": Field("word", "c.index_kind", "v.index_kind"),
    "verdict": Field("word", "c.verdict", "v.verdict"),
    "samples": Field("number", "c.samples", "v.samples"),
    "null_fraction": Field("number", "c.null_fraction", "v.null_fraction"),
    "step": Field("number", "c.step", "v.step"),
    "min": Field("number", "c.vmin", "v.vmin"),
    "max": Field("number", "c.vmax", "v.vmax"),
    "p50": Field("number", "c.p50", "v.p50"),
    "severity": Field("number", "c.qc_severity", "v.qc_severity"),
    "pushed": Field("time", "c.pushed", "v.pushed"),
    **{name: Field("number", f"v.v{name}") for name in ("mean", "std")},
    **{name: Field("number", f"v.{name}") for name in ("p01", "p05", "p95", "p99", "version", "width")},
    **{name: Field("digest", f"v.{name}") for name in ("values_id", "index_id")},
    **{
        name: Field("word", f"v.{name}")
        for name in ("author", "operation", "tool", "service_company", "run", "wellbore", "dtype")
    },
    "acquired": Field("day", "v.acquired"),
    "created": Field("time", "v.created"),
    "tag": Field("tag", "v.id"),
}


@dataclass
class Query:
    """Conditions, and their arguments from $2 on (see catalog.ask)."""

    arguments: list[Any] = field(default_factory=list)
    where: list[str] = field(default_factory=list)

    def bind(self, value: Any) -> str:
        self.arguments.append(value)
        return f"${len(self.arguments) + 1}"

    def text(self, everything: bool, extra: str = "") -> str:
        """FROM and WHERE, with only the tables that something names."""
        where = " AND ".join(self.where)
        well = " JOIN well w ON w.id = c.well_id" if "w." in where + extra else ""
        if everything:
            curve = " JOIN curve c ON c.id = v.curve_id" if "c." in where + extra + well else ""
            tables, live = f"curve_version v{curve}", "v.project_id = ANY ($1::bigint[]) AND v.deleted_at IS NULL"
        else:
            version = " JOIN curve_version v ON v.id = c.latest_version_id" if "v." in where + extra else ""
            tables, live = f"curve c{version}", "c.project_id = ANY ($1::bigint[]) AND c.latest_version_id IS NOT NULL"
        return f"FROM {tables}{well} WHERE {' AND '.join([live, *self.where])}"


def add(query: Query, condition: Condition, everything: bool) -> None:
    """One more condition. QueryInvalid names the field that is none, or a value that it does not take."""
    known = field_of(condition.field)
    query.where.append(_BY_KIND[known.kind](query, known.sql(everything), condition))


def field_of(name: str) -> Field:
    if name not in FIELDS:
        raise QueryInvalid(f"{name!r} is no field to search by; there are {', '.join(sorted(FIELDS))}")
    return FIELDS[name]


def _refuse(condition: Condition, takes: str) -> QueryInvalid:
    return QueryInvalid(f"{condition.field} takes {takes}")


def _texts(query: Query, column: str, condition: Condition, fold: Callable[[str], str], folded: str) -> str:
    values = [fold(text) for text in condition.texts()]
    if not all(values):
        raise QueryInvalid(f"{condition.field}: {condition.texts()[0]!r} has neither letters nor digits")
    match condition.operator:
        case "equals":
            return f"{column} = {query.bind(values[0])}"
        case "any":
            return f"{column} = ANY ({query.bind(values)}::text[])"
        case "all":
            return f"{column} = ALL ({query.bind(values)}::text[])"
        case "contains":
            return f"strpos({folded}, {query.bind(values[0])}) > 0"
        case "starts":
            low, high = query.bind(values[0]), query.bind(values[0] + "\U0010ffff")
            return f'({column} COLLATE "C" >= {low} AND {column} COLLATE "C" < {high})'
        case _:
            raise _refuse(condition, "a value, ~part, start*, {a b}")


def _name(query: Query, column: str, condition: Condition) -> str:
    return _texts(query, column, condition, normal, column)


def _word(query: Query, column: str, condition: Condition) -> str:
    if condition.operator == "contains":
        return _texts(query, column, condition, str.lower, f"lower({column})")
    return _texts(query, column, condition, str, column)


def _unit(query: Query, column: str, condition: Condition) -> str:
    return _texts(query, column, condition, canonical_unit, column)


def _well(query: Query, column: str, condition: Condition) -> str:
    own = _texts(query, "name_norm", condition, normal, "name_norm")
    alias = _texts(query, "alias_norm", condition, normal, "alias_norm")
    return f"c.well_id IN (SELECT id FROM well WHERE {own} UNION ALL SELECT well_id FROM well_alias WHERE {alias})"


def _tag(query: Query, column: str, condition: Condition) -> str:
    if condition.operator == "all":
        return " AND ".join(
            _tag(query, column, Condition(condition.field, "equals", (text,))) for text in condition.texts()
        )
    said = _texts(query, "t.name", condition, str, "t.name")
    return f"EXISTS (SELECT FROM tag t WHERE t.artifact_id = {column} AND {said})"


def _number(query: Query, column: str, condition: Condition) -> str:
    numbers = [None if text is None else _parsed(condition, text, float) for text in condition.values]
    if any(number != number or abs(number) > LARGEST for number in numbers if number is not None):
        raise _refuse(condition, "plain numbers")
    match condition.operator:
        case "between":
            low, high = numbers
            ends = [f"{column} >= {query.bind(low)}::float8"] if low is not None else []
            ends += [f"{column} <= {query.bind(high)}::float8"] if high is not None else []
            return " AND ".join(ends)
        case "equals" | "any":  # as written: 0.1524 finds what is stored in binary
            near = (
                f"{column} BETWEEN {query.bind(number - abs(number) * 1e-9)}::float8"
                f" AND {query.bind(number + abs(number) * 1e-9)}::float8"
                for number in numbers
                if number is not None
            )
            return f"({' OR '.join(near)})"
        case _:
            raise _refuse(condition, "a number, [min~max] or {a b}")


def _digest(query: Query, column: str, condition: Condition) -> str:
    if condition.operator not in ("equals", "any"):
        raise _refuse(condition, "sha256:HEX or {a b}")
    try:
        found = [bytes.fromhex(Digest.parse(text).hex) for text in condition.texts()]
    except RegistryError as error:
        raise QueryInvalid(f"{condition.field}: {error.message}") from None
    return f"{column} = ANY ({query.bind(found)}::bytea[])"


def _day(query: Query, column: str, condition: Condition) -> str:
    return _moments(query, column, condition, date.fromisoformat)


def _time(query: Query, column: str, condition: Condition) -> str:
    return _moments(query, column, condition, moment)


def moment(text: str) -> datetime:
    """ISO 8601, UTC where it does not say; ValueError."""
    found = datetime.fromisoformat(text)
    try:
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError:  # the first hours of year 1, east of Greenwich
        raise ValueError(f"{text} is before year 1") from None


def _moments(query: Query, column: str, condition: Condition, parse: Callable[[str], Any]) -> str:
    moments = [None if text is None else _parsed(condition, text, parse) for text in condition.values]
    match condition.operator:
        case "between":
            low, high = moments
            ends = [f"{column} >= {query.bind(low)}"] if low is not None else []
            ends += [f"{column} <= {query.bind(high)}"] if high is not None else []
            return " AND ".join(ends)
        case "equals":
            return f"{column} = {query.bind(moments[0])}"
        case _:
            raise _refuse(condition, "a date or [from~to], as 2020-01-31 or 2020-01-31T12:00:00Z")


def _parsed(condition: Condition, text: str, parse: Callable[[str], Any]) -> Any:
    try:
        return parse(text)
    except (ValueError, OverflowError):
        raise QueryInvalid(f"{condition.field}: {text!r} cannot be read as its value") from None


_BY_KIND: dict[Kind, Callable[[Query, str, Condition], str]] = {
    "name": _name,
    "word": _word,
    "unit": _unit,
    "well": _well,
    "tag": _tag,
    "number": _number,
    "digest": _digest,
    "day": _day,
    "time": _time,
}

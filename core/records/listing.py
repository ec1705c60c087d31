"""Lists as Harbor's API pages them: conditions and order that a caller names, as SQL from fixed pieces.

Only the fields of a list can be asked for, and values travel as parameters: neither a secret column nor a piece of SQL
can be reached through `q` or `sort`.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import asyncpg

from ..oci.errors import QueryInvalid
from ..search import Condition, parse_query
from .database import Connection

Fetch = Callable[..., Awaitable[list[asyncpg.Record]]]
Kind = Literal["text", "number", "time", "flag", "texts"]
_CASTS = {"text": "text", "number": "bigint", "time": "timestamptz", "flag": "boolean", "texts": "text"}
LARGEST = 2**63 - 1


@dataclass(frozen=True)
class Column:
    """A field of a list: what stands for it in SQL, and what its values are. `texts`: a SELECT of any number of them,
    whose column is `text`; as in Harbor `nil` asks for none and `*` for any."""

    sql: str
    kind: Kind = "text"


@dataclass(frozen=True)
class Asked:
    """What a caller wants of a list: the page (from 1), how many a page, order (`a,-b`), conditions (`k=v,k=~part`)."""

    page: int = 1
    page_size: int = 10
    sort: str = ""
    q: str = ""


@dataclass(frozen=True)
class Listing:
    """A list: its columns, the rest of its SELECT (FROM and WHERE, whose own parameters come first), fields to ask for,
    the order when none is asked, and what makes an order whole."""

    select: str
    source: str
    fields: Mapping[str, Column]
    order: str
    tie: str
    most: int | None = None
    """How many are counted at most: of a longer list the total says that there is a next page, and no more."""

    async def page(self, conn: Connection, asked: Asked, *own: Any) -> tuple[list[asyncpg.Record], int]:
        """The rows of a page, and how many there are in all. QueryInvalid says which part cannot be asked."""
        return await self.page_by(conn.fetch, asked, *own)

    async def page_by(self, fetch: Fetch, asked: Asked, *own: Any) -> tuple[list[asyncpg.Record], int]:
        """The same, whoever runs the statements."""
        arguments = list(own)
        where = "".join(
            f" AND {self._condition(self._field(each.field), each, arguments)}" for each in parse_query(asked.q)
        )
        order = self._order(asked.sort)
        limit = "" if self.most is None else f" LIMIT {self.most}"
        (count,) = await fetch(f"SELECT count(*) FROM (SELECT {self.source}{where}{limit}) AS q", *arguments)
        total, start = int(count[0]), (asked.page - 1) * asked.page_size
        if start >= total and total != self.most:
            return [], total
        arguments += [asked.page_size, start]
        limit = f"LIMIT ${len(arguments) - 1} OFFSET ${len(arguments)}"
        rows = await fetch(f"SELECT {self.select} {self.source}{where} ORDER BY {order} {limit}", *arguments)
        if total == self.most and rows:
            total = max(total, start + len(rows) + (len(rows) == asked.page_size))
        return rows, total

    def _field(self, name: str) -> Column:
        if name not in self.fields:
            raise QueryInvalid(f"{name!r} is no field of this list; there are {', '.join(sorted(self.fields))}")
        return self.fields[name]

    def _order(self, sort: str) -> str:
        parts = []
        for word in filter(None, (each.strip() for each in sort.split(","))):
            column = self._field(word.removeprefix("-"))
            if column.kind == "texts":
                raise QueryInvalid(f"a list cannot be sorted by {word}: each row may have several")
            parts.append(f"{column.sql} DESC" if word.startswith("-") else column.sql)
        return ", ".join([*(parts or [self.order]), self.tie])

    def _condition(self, column: Column, condition: Condition, arguments: list[Any]) -> str:
        def bind(text: str | None, several: bool = False) -> str:
            arguments.append(
                _value(column.kind, condition.field, text)
                if not several
                else [_value(column.kind, condition.field, each) for each in condition.texts()]
            )
            return f"${len(arguments)}::{_CASTS[column.kind]}{'[]' if several else ''}"

        low, high = (*condition.values, None, None)[:2]
        match condition.operator:
            case "equals" if column.kind == "texts" and low == "nil":
                return f"NOT EXISTS ({column.sql})"
            case "all" if column.kind == "texts":
                return f"{bind(None, several=True)} <@ ARRAY({column.sql})"
            case _ if column.kind == "texts":
                one = self._condition(Column("s.text"), condition, arguments)
                return f"EXISTS (SELECT FROM ({column.sql}) AS s(text) WHERE {one})"
            case "equals":
                return f"{column.sql} = {bind(low)}"
            case "any":
                return f"{column.sql} = ANY ({bind(None, several=True)})"
            case "all":
                return f"{column.sql} = ALL ({bind(None, several=True)})"
            case "between" if column.kind in ("number", "time"):
                ends = [f"{column.sql} >= {bind(low)}"] if low is not None else []
                ends += [f"{column.sql} <= {bind(high)}"] if high is not None else []
                return f"({' AND '.join(ends)})"
            case "contains" if column.kind == "text":
                return f"strpos(lower({column.sql}), lower({bind(low)})) > 0"
            case "starts" if column.kind == "text":
                return f"starts_with({column.sql}, {bind(low)})"
        raise QueryInvalid(f"{condition.field} cannot be asked for like that: it is a {column.kind}")


def _value(kind: Kind, name: str, text: str | None) -> Any:
    assert text is not None
    try:
        match kind:
            case "number":
                number = int(text)
                if not -LARGEST <= number <= LARGEST:
                    raise ValueError
                return number
            case "flag":
                return {"true": True, "1": True, "false": False, "0": False}[text.lower()]
            case "time":
                found = datetime.fromisoformat(text.replace(" ", "T"))
                return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, KeyError, OverflowError):
        raise QueryInvalid(f"{name}: {text[:80]!r} is no {kind}") from None
    return text

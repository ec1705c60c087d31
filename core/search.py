"""Harbor's query grammar: `field=value`, `field=~part`, `field=[min~max]`, `field={a b}` (any), `field=(a b)` (all),
joined by commas; ends of ranges and members of lists may stand in quotes of either kind. Here a value may also end in
`*`, which means the start of one (`*` alone: any), and stand in double quotes."""

import re
from dataclasses import dataclass
from typing import Literal

from .oci.errors import QueryInvalid

MOST_CONDITIONS = 32
MOST_VALUES = 100
_FIELD = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,31}")
_ITEM = re.compile(r'"([^"]*)"|([^\s"]+)')
_CLOSING = {"[": "]", "{": "}", "(": ")"}

Operator = Literal["equals", "contains", "starts", "between", "any", "all"]


@dataclass(frozen=True)
class Condition:
    """values: one of equals, contains and starts; two of between, None for an open end; any number of any and all."""

    field: str
    operator: Operator
    values: tuple[str | None, ...]

    def texts(self) -> list[str]:
        """The values that are there."""
        return [value for value in self.values if value is not None]


def parse_query(text: str) -> list[Condition]:
    """The conditions of a query, all of which must hold. QueryInvalid says what cannot be read."""
    if "\0" in text:
        raise QueryInvalid("q cannot hold a NUL")
    parts = _parts(text)
    if len(parts) > MOST_CONDITIONS:
        raise QueryInvalid(f"q has at most {MOST_CONDITIONS} conditions")
    return [_condition(part) for part in parts if part]


def _parts(text: str) -> list[str]:
    """The text at its commas, but for those inside quotes and brackets."""
    parts, start, closing, quoted = [], 0, "", False
    for at, char in enumerate(text):
        if char == '"':
            quoted = not quoted
        elif quoted:
            continue
        elif closing:
            closing = "" if char == closing else closing
        elif char in _CLOSING and text[at - 1 : at] == "=":
            closing = _CLOSING[char]
        elif char == ",":
            parts.append(text[start:at].strip())
            start = at + 1
    if closing or quoted:
        raise QueryInvalid(f"q lacks a closing {closing or chr(34)}")
    return [*parts, text[start:].strip()]


def _condition(part: str) -> Condition:
    field, equals, value = part.partition("=")
    field = field.strip()
    if not equals or not _FIELD.fullmatch(field):
        raise QueryInvalid(f"{part!r} is no condition; one reads field=value, such as family=gamma_ray")
    value = value.strip()
    if value.startswith("["):
        low, tilde, high = value[1:-1].partition("~")
        if not tilde or not (low.strip() or high.strip()):
            raise QueryInvalid(f"{field}={value} is no range; one reads [min~max], [min~] or [~max]")
        return Condition(field, "between", (_bare(low) or None, _bare(high) or None))
    if value[:1] in ("{", "("):
        found = [text for quoted, bare in _ITEM.findall(value[1:-1]) if (text := quoted or _bare(bare))]
        if not 1 <= len(found) <= MOST_VALUES:
            raise QueryInvalid(f"{field}={value[:40]} lists 1 to {MOST_VALUES} values, parted by spaces")
        return Condition(field, "any" if value[0] == "{" else "all", tuple(found))
    if value.startswith("~"):
        return Condition(field, "contains", (_one(field, value[1:]),))
    if value == "*":
        return Condition(field, "starts", ("",))
    if value.endswith("*") and not value.startswith('"'):
        return Condition(field, "starts", (_one(field, value[:-1]),))
    return Condition(field, "equals", (_one(field, value),))


def _bare(text: str) -> str:
    """Without the quotes around it: Harbor's clients send times as `["2026-01-01 00:00:00"~]`."""
    text = text.strip()
    return text[1:-1].strip() if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text


def _one(field: str, text: str) -> str:
    match = _ITEM.fullmatch(text.strip())
    value = (match[1] or match[2]) if match else text.strip()
    if not value:
        raise QueryInvalid(f"{field} has no value")
    return value

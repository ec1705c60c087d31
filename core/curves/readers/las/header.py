"""A header line of a LAS file: `MNEM.UNIT VALUE : DESCRIPTION {FORMAT} | ASSOCIATION`.

The delimiters are the first dot, the first space behind it and the last colon (LAS 2.0, update 2017, section 5); 3.0
puts a format in braces and an association behind a bar after them (LAS 3.0, "Lines within sections").
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

_TAIL = re.compile(r"(?P<head>[^{}|]*?)\s*(?:\{(?P<format>[^{}]*)\})?\s*(?:\|(?P<link>[^|]*))?", re.DOTALL)
_CLOCK = re.compile(r"(?<![\w:])\d{1,2}:\d{2}(?::\d{2})?(?![\w:])")
_NAMELESS = "UNKNOWN"
_KEPT_ORDER = frozenset({"strt", "stop", "step", "null"})


@dataclass(frozen=True)
class Item:
    """One header line. format: between the braces, `AF10.4;5ms`; text: the line as printed."""

    mnemonic: str
    unit: str
    value: str
    description: str
    format: str
    line: int
    text: str


def item_of(text: str, line: int, *, swapped: bool = False) -> Item | None:
    """The parts of a header line, or None for a line that has no mnemonic with a dot or a colon behind it.

    swapped: the ~Well section of LAS 1.2, where the description stands before the value (LAS 1.2 section 4).
    """
    mnemonic, unit, rest = _named(text)
    if not mnemonic:
        return None
    swapped = swapped and mnemonic.casefold() not in _KEPT_ORDER
    head, form = _format_of(rest)
    value, description = _parted(head, first=swapped)
    if swapped:
        value, description = description, value
    return Item(mnemonic, unit, value, description, form, line, text)


def _named(text: str) -> tuple[str, str, str]:
    """Mnemonic, unit and the rest; a line without a dot before its colon is `NAME: VALUE`, and its rest begins so."""
    name, dot, rest = text.partition(".")
    if not dot or ":" in name:
        name, colon, rest = text.partition(":")
        return (name.strip(), "", rest + " :") if colon else ("", "", "")
    if not name.strip() and "." in rest.partition(":")[0]:  # a stray dot before the mnemonic
        name, dot, rest = rest.partition(".")
    if (
        rest.startswith(".") and name and not name[-1].isspace()
    ):  # a mnemonic that is itself an abbreviation: `Res..OHMM`
        name, rest = name + ".", rest[1:]
    thousand = re.match(r"\d+\s(?=\S)(?=[^:\d])", rest)  # `1000 psi` is one unit
    start = thousand.end() if thousand else 0
    words = re.compile(r"\S*").match(rest, start)
    unit = rest[: words.end()] if words else ""
    if ":" in unit and ":" not in rest[len(unit) :]:
        unit = unit[: unit.rindex(":")]
    bare = unit.strip()
    if (bare[:1], bare[-1:]) in {("[", "]"), ("(", ")")}:
        bare = bare[1:-1]
    return name.strip() or _NAMELESS, bare, rest[len(unit) :]


def _format_of(rest: str) -> tuple[str, str]:
    """The rest without its `{format}` and `| association`, and the format."""
    before, brace, after = rest.rpartition("{")
    if brace and (tail := _TAIL.fullmatch(brace + after)):
        return before.rstrip(), (tail["format"] or "").strip()
    return rest, ""


def _parted(head: str, *, first: bool) -> tuple[str, str]:
    """What stands before and behind the colon: the last one, or the first, that is not inside a time of day."""
    clock = [match.span() for match in _CLOCK.finditer(head)]
    colons = [at for at, char in enumerate(head) if char == ":"]
    outside = [at for at in colons if not any(start < at < end for start, end in clock)] or colons
    if not outside:
        return head.strip(), ""
    at = outside[0 if first else -1]
    return head[:at].strip(), head[at + 1 :].strip()


def value_of(items: Iterable[Item], *mnemonics: str) -> str:
    """The first value given under one of the mnemonics, in their order; empty if there is none."""
    known = list(items)
    for mnemonic in mnemonics:
        for item in known:
            if item.mnemonic.casefold() == mnemonic.casefold() and item.value:
                return item.value
    return ""


def unit_of(items: Iterable[Item], mnemonic: str) -> str:
    """The unit of the first line of that mnemonic, or an empty one."""
    return next((item.unit for item in items if item.mnemonic.casefold() == mnemonic.casefold()), "")

"""Which columns of a LAS data set are a curve: each by itself, or the elements of an array together."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ...errors import LasRefused
from ...families import canonical_index_unit, index_kind
from ...mnemonics import distinct
from .columns import is_text
from .header import Item

_ELEMENT = re.compile(r"(?P<name>.+)\[(?P<number>\d{1,5})\]")


@dataclass(frozen=True)
class Definition:
    """A curve: a name of its own in the frame, its columns, its LAS 3.0 format, and its header lines as printed."""

    mnemonic: str
    places: tuple[int, ...]
    item: Item
    format: str
    text: str

    @property
    def is_array(self) -> bool:
        """Whether several columns are the elements of one value."""
        return len(self.places) > 1


def definitions_of(items: Sequence[Item], findings: list[str]) -> list[Definition]:
    """The curves in order. `NMR[1]`..`NMR[n]` with an array format ({A...}, LAS 3.0) are one, NMR, of width n."""
    groups: list[tuple[int, int]] = []
    names: list[str] = []
    at = 0
    while at < len(items):
        width = _width(items, at)
        element = _ELEMENT.fullmatch(items[at].mnemonic) if width > 1 else None
        names.append(element["name"].strip() if element else items[at].mnemonic)
        groups.append((at, at + width))
        at += width
    return [
        _definition(mnemonic, start, items[start:stop])
        for mnemonic, (start, stop) in zip(distinct(names, findings), groups, strict=True)
    ]


def _definition(mnemonic: str, start: int, lines: Sequence[Item]) -> Definition:
    item = lines[0]
    form = item.format[1:] if _is_element(item) else item.format
    text = "\n".join(line.text for line in lines)
    return Definition(mnemonic, tuple(range(start, start + len(lines))), item, form.split(";")[0], text)


def _width(items: Sequence[Item], at: int) -> int:
    """How many lines from here on are elements of one array, numbered without a gap."""
    first = _ELEMENT.fullmatch(items[at].mnemonic)
    if first is None or not _is_element(items[at]):
        return 1
    width = 1
    for item in items[at + 1 :]:
        match = _ELEMENT.fullmatch(item.mnemonic)
        if match is None or not _is_element(item) or match["name"] != first["name"] or item.unit != items[at].unit:
            break
        if int(match["number"]) != int(first["number"]) + width:
            break
        width += 1
    return width


def _is_element(item: Item) -> bool:
    """{AF10.4;5ms}: an element of numbers. Arrays of texts stay columns."""
    return item.format[:1].upper() == "A" and not is_text(item.format[1:].split(";")[0])


def index_place(items: Sequence[Item], is_log: bool) -> int:
    """The index column: the first one of a log; of another data set the first that is a depth or a time by its unit."""
    if len(items) < 2:
        what = f"the index {items[0].mnemonic} and no curve on it" if items else "no curve"
        raise LasRefused(f"{'the ~Curve section' if is_log else 'its definition'} defines {what}")
    if is_log:
        return 0
    kinds = [index_kind(item.mnemonic, canonical_index_unit(item.unit)) for item in items]
    return next((at for at, kind in enumerate(kinds) if kind != "INDEX" and items[at].unit), 0)

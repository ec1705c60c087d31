"""A LAS file cut into its sections: text from bytes, header lines parted, data sections as one piece of text each.

LAS 1.2 and 2.0 name a section by one letter; LAS 3.0 by `~Set_Definition`, `~Set_Parameter` and `~Set_Data`, with `[n]`
where there are several (CWLS file structure documents; LAS 3.0 "Data Section Sets", "Section Title Arrays").
"""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from ...errors import LasRefused
from .header import Item, item_of, value_of

_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_TITLE = re.compile(
    r"(?P<set>[\w-]+?)_(?P<part>data|definition|parameter)s?\s*(?:\[(?P<number>\d{1,4})\])?", re.IGNORECASE
)
# What LAS 2.0 calls ~C, ~P and ~A are the parts of LAS 3.0's set `log`.
_LETTERS = {
    "V": ("", "version"),
    "W": ("", "well"),
    "C": ("log", "definition"),
    "P": ("log", "parameter"),
    "A": ("log", "data"),
    "O": ("", "other"),
}
_INDENT = 80  # a title stands at the start of its line, give or take
_ORDERED = re.compile(r"\d+(?:\.\d+)?")


@dataclass(frozen=True)
class Title:
    """What a section is: part (version, well, definition, parameter, data, other, unknown) of a set (log, core ...)."""

    set: str
    part: str
    number: int
    link: str  # of a data section: the definition it names, as `log_definition[1]`
    printed: str


@dataclass(frozen=True)
class Section:
    """A section, its title's line (from 1), and its text below the title."""

    title: Title
    line: int
    text: str = field(repr=False)

    def lines(self) -> Iterator[tuple[int, str]]:
        """Its lines that are neither blank nor comments, stripped, with their numbers."""
        for number, text in enumerate(self.text.split("\n"), self.line + 1):
            if (bare := text.strip()) and not bare.startswith("#"):
                yield number, bare


def text_of(content: bytes, kind: str = "LAS") -> str:
    """UTF-8, UTF-16 with a byte order mark, Windows-1252 or Latin-1, in that order; lines end with `\\n` alone."""
    for mark, encoding in _BOMS:
        if content.startswith(mark):
            try:
                text = content.decode(encoding)
            except UnicodeDecodeError as error:
                raise LasRefused(f"not a text file: its {encoding} is broken at byte {error.start}") from error
            break
    else:
        at = content.find(b"\0")
        if 0 <= at < 4096:
            raise LasRefused(f"not a {kind} file: it holds binary data")
        if at >= 0:
            raise LasRefused("the file holds zero bytes: it was damaged on its way", content.count(b"\n", 0, at) + 1)
        text = _decoded(content)
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _decoded(content: bytes) -> str:
    for encoding in ("utf-8", "cp1252"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return content.decode("latin-1")


def sections_of(text: str) -> list[Section]:
    """The sections in their order, or LasRefused for what does not begin with one."""
    spans = list(_titles(text))
    before = text[: spans[0][0]] if spans else text[:4096]
    if not spans or any(line.strip() and not line.strip().startswith("#") for line in before.split("\n")):
        raise LasRefused("not a LAS file: it does not begin with a section line such as ~Version")
    sections: list[Section] = []
    line, counted = 1, 0
    ends = [start for start, _ in spans[1:]] + [len(text)]
    for (start, stop), end in zip(spans, ends, strict=True):
        line, counted = line + text.count("\n", counted, start), start
        sections.append(Section(title_of(text[start:stop].strip()), line, text[stop + 1 : end]))
    return sections


def _titles(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each line that begins with `~`, white space let pass."""
    at = text.find("~")
    while at >= 0:
        lead = text[max(0, at - _INDENT) : at]
        start = lead.rfind("\n") + 1
        stop = text.find("\n", at)
        stop = len(text) if stop < 0 else stop
        if (start or at <= _INDENT) and not lead[start:].strip():
            yield at - len(lead) + start, stop
        at = text.find("~", stop)


def title_of(line: str) -> Title:
    """What a title line says. An unknown section has the part `unknown`."""
    bare = line[1:].strip()
    _, _, link = bare.partition("|")
    if match := _TITLE.match(bare):
        return Title(
            match["set"].casefold(), match["part"].casefold(), int(match["number"] or 0), _squeezed(link), line
        )
    known = _LETTERS.get(bare[:1].upper(), ("", "unknown"))
    return Title(*known, 0, _squeezed(link), line)


def _squeezed(text: str) -> str:
    return "".join(text.split()).casefold()


@dataclass(frozen=True)
class Version:
    """~Version: VERS as printed and as a number, and whether rows are wrapped."""

    printed: str
    number: float
    wrapped: bool
    delimiter: str  # DLM as printed, in upper case


def version_of(sections: list[Section]) -> Version:
    """What ~Version says, or LasRefused: the order of header lines hangs on it."""
    items = [item for section in sections if section.title.part == "version" for item in items_of(section, [])]
    if not any(section.title.part == "version" for section in sections):
        raise LasRefused("no ~Version section: header lines are ordered by version, so VERS and WRAP must be given")
    printed = value_of(items, "VERS")
    number = _ORDERED.match(printed)
    if number is None:
        raise LasRefused(f"VERS is {printed or 'missing'}: header lines are ordered by version, give 1.2, 2.0 or 3.0")
    wrapped = value_of(items, "WRAP").upper() in {"YES", "Y", "TRUE"}
    return Version(number[0], float(number[0]), wrapped, value_of(items, "DLM").upper())


def items_of(section: Section, findings: list[str], *, swapped: bool = False) -> list[Item]:
    """The header lines of a section; a line that is none is a finding."""
    items: list[Item] = []
    for number, text in section.lines():
        if item := item_of(text, number, swapped=swapped):
            items.append(item)
        else:
            findings.append(f"line {number} of the header cannot be read: {text[:60]}")
    return items

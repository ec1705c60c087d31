"""A LAS file cut into its sections: text from bytes, header lines for lasio, data lines with their numbers.

LAS 1.2, 2.0, and of 3.0 what a plain log needs: one log data set, its definition and parameters
(CWLS LAS 1.2, 2.0 and 3.0 file structure documents).
"""

import codecs
import io
import logging
import re
from dataclasses import dataclass

import lasio
from lasio.exceptions import LASHeaderError

from .errors import LasRefused

_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
# The LAS 3.0 names of the sections that 2.0 calls ~C, ~P and ~A.
_LOG_SECTIONS = {"log_definition": "~Curve", "log_parameter": "~Parameter", "log_data": "~A"}
# Read here and not by lasio, so that a bad one is told by name.
_VERSION_ITEM = re.compile(r"(VERS|WRAP|DLM)\s*\.([^:]*)(?::.*)?", re.IGNORECASE)
_PLAIN = frozenset("VWCPOA")


@dataclass(frozen=True)
class Sections:
    """header: the text before the data, in LAS 2.0 section names. data: (line from 1, text), comments left out."""

    header: str
    version: dict[str, str]  # VERS, WRAP and DLM as printed, in upper case
    definitions: list[str]  # the lines of ~C as printed
    data: list[tuple[int, str]]
    findings: list[str]
    ends_with_newline: bool


def text_of(content: bytes) -> str:
    """UTF-8, UTF-16 with a byte order mark, or Windows-1252, in that order."""
    for mark, encoding in _BOMS:
        if content.startswith(mark):
            try:
                return content.decode(encoding)
            except UnicodeDecodeError as error:
                raise LasRefused(f"not a text file: its {encoding} is broken at byte {error.start}") from error
    if b"\0" in content[:4096]:
        raise LasRefused("not a LAS file: it holds binary data (DLIS and LIS files are not read yet)")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")


def sections_of(text: str) -> Sections:
    """LasRefused for what is no LAS file or has not exactly one log data section."""
    lines = text.splitlines()
    first = next((line.strip() for line in lines if line.strip() and not line.strip().startswith("#")), "")
    if not first.startswith("~"):
        raise LasRefused("not a LAS file: it does not begin with a section line such as ~Version")
    header: list[str] = []
    version: dict[str, str] = {}
    definitions: list[str] = []
    data: list[tuple[int, str]] = []
    findings: list[str] = []
    seen: set[str] = set()
    letter = ""
    for number, line in enumerate(lines, 1):
        bare = line.strip()
        if bare.startswith("~"):
            letter, title = _section(bare)
            if letter == "A" and "A" in seen:
                raise LasRefused("a second log data section; split the file, one data section each", number)
            seen.add(letter)
            if letter == "?":
                findings.append(f"section {bare} was not read")
            elif letter != "A":
                header.append(title)
        elif letter == "A":
            if not bare.startswith("#"):
                data.append((number, line))
        elif letter != "?":
            header.append(line)
            if letter == "C" and bare and not bare.startswith("#"):
                definitions.append(bare)
            if letter == "V" and (item := _VERSION_ITEM.fullmatch(bare)):
                version[item[1].upper()] = " ".join(item[2].split()).upper()
    _require(seen)
    return Sections("\n".join(header) + "\n", version, definitions, data, findings, text.endswith(("\n", "\r")))


def _require(seen: set[str]) -> None:
    if "V" not in seen:
        raise LasRefused("no ~Version section: header lines are ordered by version, so VERS and WRAP must be given")
    missing = [name for letter, name in (("W", "~Well"), ("C", "~Curve"), ("A", "~A data")) if letter not in seen]
    if missing:
        raise LasRefused(f"the file is cut off or incomplete: it has no {' and no '.join(missing)} section")


def _section(line: str) -> tuple[str, str]:
    """Its letter (V, W, C, P, O, A, or ? for one that is not read) and its title for lasio."""
    word = re.split(r"[\s|\[]", line[1:].strip(), maxsplit=1)[0].casefold()
    if word in _LOG_SECTIONS:
        return _LOG_SECTIONS[word][1], _LOG_SECTIONS[word]
    letter = line[1:2].upper()
    if letter in _PLAIN and not re.search(r"_(data|definition|parameter)$", word):
        return letter, line
    return "?", line


def parse_header(text: str) -> tuple[lasio.LASFile, list[str]]:
    """The header as lasio reads it, and findings; LasRefused where it cannot."""
    logging.getLogger("lasio").setLevel(logging.ERROR)  # its warnings are found and told here
    findings: list[str] = []
    options = {"ignore_data": True, "mnemonic_case": "preserve", "engine": "normal"}
    try:
        try:
            return lasio.read(io.StringIO(text), **options), findings
        except LASHeaderError as error:
            findings.append(f"header lines that cannot be read were left out: {_one_line(error)}")
            return lasio.read(io.StringIO(text), ignore_header_errors=True, **options), findings
    except Exception as error:  # lasio raises many kinds on broken headers; all mean the same to a user
        raise LasRefused(f"the header cannot be read: {_one_line(error)}") from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def value_of(section: lasio.SectionItems, *mnemonics: str) -> str:
    """The first value given under one of the mnemonics, as text; empty if there is none."""
    for mnemonic in mnemonics:
        for item in section:
            if str(item.original_mnemonic).casefold() == mnemonic.casefold() and str(item.value).strip():
                return str(item.value).strip()
    return ""

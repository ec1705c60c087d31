"""What a LAS header says of the well and of the trip: names, identifiers, place, date, datum."""

import re
from collections.abc import Sequence

from ...origin import Well
from ..degrees import place_of
from .header import Item, value_of
from .times import dated, one_way_date

_ALIASES = ("WELL-NAME", "WELLNAME", "ORIGINALWELLNAME", "ALIAS")
_LABELS = frozenset({"well", "well name", "wellname"})


def well_of(header: Sequence[Item], file: str, named: str | None, findings: list[str]) -> Well:
    """Named by WELL, else by the caller, else by UWI or API, else by the file: two nameless files are not one well."""
    name, uwi, api = (value_of(header, mnemonic) for mnemonic in ("WELL", "UWI", "API"))
    if name.casefold() in _LABELS:  # a header in the other version's order: value and description have changed places
        said = next((item.description for item in header if item.mnemonic.casefold() == "well"), "")
        if said and said.casefold() not in _LABELS:
            findings.append(f"the ~Well section is not in the order of its version: WELL is read as {said}")
            name = said
    name = name or named or uwi or api or file.rpartition("/")[2].rpartition(".")[0] or file
    others = (value_of(header, mnemonic) for mnemonic in _ALIASES)
    latitude, longitude = place_of(value_of(header, "LATI", "LAT"), value_of(header, "LONG", "LON"))
    return Well(
        name=name,
        uwi=uwi,
        country=value_of(header, "CTRY"),
        field=value_of(header, "FLD"),
        aliases=tuple(dict.fromkeys(other for other in others if other and other != name)),
        operator=value_of(header, "COMP"),
        api=api,
        latitude=latitude,
        longitude=longitude,
    )


def acquired_of(header: Sequence[Item], version: float) -> str | None:
    """ISO date of DATE where it reads one way, or in the stated format; LAS 3.0 states DD/MM/YYYY by saying nothing."""
    for item in header:
        if item.mnemonic.casefold() == "date" and item.value and "export" not in item.description.casefold():
            stated = item.format or ("DD/MM/YYYY" if version >= 3 else "")
            return dated(item.value, stated) or one_way_date(item.value)
    return None


def run_of(items: Sequence[Item]) -> str:
    """The run as printed; a number without its zeros (`1.0000` is run 1)."""
    run = value_of(items, "RUN")
    return re.sub(r"\.0+$", "", run) if re.fullmatch(r"\d+\.0+", run) else run


def datum_of(parameters: Sequence[Item], header: Sequence[Item]) -> str | None:
    """What the log's depths are measured from, `KB` for `K.B.`: depth reference, else log or drilling measured from."""
    names = ("DREF", "LMF", "DMF")
    return (value_of(parameters, *names) or value_of(header, *names)).replace(".", "") or None

"""Families of curves and canonical spellings of units: small tables of our own, of what well logs mostly hold.

Mnemonics are matched after case-folding and dropping what follows `[`, `:` or a run suffix; no match is no family.
Only units that are safe to fold are folded: `mD`/`MD`, `ms`/`MS`, `mV`/`MV` and a curve's `F` (feet or Fahrenheit) stay
as printed. The unit of an index is a length or a time, so its `F` is feet and its `MS` milliseconds.
"""

import re
from functools import lru_cache

_FAMILIES = {
    "gamma_ray": r"s?gr(?!d)[a-z]{0,2}\d?|gamma(_?ray)?|hgr|ecgr|hcgr|gam|gamn",
    "bulk_density": r"rhob?[a-z]?\d?|den|zden|rhoz|bdc|hrho",
    "density_correction": r"drho|hdra|zcor|dcor",
    "neutron_porosity": r"n?tnph|nph[ils]|tnph[il]?|cncf?|phin|neut|por_?n|hnpo|apls",
    "density_porosity": r"dph[isd]|phid|dpor",
    "sonic_compressional": r"dt(c|co|4p|lf|ln)?\d?|ac|dtp",
    "sonic_shear": r"dts(m|h)?|dt4s|dt2|dtsh",
    "resistivity_deep": r"ild|rild|lld|rt(90)?|at90|hdrs|rdep|ct90|resd|rlld|res_?deep|aht90|idph",
    "resistivity_medium": r"ilm|rilm|at30|rmed|llm|aht30|imph",
    "resistivity_shallow": r"lls|sflu?|sfla|at10|rshal|sflu|aht10|msfl|mll|rxo|rxoz",
    "caliper": r"ca?l[is]?\d?|hcal|caliper|hdar|cal[xy]",
    "bit_size": r"bs|bit",
    "spontaneous_potential": r"sp[a-z]?",
    "photoelectric_factor": r"pe[fz]?8?|pefz|hpef",
    "temperature": r"(h|a|w)?te?mp\w*",
    "tension": r"tens(ion)?|hten",
    "potassium": r"pota|hfk",
    "thorium": r"thor|hthor?",
    "uranium": r"uran?|hura",
    "rate_of_penetration": r"rop\w*",
    "depth_vertical": r"tvd(ss)?",
    "water_saturation": r"sw[ate]?|suw[ri]?",
    "shale_volume": r"vsh(ale)?|vcl(ay)?",
}
_COMPILED = [(family, re.compile(pattern)) for family, pattern in _FAMILIES.items()]

_INDEX_UNITS = {"f": "ft", "ms": "ms", "msec": "ms", "µs": "us", "us": "us"}
_UNITS = {
    "m": "m", "meter": "m", "meters": "m", "metres": "m", "metre": "m",
    "ft": "ft", "feet": "ft", "foot": "ft", "fts": "ft",
    "in": "in", "inch": "in", "inches": "in", "mm": "mm", "cm": "cm",
    "0.1 in": "0.1 in", ".1in": "0.1 in", "0.1in": "0.1 in",
    "s": "s", "sec": "s", "second": "s", "seconds": "s", "hr": "h",
    "gapi": "gAPI", "api": "gAPI",
    "ohmm": "ohm.m", "ohm.m": "ohm.m", "ohm-m": "ohm.m", "ohm m": "ohm.m",
    "g/c3": "g/cm3", "g/cc": "g/cm3", "g/cm3": "g/cm3", "gm/cc": "g/cm3", "gcc": "g/cm3",
    "k/m3": "kg/m3", "kg/m3": "kg/m3",
    "us/f": "us/ft", "us/ft": "us/ft", "usec/ft": "us/ft", "µs/ft": "us/ft", "us/m": "us/m", "usec/m": "us/m",
    "v/v": "v/v", "dec": "v/v", "decp": "v/v", "cfcf": "v/v", "ft3/ft3": "v/v", "m3/m3": "v/v", "frac": "v/v",
    "%": "%", "pu": "%", "percent": "%", "b/e": "b/e", "barns/e": "b/e",
    "degc": "degC", "degf": "degF", "deg": "deg", "dega": "deg",
    "lb": "lbf", "lbf": "lbf", "lbs": "lbf", "ppm": "ppm", "cps": "cps", "psi": "psi", "kpa": "kPa",
    "mmho/m": "mS/m",
}  # fmt: skip


@lru_cache(4096)
def family_of(mnemonic: str) -> str | None:
    """`gamma_ray` for GR, SGR, GR:2 ...; None where the table knows no better."""
    bare = re.split(r"[\[:]", mnemonic.casefold(), maxsplit=1)[0].strip()
    return next((family for family, pattern in _COMPILED if pattern.fullmatch(bare)), None)


def canonical_unit(printed: str) -> str:
    """One spelling per unit of a curve (`OHMM`, `ohm.m` -> `ohm.m`); an unknown unit stays as printed."""
    unit = printed.strip().strip("[]()")
    return _UNITS.get(unit.casefold(), unit)


def canonical_index_unit(printed: str) -> str:
    """One spelling per unit of an index (`F`, `FT`, `Feet` -> `ft`)."""
    unit = canonical_unit(printed)
    return _INDEX_UNITS.get(unit.casefold(), unit)


def index_kind(mnemonic: str, unit: str) -> str:
    """MD, TVD, TIME or INDEX: also the name of the index column. unit is canonical."""
    name = mnemonic.casefold()
    if name.startswith("tvd"):
        return "TVD"
    if unit in {"s", "ms", "h"} or name.startswith(("time", "etim", "date", "twt")):
        return "TIME"
    if name.startswith(("dep", "md", "dpt", "tdep", "bdep")) or unit in {"m", "ft", "in", "0.1 in", "mm", "cm"}:
        return "MD"
    return "INDEX"

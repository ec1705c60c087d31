"""A small field to try things on: three wells through layers of shale, sand, gas sand and limestone, as LAS files.

    python docs/field.py FOLDER

Generated, the same every time: 1500 to 1900 m at 0.2 m, with gamma ray, caliper, deep resistivity, density, neutron
porosity and sonic. In the first well the gamma ray tool stuck from 1640 to 1648 m, and the neutron has a gap.
"""

import sys
from pathlib import Path

import numpy as np

WELLS = ("North 1", "North 2", "South 1")
TOP, STEP, ROWS = 1500.0, 0.2, 2001
STUCK = (1640.0, 1648.0)
_CURVES = (
    ("GR", "GAPI", "Gamma ray"),
    ("CALI", "IN", "Caliper"),
    ("ILD", "OHMM", "Deep induction"),
    ("RHOB", "G/C3", "Bulk density"),
    ("NPHI", "V/V", "Neutron porosity, limestone"),
    ("DT", "US/F", "Compressional slowness"),
)
# Of each rock: GR, CALI, log10 of resistivity, RHOB, NPHI, DT.
_ROCKS = {
    "shale": (105, 9.6, 0.5, 2.50, 0.33, 96),
    "sand": (38, 8.4, 0.1, 2.37, 0.20, 82),
    "gas": (34, 8.4, 1.7, 2.14, 0.11, 90),
    "lime": (20, 8.6, 2.3, 2.66, 0.03, 52),
}
_SPREAD = np.array([6, 0.12, 0.06, 0.018, 0.012, 1.6])


def las(name: str, seed: int) -> str:
    """One well as LAS 2.0."""
    chance = np.random.default_rng(seed)
    depth = TOP + STEP * np.arange(ROWS)
    samples = np.empty((ROWS, len(_CURVES)))
    row = 0
    while row < ROWS:
        rock = chance.choice(list(_ROCKS), p=[0.5, 0.25, 0.13, 0.12])
        thick = int(chance.integers(15, 110))
        samples[row : row + thick] = _ROCKS[rock] + _SPREAD * chance.normal()
        row += thick
    window = np.ones(7) / 7  # a tool sees some distance up and down
    for column in range(len(_CURVES)):
        noise = chance.normal(size=ROWS) * _SPREAD[column]
        padded = np.pad(samples[:, column] + noise, 3, mode="edge")
        samples[:, column] = np.convolve(padded, window, mode="valid")
    samples[:, 2] = 10 ** samples[:, 2]
    if name == WELLS[0]:
        samples[(depth >= STUCK[0]) & (depth <= STUCK[1]), 0] = 188.0
        samples[(depth > 1780) & (depth < 1790), 4] = np.nan
    head = "~Version\nVERS. 2.0 : CWLS\nWRAP. NO : one line per depth\n~Well\n"
    head += f"STRT.M {TOP:.1f} :\nSTOP.M {depth[-1]:.1f} :\nSTEP.M {STEP} :\nNULL. -999.25 :\n"
    head += f"WELL. {name} : generated\nFLD. Example : field\n~Curve\nDEPT.M : Depth\n"
    head += "".join(f"{mnemonic}.{unit} : {said}\n" for mnemonic, unit, said in _CURVES) + "~A\n"
    lines = (
        f"{place:.1f} " + " ".join("-999.25" if np.isnan(value) else f"{value:.4f}" for value in values)
        for place, values in zip(depth, samples, strict=True)
    )
    return head + "\n".join(lines) + "\n"


def write(folder: Path) -> list[Path]:
    """The three files, in a folder that is made where it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name.lower().replace(' ', '-')}.las" for name in WELLS]
    for seed, (name, path) in enumerate(zip(WELLS, paths, strict=True)):
        path.write_text(las(name, seed))
    return paths


if __name__ == "__main__":
    for written in write(Path(sys.argv[1] if len(sys.argv) > 1 else "field")):
        print(written)

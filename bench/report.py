"""The report: ratios to distribution first, then the figures, then what was measured on what."""

import os
import platform
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from measures import MEASURES, MIB, Measure, Scale
from registries import DISTRIBUTION, Kind


@dataclass(frozen=True)
class Table:
    """Every figure taken, by (measure, registry), in the order it was taken, and what went wrong."""

    figures: dict[tuple[str, str], list[float]]
    failures: list[str]
    rounds: int
    scale: Scale

    def figure(self, measure: Measure, kind: Kind) -> float | None:
        taken = self.figures.get((measure.name, kind.name))
        return median(taken) if taken else None

    def ratio(self, measure: Measure, kind: Kind) -> float | None:
        """How many times as good as distribution: above 1 is better, whatever the unit."""
        mine, reference = self.figure(measure, kind), self.figure(measure, DISTRIBUTION)
        if not mine or not reference:
            return None
        return mine / reference if measure.more else reference / mine


@dataclass(frozen=True)
class Memory:
    """Peak resident bytes before and after a 4 GiB blob, and how fast it went in and out."""

    kind: str
    before: int
    after: int
    put: float
    get: float


def markdown(table: Table, memory: list[Memory], kinds: list[Kind]) -> str:
    parts = [
        "# Side by side\n",
        f"Written by `make bench` on {datetime.now(UTC):%Y-%m-%d}: medians of {table.rounds} round(s), all registries"
        " in turn within each measure, client and server on one machine. Storage on files, nobody signs in.\n",
        "## Ratios to distribution 3.1.2\n",
        "Above 1.0 is better than distribution, for times as well. In brackets the aim; **bold** is short of it.\n",
        ratios(table, [kind for kind in kinds if kind is not DISTRIBUTION]),
        "## Figures\n",
        f"In brackets after a measure: connections. {table.scale.artifacts:,} artifacts are read at random."
        f" The big blob has {table.scale.big // MIB} MiB, the long list"
        f" {table.scale.tags:,} tags.\n",
        figures(table, kinds),
    ]
    if memory:
        parts += ["## Memory: one blob of 4 GiB in and out\n", peaks(memory)]
    parts += ["## What was measured\n", *[f"- {kind.name} ({version(kind)}): {kind.durability}." for kind in kinds]]
    parts += [
        f"- Machine: {machine()}.",
        f"- Load: {first_line('wrk', '-v')}; bench/load, {first_line('go', 'version')}.",
    ]
    if table.failures:
        parts += ["\n## What failed\n", *[f"- {failure}" for failure in table.failures]]
    return "\n".join(parts) + "\n"


def ratios(table: Table, kinds: list[Kind]) -> str:
    def cell(measure: Measure, kind: Kind) -> str:
        ratio = table.ratio(measure, kind)
        if ratio is None:
            return "-"
        if measure.aims is None or not kind.ours:
            return f"{ratio:.2f}"
        aim = measure.aims["granian" in kind.name]
        return f"{ratio:.2f} ({aim:g})" if ratio >= aim else f"**{ratio:.2f}** ({aim:g})"

    return grid(kinds, [(measure.name, [cell(measure, kind) for kind in kinds]) for measure in MEASURES])


def figures(table: Table, kinds: list[Kind]) -> str:
    def cell(measure: Measure, kind: Kind) -> str:
        figure = table.figure(measure, kind)
        return "-" if figure is None else f"{figure:,.0f}" if figure >= 100 else f"{figure:.1f}"

    rows = [(f"{measure.name}, {measure.unit}", [cell(measure, kind) for kind in kinds]) for measure in MEASURES]
    return grid(kinds, rows)


def grid(kinds: list[Kind], rows: list[tuple[str, list[str]]]) -> str:
    lines = ["| | " + " | ".join(kind.name for kind in kinds) + " |", "|---" * (len(kinds) + 1) + "|"]
    lines += [f"| {name} | " + " | ".join(cells) + " |" for name, cells in rows]
    return "\n".join(lines) + "\n"


def peaks(memory: list[Memory]) -> str:
    lines = ["| | peak before, MiB | peak after, MiB | in, MiB/s | out, MiB/s |", "|---|---|---|---|---|"]
    lines += [f"| {m.kind} | {m.before / MIB:.0f} | {m.after / MIB:.0f} | {m.put:.0f} | {m.get:.0f} |" for m in memory]
    return "\n".join(lines) + "\n"


def version(kind: Kind) -> str:
    return first_line(*kind.version)


def first_line(*command: str) -> str:
    """The first line a program says of itself, without the folder it was called by."""
    done = subprocess.run(command, capture_output=True, text=True)
    said = (done.stdout or done.stderr).strip().splitlines()
    return said[0].replace(f"{Path(command[0]).parent}/", "") if said else "version unknown"


def machine() -> str:
    info = Path("/proc/cpuinfo")
    names = [line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    return (
        f"{os.cpu_count()} cores ({names[0] if names else platform.machine()}), {memory:.0f} GiB,"
        f" {platform.system()} {platform.release()}, Python {platform.python_version()}"
    )

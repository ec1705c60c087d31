"""The tables of scale.py, and what its figures come to for other amounts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import NamedTuple

import heaps
from calls import Cost
from fleet import BEAT, Idle, Work

WRAP = 200_000_000
"""Transactions after which PostgreSQL freezes a table whatever else happens (autovacuum_freeze_max_age)."""
TABLE_MOST = 32 << 40
"""Bytes of one table of PostgreSQL."""
COMPANY = 100_000, 40, 5
"""Wells, curves of each, versions of each."""


class Rows(NamedTuple):
    """Of one table: rows, bytes of the heap, bytes of all its indexes."""

    count: int
    heap: int
    indexes: int


@dataclass(frozen=True)
class Beside:
    """What was measured beside an amount of blobs."""

    blobs: int
    curves: int
    costs: Mapping[str, Cost]
    collected: float
    rows: Mapping[str, Rows]

    @property
    def bytes(self) -> tuple[float, float]:
        """Heap and indexes of all tables, for each blob."""
        return tuple(sum(each) / self.blobs for each in zip(*(row[1:] for row in self.rows.values()), strict=True))  # type: ignore[return-value]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


def of_rows(last: Beside) -> str:
    """Bytes a row, rows a curve version."""
    versions = last.curves * heaps.VERSIONS
    lines = [
        [f"`{name}`", f"{row.count / versions:.2f}", f"{row.heap / row.count:.0f}", f"{row.indexes / row.count:.0f}",
         f"{(row.heap + row.indexes) / versions:,.0f}"]
        for name, row in last.rows.items() if row.count > versions / heaps.VERSIONS / heaps.IN_WELL / 2
    ]  # fmt: skip
    whole = sum(row.heap + row.indexes for row in last.rows.values())
    lines.append(["all", "", "", "", f"{whole / versions:,.0f}"])
    return table(["table", "rows a version", "bytes a row", "and in indexes", "bytes a version"], lines)


def of_calls(besides: Sequence[Beside]) -> str:
    """Blocks, and ms, beside each amount."""

    def cell(cost: Cost) -> str:
        return f"{max(0, cost.blocks):,.0f}, {cost.ms:.1f} ms"

    head = ["call", *(f"{each.blobs:,} blobs" for each in besides), "log, kB", "transactions"]
    lines = [
        [name, *(cell(each.costs[name]) for each in besides), f"{cost.wal / 1000:.1f}", f"{cost.xids:.0f}"]
        for name, cost in besides[-1].costs.items()
    ]
    lines.append(["gc, blobs a second", *(f"{each.collected:,.0f}" for each in besides), "", ""])
    return table(head, lines)


def of_work(worked: Sequence[Work]) -> str:
    return table(
        [
            "request, 16 at once",
            "a second",
            "CPU ms of the node",
            "CPU ms of PostgreSQL",
            "nodes to a core of PostgreSQL",
        ],
        [
            [
                w.name,
                f"{w.rate:,.0f}",
                f"{w.node:.2f}",
                f"{w.postgres:.2f}",
                f"{1000 / max(w.postgres * w.rate, 1e-9):.1f}",
            ]
            for w in worked
        ],
    )


def of_nodes(idle: Sequence[Idle], beats: Mapping[int, Cost], told: Mapping[int, tuple[float, float]]) -> str:
    """Nodes that nobody asks, and from how many on their signs of life fill a core."""
    real = table(
        ["nodes", "connections", "transactions /s", "log, kB/s", "CPU of PostgreSQL, ms/s"],
        [[f"{i.nodes}", f"{i.connections}", f"{i.transactions:.1f}", f"{i.log:.1f}", f"{i.cpu:.0f}"] for i in idle],
    )
    few, many = min(beats), max(beats)
    slope = max(0.0, (beats[many].ms - beats[few].ms) / (many - few))
    base = beats[few].ms - slope * few  # n / BEAT calls a second of base + slope * n ms each: a core at 1000 ms
    core = (sqrt(base**2 + 4 * slope * 1000 * BEAT) - base) / (2 * slope) if slope else 1000 * BEAT / base
    signs = table(
        ["nodes that say they live", *(f"{n:,}" for n in beats), "a core is full at"],
        [
            [
                "ms, blocks of one sign of life",
                *(f"{c.ms:.2f} ms, {c.blocks:.0f}" for c in beats.values()),
                f"{core:,.0f} nodes",
            ]
        ],
    )
    heard = table(
        ["sessions that listen", *(f"{n:,}" for n in told)],
        [
            ["ms until the last has heard", *(f"{ms:.2f}" for ms, _ in told.values())],
            ["CPU ms of PostgreSQL", *(f"{spent:.2f}" for _, spent in told.values())],
        ],
    )
    return "\n".join((real, signs, heard))


def of_amounts(last: Beside, freeze: float, worked: Sequence[Work]) -> str:
    """What the figures come to."""
    wells, curves, versions = COMPANY
    company = wells * curves * heaps.OWN + wells
    amounts = (10**6, 10**7, company, 10**9)
    heap, indexes = last.bytes
    largest = max(last.rows, key=lambda name: last.rows[name].heap)
    largest_heap = last.rows[largest].heap / last.blobs
    pushed, edited = last.costs["curve pushed, new"], last.costs["curve pushed, edited"]
    xids = (pushed.xids + edited.xids * (versions - 1)) / versions
    versions_a_blob = heaps.VERSIONS / heaps.OWN
    per_second = next(work.rate for work in worked if "pushed" in work.name)

    def row(name: str, formula: str, each: float, form: str) -> list[str]:
        return [name, formula, *(format(amount * each, form) for amount in amounts)]

    whole, days = (heap + indexes) / 1e9, versions_a_blob / per_second / 86400
    lines = [
        row("curve versions", f"{versions_a_blob:.2f} a blob", versions_a_blob, ",.0f"),
        row("rows, GB", f"{heap:,.0f} B a blob", heap / 1e9, ",.1f"),
        row("their indexes, GB", f"{indexes:,.0f} B a blob", indexes / 1e9, ",.1f"),
        row(f"`{largest}`, of a table's 32 TiB", f"{largest_heap:,.0f} B a blob", largest_heap / TABLE_MOST, ".2%"),
        row("vacuum against wraparound, hours", f"{freeze:.2f} GB/s", whole / freeze / 3600, ",.2f"),
        row(
            "such vacuums until all is pushed",
            f"{xids:.1f} transactions a version",
            versions_a_blob * xids / WRAP,
            ",.2f",
        ),
        row("days that one node pushes", f"{per_second:,.0f} artifacts/s", days, ",.2f"),
        row("gc of a tenth, hours", f"{last.collected:,.0f} blobs/s", 0.1 / last.collected / 3600, ",.2f"),
    ]
    return table(["", "formula", *(f"{amount:,} blobs" for amount in amounts)], lines)

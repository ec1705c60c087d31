"""The tables of scale.py, and what its figures come to for other amounts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import NamedTuple

import heaps
from calls import Cost
from fleet import Idle, Work

from dataforge_registry.registry.load.nodes import BEAT_SECONDS

WRAP = 200_000_000
"""Transactions after which PostgreSQL freezes a table whatever else happens (autovacuum_freeze_max_age)."""
PAGE, TABLE_MOST = 8192, 32 << 40
"""Bytes of a page and, at the most, of a table of PostgreSQL."""
COMPANY = 100_000, 40, 5
"""Wells, curves of each, versions of each."""


class Rows(NamedTuple):
    """Of one table: rows, bytes of the heap, bytes of each of its indexes."""

    count: int
    heap: int
    indexes: Sequence[int]

    @property
    def bytes(self) -> int:
        return self.heap + sum(self.indexes)

    @property
    def upper(self) -> float:
        """Bytes of its indexes above their leaves: an entry there for each leaf, as wide as the leaf's."""
        return sum(size * size / self.count / PAGE for size in self.indexes)


@dataclass(frozen=True)
class Beside:
    """What was measured beside an amount of blobs."""

    blobs: int
    curves: int
    costs: Mapping[str, Cost]
    collected: float
    rows: Mapping[str, Rows]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in (head, *rows)]
    return "\n".join((lines[0], "|---" * len(head) + "|", *lines[1:])) + "\n"


def figure(value: float) -> str:
    """Three digits where they say something."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2g}"


def of_rows(last: Beside) -> str:
    """Bytes a row, rows a curve version; tables of few rows are left out."""
    versions = last.curves * heaps.VERSIONS
    whole = sum(row.bytes for row in last.rows.values())
    shown = sorted(last.rows.items(), key=lambda item: -item[1].bytes)
    lines = [
        [
            f"`{name}`",
            f"{row.count / versions:.1f}",
            f"{row.heap / row.count:.0f}",
            f"{sum(row.indexes) / row.count:.0f} in {len(row.indexes)}",
            f"{row.bytes / versions:,.0f}",
        ]
        for name, row in shown
        if row.bytes > whole / 100
    ]
    lines.append(["all, and smaller ones", "", "", "", f"{whole / versions:,.0f}"])
    return table(["table", "rows a version", "bytes a row", "in indexes", "bytes a version"], lines)


def of_calls(besides: Sequence[Beside]) -> str:
    """Blocks and ms beside each amount, bytes of log and transactions beside the most."""
    head = ["call: blocks, ms", *(f"{each.blobs:,} blobs" for each in besides), "log, kB", "transactions"]
    lines = []
    for name, cost in besides[-1].costs.items():
        costs = [each.costs[name] for each in besides]
        cells = [f"{max(0, c.blocks):,.0f}, {c.ms:.1f}" for c in costs]
        lines.append([name, *cells, f"{max(0, cost.wal) / 1000:.1f}", f"{cost.xids:.0f}"])
    lines.append(["gc, blobs a second", *(f"{each.collected:,.0f}" for each in besides), "", ""])
    return table(head, lines)


def of_work(worked: Sequence[Work]) -> str:
    """What a core of a node does, and how many of them a core of PostgreSQL bears."""
    lines = [
        [w.name, f"{1000 / w.node:,.0f}", f"{w.node:.2f}", f"{w.postgres:.2f}", f"{w.node / w.postgres:.1f}"]
        for w in worked
    ]
    head = ["request", "a core of a node does, a second", "CPU ms of the node", "and of PostgreSQL", "ratio"]
    return table(head, lines)


def of_nodes(
    idle: Sequence[Idle], beats: Mapping[int, tuple[float, float]], told: Mapping[int, tuple[float, float]]
) -> str:
    """Nodes that nobody asks, and from how many on their signs of life fill a core."""
    few, many = min(beats), max(beats)
    slope = max(1e-6, (beats[many][0] - beats[few][0]) / (many - few))
    base = max(0.0, beats[few][0] - slope * few)
    core = (sqrt(base**2 + 4 * slope * 1000 * BEAT_SECONDS) - base) / (2 * slope)
    parts = (
        table(
            ["nodes that nobody asks", "connections", "transactions /s", "log, kB/s", "CPU of PostgreSQL, ms/s"],
            [[f"{i.nodes}", f"{i.connections}", f"{i.transactions:.0f}", f"{i.log:.1f}", f"{i.cpu:.0f}"] for i in idle],
        ),
        table(
            ["signs of life, one in 5 s of each", *(f"{n:,} nodes" for n in beats), "a core is full at"],
            [["CPU ms, blocks", *(f"{ms:.2f}, {n:.0f}" for ms, n in beats.values()), f"{core:,.0f} nodes"]],
        ),
        table(
            ["a notification", *(f"{n:,} that listen" for n in told)],
            [["CPU ms", *(f"{spent:.2f}" for _, spent in told.values())]],
        ),
    )
    return "\n".join(parts)


def of_amounts(last: Beside, freeze: float, worked: Sequence[Work]) -> str:
    """What the figures come to for other amounts, and what is next where they are too much."""
    wells, curves, versions = COMPANY
    amounts = (10**6, 10**7, wells * curves * heaps.OWN + wells, 10**9)
    heap = sum(row.heap for row in last.rows.values()) / last.blobs
    indexes = sum(sum(row.indexes) for row in last.rows.values()) / last.blobs
    upper = sum(row.upper for row in last.rows.values()) / last.blobs
    name, largest = max(last.rows.items(), key=lambda item: item[1].heap)
    pushed, edited = last.costs["curve pushed, new"], last.costs["curve pushed, edited"]
    share = heaps.VERSIONS / heaps.OWN
    xids = share * (pushed.xids + edited.xids * (versions - 1)) / versions
    push = next(work for work in worked if "pushed" in work.name)

    def row(what: str, each: float, formula: str, then: str) -> list[str]:
        return [what, formula, *(figure(amount * each) for amount in amounts), then]

    whole, fill = (heap + indexes) / 1e9, largest.heap / last.blobs
    wide, upper_then = "a look-up reads one page from disk: NVMe", "memory, or look-ups read two pages and more"
    forced = "`autovacuum_freeze_max_age` to 10^9; pushes that share transactions (`dfr import`)"
    node, primary = (share * ms / 86.4e6 for ms in (push.node, push.postgres))
    lines = [
        row("curve versions", share, f"{share:.2f} a blob", ""),
        row("rows, GB", heap / 1e9, f"{heap:,.0f} B a blob", "disk"),
        row("their indexes, GB", indexes / 1e9, f"{indexes:,.0f} B a blob", wide),
        row("of these above the leaves, GB", upper / 1e9, f"{upper:,.1f} B a blob", upper_then),
        row(f"`{name}`, % of a table's 32 TiB", 100 * fill / TABLE_MOST, f"{fill:,.0f} B a blob", "partitions"),
        row("a vacuum of all, hours", whole / freeze / 3600, f"{freeze:.2f} GB/s", "partitions, side by side"),
        row("such vacuums that pushes force", xids / WRAP, f"{xids:.1f} transactions a blob", forced),
        row("pushes one by one, core-days of nodes", node, f"{push.node:.1f} ms", "more nodes"),
        row("and of PostgreSQL", primary, f"{push.postgres:.1f} ms", "`dfr import`"),
        row("gc of a tenth, hours", 0.1 / last.collected / 3600, f"{last.collected:,.0f} blobs/s", "more workers"),
    ]
    return table(["", "formula", *(f"{amount:,} blobs" for amount in amounts), "too much? then"], lines)

"""Whether the audit trail is as it was sealed: every row altered, deleted, inserted or put elsewhere shows.

What nobody can see from the database alone is an end cut off with its checkpoints: `expected` is a chain that was
written down elsewhere (the worker's log and the forwarded stream carry each), which must be there.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from ..records import checkpoints, journal
from ..records.checkpoints import Checkpoint, Tip
from ..records.database import Database
from ..records.journal import Entry
from ..sealing import HINT, Trust, checkpoint_text, purge_text, sealed_rows
from ..secrets import Vault

MOST: Final = 1000
"""Findings that are told one by one."""
LATE: Final = timedelta(days=1)
"""How far a row's time may lie before the checkpoint that came before it was made."""
NAMED: Final = 5
FIRST: Final = -(2**63)
SURPLUS: Final = 100
"""How many rows beyond those of a checkpoint are read, to be told."""


@dataclass
class Checked:
    """What was looked at, and what is wrong with it, a line each."""

    rows: int = 0
    points: int = 0
    unsealed: int = 0
    purged: int = 0
    findings: list[str] = field(default_factory=list)
    more: int = 0

    def add(self, finding: str) -> None:
        """One more."""
        if len(self.findings) < MOST:
            self.findings.append(finding)
        else:
            self.more += 1


async def check(
    database: Database, vault: Vault | None, expected: str = "", tell: Callable[[int], None] = lambda _: None
) -> Checked:
    """The whole trail; `tell` hears how many rows were read. `vault` None: signatures are not looked at."""
    done = Checked()
    async with database.acquire() as conn:
        purges = await checkpoints.purges(conn)
        trust = None if vault is None else await Trust.load(conn, vault)
    for fault in trust.broken if trust else ():
        done.add(fault)
    for purge in purges:
        wrong = trust and trust.fault(purge.kid, purge.signature, purge_text(purge))
        if wrong:
            done.add(f"the purge up to checkpoint {purge.number} {wrong}")
    tip = checkpoints.base(purges[-1] if purges else None)
    done.purged = tip.total
    seen = {tip.chain.hex()} | {purge.chain.hex() for purge in purges}
    async with database.acquire() as conn:
        if before := len(await journal.read(conn, FIRST, tip.last_id, MOST)):
            done.add(f"{before} rows stand before the first that is kept: a purge is under way, or they were put there")
    async for point in checkpoints.each(database, tip.number):
        await _check_point(database, trust, tip, point, done)
        tip = Tip(point.number, point.last_id, point.total, point.chain, point.made_at)
        seen.add(point.chain.hex())
        tell(done.rows)
    async with database.acquire() as conn:
        last, newest = await conn.fetchval(journal.LAST), await conn.fetchval(journal.GIVEN)
        if last is not None and last > newest:
            done.add(f"row {last} has a number that was never given")
        while rows := await journal.read(conn, tip.last_id, newest):
            done.unsealed += len(rows)
            tip = Tip(tip.number, rows[-1].log_id)
    if expected and expected not in seen:
        done.add(f"no checkpoint has the chain {expected}: the trail was cut off before it, or made again")
    return done


async def _check_point(database: Database, trust: Trust | None, tip: Tip, point: Checkpoint, done: Checked) -> None:
    name = f"checkpoint {point.number}"
    done.points += 1
    if point.number != tip.number + 1 or point.after_id != tip.last_id:
        done.add(f"between checkpoints {tip.number} and {point.number} one was taken out or put in")
    if wrong := trust and trust.fault(point.kid, point.signature, checkpoint_text(point)):
        done.add(f"{name} {wrong}")
    async with database.acquire() as conn:
        rows = await journal.read(conn, point.after_id, point.last_id, point.row_count + SURPLUS)
    done.rows += len(rows)
    chain, hints = sealed_rows(tip.chain, rows)
    if chain != point.chain or len(rows) != point.row_count:
        done.add(f"{name} (rows {point.after_id + 1} to {point.last_id}): {_difference(point, rows, hints)}")
    elif point.total != tip.total + point.row_count:
        done.add(f"{name} counts {point.total} rows from the beginning, not {tip.total + point.row_count}")
    if tip.made_at is not None:
        late = [row.log_id for row in rows if row.op_time < tip.made_at - LATE]
        if late:
            done.add(f"{name}: {_named(late)} say they are older than rows that were sealed before them")


def _difference(point: Checkpoint, rows: list[Entry], hints: bytes) -> str:
    was, found = _split(point.hints), _split(hints)
    left = Counter(was)
    strange = []
    for row, hint in zip(rows, found, strict=True):
        if left[hint]:
            left[hint] -= 1
        else:
            strange.append(row.log_id)
    lost = sum(left.values())
    text = f"{point.row_count} rows were sealed, {len(rows)} are there"
    if strange:
        text += f"; {_named(strange)} are not as sealed"
    if lost > len(strange):
        text += f"; {lost - len(strange)} are missing"
    if not strange and not lost:
        text += "; the chain before it, or its own, is another"
    return text


def _split(hints: bytes) -> list[bytes]:
    return [hints[n : n + HINT] for n in range(0, len(hints), HINT)]


def _named(ids: list[int]) -> str:
    more = f" and {len(ids) - NAMED} more" if len(ids) > NAMED else ""
    return f"row{'s' if len(ids) > 1 else ''} {', '.join(map(str, ids[:NAMED]))}{more}"

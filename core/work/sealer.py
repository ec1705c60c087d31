"""Sealing the audit trail: each minute, or each ROWS rows, a signed checkpoint over what can no longer change.

Any number of workers may do it: the one whose checkpoint has its number first was first.
"""

import logging
from dataclasses import replace
from datetime import timedelta
from typing import Final

from ..records import checkpoints
from ..records.checkpoints import Checkpoint
from ..records.database import Database
from ..records.journal import Horizon, read
from ..sealing import Signer, checkpoint_text, next_checkpoint

log = logging.getLogger(__name__)

ROWS: Final = 2000
"""Rows of a checkpoint at most: a page of the journal begins at one (core/records/trail.py)."""
EVERY: Final = timedelta(minutes=1)


class Sealer:
    """`signer` None: there is no master secret, and checkpoints are not signed."""

    def __init__(
        self, database: Database, signer: Signer | None, *, rows: int = ROWS, every: timedelta = EVERY
    ) -> None:
        self._database = database
        self._signer = signer
        self._rows = rows
        self._every = every
        self._horizon = Horizon()

    async def step(self) -> int:
        """Make the next checkpoint, if it is time; returns how many rows it holds."""
        async with self._database.acquire() as conn:
            settled = await self._horizon.settled(conn)
            tip = await checkpoints.tip(conn)
            if settled <= tip.last_id:
                return 0
            now = await checkpoints.now(conn)
            rows = await read(conn, tip.last_id, settled, self._rows)
        full = len(rows) == self._rows
        if not rows or not (full or tip.made_at is None or now - tip.made_at >= self._every):
            return 0
        through = rows[-1].log_id if full else settled
        point = Checkpoint(**next_checkpoint(tip, rows, through), made_at=now)
        sealed = None
        if self._signer is not None:
            kid, signature, sealed = await self._signer.sign(checkpoint_text(point))
            point = replace(point, kid=kid, signature=signature)
        async with self._database.transaction() as conn:
            if sealed is not None:
                await checkpoints.keep_key(conn, point.kid, sealed)
            if not await checkpoints.add(conn, point):
                return 0
        log.info("audit checkpoint %d: rows to %d, chain %s", point.number, point.last_id, point.chain.hex())
        return len(rows)

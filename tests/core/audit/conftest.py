"""A trail that a test may write, seal and tamper with."""

from dataclasses import dataclass
from datetime import timedelta

import pytest

from dataforge_registry.core.records.database import Database
from dataforge_registry.core.sealing import Signer
from dataforge_registry.core.secrets import Vault
from dataforge_registry.core.signing import KeyRing
from dataforge_registry.core.work.audit_check import Checked, check
from dataforge_registry.core.work.sealer import Sealer

WRITE = """INSERT INTO access_log (username, project_id, repo_name, repo_tag, operation, resource, address, request_id,
  op_time)
SELECT 'user' || n, 1, 'p/r' || n % 7, 'v' || n, 'push', 'sha256:' || n, '192.0.2.1', 'r' || n, clock_timestamp()
FROM generate_series(1, $1::int) AS n"""


@dataclass
class Trail:
    """`rows`: of a checkpoint at most."""

    database: Database
    vault: Vault
    rows: int = 50

    def sealer(self, every: timedelta = timedelta(0)) -> Sealer:
        keys = KeyRing(self.database, self.vault, "issuer", "service")
        return Sealer(self.database, Signer(keys, self.vault), rows=self.rows, every=every)

    async def write(self, count: int) -> None:
        await self.execute(WRITE, count)

    async def seal(self) -> None:
        """All that is there."""
        sealer = self.sealer()
        idle = 0
        while idle < 3:  # the horizon follows by a step
            idle = 0 if await sealer.step() else idle + 1

    async def check(self, expected: str = "") -> Checked:
        return await check(self.database, self.vault, expected)

    async def ids(self) -> list[int]:
        """Newest first."""
        async with self.database.acquire() as conn:
            return [row["log_id"] for row in await conn.fetch("SELECT log_id FROM access_log ORDER BY log_id DESC")]

    async def execute(self, statement: str, *args: object) -> None:
        async with self.database.acquire() as conn:
            await conn.execute(statement, *args)

    async def value(self, statement: str, *args: object) -> object:
        async with self.database.acquire() as conn:
            return await conn.fetchval(statement, *args)


@pytest.fixture
def trail(database: Database) -> Trail:
    return Trail(database, Vault("a master secret of more than 32 characters"))

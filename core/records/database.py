"""PostgreSQL as the records see it: a pool that heals, transactions that are retried, notifications that survive.

Everything works behind a pooler in transaction mode: no session state but what the connection starts with, `SET LOCAL`
and transaction-level locks only. LISTEN and migrations need a session of their own: they use `direct_url`.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias, TypeVar
from urllib.parse import parse_qs, urlsplit

import asyncpg

from ..oci.errors import Unavailable
from .hosts import connector
from .outages import AGAIN, REFUSED, RETRY_AFTER, told, unavailable
from .replicas import Replicas

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    from .hosts import Connect

    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]
    Pool: TypeAlias = asyncpg.Pool[asyncpg.Record]
else:
    Connection = asyncpg.Connection
    Pool = asyncpg.Pool

T = TypeVar("T")
log = logging.getLogger(__name__)

PLANS: Final = {"plan_cache_mode": "force_generic_plan", "enable_seqscan": "off"}
"""Every statement is short, indexed and run all day: planned once a connection (a look-up takes 0.1 ms to run and 3 to
plan), and by its index also while tables are new and have no statistics."""
QUESTIONS: Final = 2
"""Connections of a process for questions that people ask of the catalogue: however slow, they hold up no pull."""
ASKED: Final = {"plan_cache_mode": "force_custom_plan", "enable_seqscan": "on", "jit": "off"}
"""A question's conditions are the caller's, and a plan that is good for one value of them reads all for another."""
OLDEST_SERVER: Final = 15
RETRIES: Final = 3


class Database:
    """A pool of connections to one database. Whatever keeps it from answering is `Unavailable` (503, Retry-After)."""

    def __init__(
        self,
        pool: Pool,
        questions: Pool,
        direct: Connect,
        local: dict[str, str],
        patience: float,
        replicas: tuple[dict[str, Pool], float],
    ) -> None:
        self._pool = pool
        self._questions = questions
        self._connect = direct
        self._local = _set_local(local)
        self._asked = _set_local(local | ASKED) if local else ""
        self._patience = patience
        self._replicas = Replicas(*replicas, self._row) if replicas[0] else None

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        direct_url: str | None = None,
        size: int = 10,
        pooler: bool = False,
        patience: float = 10.0,
        statement_timeout: float = 30.0,
        idle_in_transaction: float = 30.0,
        application: str = "dataforge-registry",
        replicas: Sequence[str] = (),
        staleness: float = 5.0,
    ) -> Self:
        """Connect, or `Unavailable` saying what is wrong with `url` (never its password).

        `size` is the most connections this process holds; `patience` the seconds a caller waits for one;
        `statement_timeout` and `idle_in_transaction` are seconds, enforced by the server. `pooler` says that `url` is a
        pooler in transaction mode: nothing is prepared ahead and settings travel in each transaction; `direct_url`
        is then the server's own address. `replicas` are addresses of standbys that may answer questions (`ask`) while
        they are less than `staleness` seconds behind.
        """
        limits = {
            "statement_timeout": f"{round(statement_timeout * 1000)}ms",
            "idle_in_transaction_session_timeout": f"{round(idle_in_transaction * 1000)}ms",
        }

        def connections(most: int, plans: dict[str, str], url: str = url, pooler: bool = pooler) -> Pool:
            return asyncpg.create_pool(
                connect=connector(url, patience, REFUSED),
                min_size=0,  # asyncpg logs a traceback for each failure to restore a minimum
                max_size=most,
                command_timeout=statement_timeout + 5,  # for a server that does not answer at all
                statement_cache_size=0 if pooler else 256,
                reset=_keep,
                server_settings={"application_name": application} | ({} if pooler else limits | plans),
            )

        try:
            pool = await connections(size, PLANS)
            questions = await connections(QUESTIONS, ASKED)
            behind = {_place(each): await connections(QUESTIONS + 1, ASKED, each, False) for each in replicas}
            async with pool.acquire(timeout=patience) as conn:
                version = conn.get_server_version().major
        except REFUSED as error:
            raise Unavailable(
                f"cannot use PostgreSQL at {_place(url)}: {_reason(error)}", headers=RETRY_AFTER
            ) from error
        if version < OLDEST_SERVER:
            await pool.close()
            raise Unavailable(f"{_place(url)} is PostgreSQL {version}: {OLDEST_SERVER} or newer is needed")
        local = limits | {"enable_seqscan": "off"} if pooler else {}  # what is not prepared has no plan to keep
        return cls(
            pool, questions, connector(direct_url or url, patience, REFUSED), local, patience, (behind, staleness)
        )

    async def close(self) -> None:
        """Give back all connections; those still in use after `patience` seconds are cut."""
        if self._replicas is not None:
            await self._replicas.close()
        try:
            async with asyncio.timeout(self._patience):
                await asyncio.gather(*(pool.close() for pool in self._pools))
        except TimeoutError:
            for pool in self._pools:
                pool.terminate()

    @property
    def connections(self) -> tuple[int, int]:
        """How many connections of the pool are in use, and how many it may have."""
        return self._pool.get_size() - self._pool.get_idle_size(), self._pool.get_max_size()

    @property
    def _pools(self) -> list[Pool]:
        return [self._pool, self._questions]

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Connection]:
        """A connection, each statement its own transaction. Never hold one while bytes stream."""
        async with self._acquired(self._pool) as conn:
            yield conn

    @asynccontextmanager
    async def _acquired(self, pool: Pool) -> AsyncIterator[Connection]:
        with told():
            try:
                conn = await pool.acquire(timeout=self._patience)
            except REFUSED as error:
                raise unavailable() from error
            try:
                yield conn
            except asyncpg.ReadOnlySQLTransactionError:
                await pool.expire_connections()  # after a failover they all point at the old server
                raise
            finally:
                await pool.release(conn)

    async def ask(self, statement: str, *args: Any, patience: float, behind: bool = False) -> list[asyncpg.Record]:
        """The rows of a question whose conditions people choose (see QUESTIONS, ASKED), within `patience` seconds.
        `behind`: it says nothing of rights, and a replica may answer it as of a moment ago."""
        if behind and self._replicas is not None:
            with told():
                found = await self._replicas.ask(statement, args, patience)
            if found is not None:
                return found
        async with self._acquired(self._questions) as conn:
            if not self._asked:
                return await conn.fetch(statement, *args, timeout=patience)
            async with conn.transaction(isolation="read_committed"):
                await conn.execute(self._asked)
                return await conn.fetch(statement, *args, timeout=patience)

    async def _row(self, statement: str) -> asyncpg.Record | None:
        async with self.acquire() as conn:
            return await conn.fetchrow(statement)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """A connection inside a READ COMMITTED transaction: committed at the end, rolled back by an exception.

        `Unavailable` out of the commit itself means that nobody knows: the caller's retry must be idempotent.
        """
        async with self.acquire() as conn, conn.transaction(isolation="read_committed"):
            if self._local:
                await conn.execute(self._local)
            yield conn

    async def run(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """`work` in a transaction, run again up to 3 times after a deadlock or serialization error: it may run more
        than once, so whatever it does besides SQL must bear that."""
        for attempt in range(RETRIES):
            try:
                async with self.transaction() as conn:
                    return await work(conn)
            except AGAIN:
                await asyncio.sleep(random.uniform(0, 0.01 * 2**attempt))
        try:
            async with self.transaction() as conn:
                return await work(conn)
        except AGAIN as error:
            raise unavailable() from error

    @asynccontextmanager
    async def direct(self) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
        """A connection of its own, past the pool and any pooler, without time limits: migrations, LISTEN."""
        with told():
            try:
                conn = await self._connect(statement_cache_size=0)
            except REFUSED as error:
                raise unavailable() from error
            try:
                yield conn
            finally:
                if not conn.is_closed():
                    await conn.close(timeout=self._patience)

    async def listen(self, channel: str, callback: Callable[[str | None], None], *, ping: float = 30.0) -> None:
        """Call back with each payload notified on `channel`, until cancelled (run it as a task).

        `None` means "listening from now on": the first time, and after each lost connection, when notifications may
        have been missed and whatever they keep fresh must be read anew. The connection is tried every `ping` seconds,
        because a dead one is silent.
        """
        while True:
            try:
                async with self.direct() as conn:
                    lost = asyncio.Event()
                    conn.add_termination_listener(lambda _, lost=lost: lost.set())
                    await conn.add_listener(channel, lambda _, pid, name, payload: callback(str(payload)))
                    callback(None)
                    while not await _is_set_within(lost, ping):
                        await conn.execute("SELECT 1", timeout=self._patience)
            except Unavailable as error:
                log.warning("listening on %s: %s; trying again", channel, error.__cause__ or error)
            await asyncio.sleep(1)


def _set_local(values: dict[str, str]) -> str:
    return "; ".join(f"SET LOCAL {name} = '{value}'" for name, value in values.items())


async def _keep(conn: Any) -> None:
    """Nothing to reset, since nothing outlives a transaction; saves a round trip whenever a connection comes back."""


async def _is_set_within(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False


def _place(url: str) -> str:
    """A URL without its secrets: hosts, ports and database only."""
    try:
        parts = urlsplit(url)
    except ValueError:  # a broken IPv6 address
        return "database.url"
    query = parse_qs(parts.query)
    said = ":".join(",".join(query[name]) for name in ("host", "port") if name in query)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2] or said, query="").geturl()


def _reason(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__

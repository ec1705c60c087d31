"""What can go wrong with PostgreSQL and passes, as callers see it: Unavailable (503, Retry-After)."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import asyncpg

from ..oci.errors import Unavailable

RETRY_AFTER: Final = {"Retry-After": "5"}

LOST: Final = (
    ConnectionError,
    TimeoutError,
    asyncpg.PostgresConnectionError,  # class 08
    asyncpg.InsufficientResourcesError,  # class 53: too many connections, disk full, out of memory
    asyncpg.OperatorInterventionError,  # class 57: shutdown, crash, still starting, statement_timeout
    asyncpg.PostgresSystemError,  # class 58: the server's own I/O errors
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.ReadOnlySQLTransactionError,  # a standby, or a server switched to read-only
    asyncpg.InternalClientError,  # seen: a query sent between a killed server's last words and the end of the stream
)
"""What makes a statement fail for a reason that passes, whatever the statement is."""

REFUSED: Final = (
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    ValueError,  # an address that is none, as the system and asyncpg see it
    OverflowError,  # a port beyond 65535
)
"""What connecting can raise."""

AGAIN: Final = (
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.InvalidCachedStatementError,
    asyncpg.OutdatedSchemaCacheError,
)
"""What a transaction survives by running again: 40P01, 40001, and a plan or type that a migration made stale."""


@contextmanager
def told() -> Iterator[None]:
    """Whatever of this is raised inside comes out as Unavailable, but AGAIN: what runs it may run it again."""
    try:
        yield
    except AGAIN:
        raise
    except LOST as error:
        raise unavailable() from error
    except asyncpg.InterfaceError as error:
        if "clos" in str(error):  # "connection is closed", "pool is closing": the other interface errors are our bugs
            raise unavailable() from error
        raise


def unavailable() -> Unavailable:
    """The error of a database that cannot be used."""
    return Unavailable("the database cannot be used now; try again in a few seconds", headers=RETRY_AFTER)

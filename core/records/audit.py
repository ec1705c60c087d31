"""The audit trail: a change and its access_log row are one transaction."""

from ..access import Principal
from .database import Connection

RECORD = """
INSERT INTO access_log (username, project_id, operation, resource_type, resource, address, request_id)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
REFUSED = """
INSERT INTO access_log (username, operation, resource_type, resource, address, result)
VALUES ($1, $2, $3, $4, $5, false)
"""


async def record(
    conn: Connection,
    by: Principal,
    operation: str,
    resource_type: str,
    resource: str,
    *,
    project_id: int | None = None,
    address: str = "",
    request_id: str = "",
) -> None:
    """Write down who did what to what, in the transaction that does it. Never a secret."""
    await conn.execute(RECORD, by.name, project_id, operation, resource_type, resource, address, request_id)


async def refused(
    conn: Connection, by: Principal, operation: str, resource_type: str, resource: str, address: str = ""
) -> None:
    """Write down what somebody tried and may not."""
    await conn.execute(REFUSED, by.name, operation, resource_type, resource, address)

"""The signing keys of the token service: one active, one next (known to all before it signs), the retired ones."""

from dataclasses import dataclass
from datetime import timedelta

from .database import Connection

ALONE = "SELECT pg_advisory_xact_lock(hashtextextended('dataforge-registry signing keys', 0))"

LOAD = """
SELECT kid, algorithm, state, public_key::text, private_key,
       coalesce(extract(epoch FROM now() - activated_at), 0)::float8
FROM signing_key ORDER BY creation_time, kid
"""

INSERT = """
INSERT INTO signing_key (kid, algorithm, state, public_key, private_key, activated_at)
VALUES ($1, $2, $3, $4::jsonb, $5, CASE WHEN $3 = 'active' THEN now() END)
"""

RETIRE = "UPDATE signing_key SET state = 'retired', retired_at = now() WHERE state = 'active'"

ACTIVATE = "UPDATE signing_key SET state = 'active', activated_at = now() WHERE kid = $1"

FORGET = "DELETE FROM signing_key WHERE state = 'retired' AND retired_at < now() - $1::interval"

RESEAL = "UPDATE signing_key SET private_key = $2 WHERE kid = $1"


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A row of signing_key. `public_key` is a JWK (RFC 7517) as JSON, `private_key` sealed, `age` the seconds since
    it began to sign."""

    kid: str
    algorithm: str
    state: str
    public_key: str
    private_key: bytes
    age: float = 0.0


async def alone(conn: Connection) -> None:
    """Wait until no other transaction changes the keys."""
    await conn.execute(ALONE)


async def load(conn: Connection) -> list[KeyRow]:
    """All keys, oldest first."""
    return [KeyRow(*row) for row in await conn.fetch(LOAD)]


async def insert(conn: Connection, row: KeyRow) -> None:
    """Add a key."""
    await conn.execute(INSERT, row.kid, row.algorithm, row.state, row.public_key, row.private_key)


async def activate(conn: Connection, kid: str) -> None:
    """Retire the active key, where there is one, and sign with this one from now on."""
    await conn.execute(RETIRE)
    await conn.execute(ACTIVATE, kid)


async def forget(conn: Connection, after: timedelta) -> None:
    """Drop keys that retired so long ago that no token of theirs can still be valid."""
    await conn.execute(FORGET, after)


async def reseal(conn: Connection, kid: str, private_key: bytes) -> None:
    """Replace a sealed private key by the same one sealed anew."""
    await conn.execute(RESEAL, kid, private_key)

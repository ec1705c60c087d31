"""Brakes against guessing passwords: who failed often lately waits, twice as long each time, and never for good.

Each failure counts three times: for the name from that address, for the address whatever the name (offices share one),
and for the name wherever it comes from (the wait is short, so that nobody can be shut out by strangers). A name comes
here as a keyed hash: people type passwords into its field.
"""

from dataclasses import dataclass

from .database import Connection

WAITING = """
SELECT coalesce(max(ceil(extract(epoch FROM blocked_until - now()))), 0)::int
FROM login_failure WHERE subject = ANY($1::text[]) AND blocked_until > now()
"""

COUNT = """
INSERT INTO login_failure AS f (subject, failures, last_failure, blocked_until)
SELECT subject, 1, now(), now() FROM unnest($1::text[]) AS s (subject) ORDER BY subject
ON CONFLICT (subject) DO UPDATE SET
  failures = CASE WHEN f.last_failure < now() - make_interval(secs => $2) THEN 1 ELSE f.failures + 1 END,
  last_failure = now()
RETURNING subject, failures
"""

BLOCK = "UPDATE login_failure SET blocked_until = now() + make_interval(secs => $2) WHERE subject = $1"

FORGIVE = "DELETE FROM login_failure WHERE subject = ANY($1::text[])"

HOT = (WAITING,)

QUIET = 15 * 60.0
"""Seconds without a failure after which the next one counts as the first."""
FIRST_WAIT = 15


@dataclass(frozen=True, slots=True)
class Brake:
    """How many failures are free, and the longest wait in seconds beyond them."""

    free: int
    longest: int

    def wait(self, failures: int) -> int:
        """Seconds to wait after so many failures: none, 15, 30, 60 ..."""
        return 0 if failures < self.free else min(FIRST_WAIT << min(failures - self.free, 20), self.longest)


PAIR, ADDRESS, NAME = Brake(10, 15 * 60), Brake(100, 15 * 60), Brake(1000, 60)


def _subjects(name: str, address: str) -> dict[str, Brake]:
    return {f"pair:{address}:{name}": PAIR, f"address:{address}": ADDRESS, f"name:{name}": NAME}


async def waiting(conn: Connection, name: str, address: str) -> int:
    """Seconds this name from this address has to wait before it may try again; 0: it may now."""
    seconds: int = await conn.fetchval(WAITING, list(_subjects(name, address)))
    return seconds


async def failed(conn: Connection, name: str, address: str) -> None:
    """Count a failure. Run it in a transaction."""
    subjects = _subjects(name, address)
    for subject, failures in await conn.fetch(COUNT, list(subjects), QUIET):
        if wait := subjects[subject].wait(failures):
            await conn.execute(BLOCK, subject, float(wait))


async def forgive(conn: Connection, name: str, address: str) -> None:
    """A success ends the counts of the name, not the address's: its owner may have an account of his own."""
    await conn.execute(
        FORGIVE, [subject for subject, brake in _subjects(name, address).items() if brake is not ADDRESS]
    )

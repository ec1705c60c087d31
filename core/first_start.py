"""The first administrator. There is no default password: it is configured, or random and shown once."""

from pathlib import Path

from .access import SYSTEM
from .passwords import Passwords, check_password, random_password
from .records import accounts
from .records.database import Connection, Database
from .secrets import write_secret

ADMIN = "admin"
FILE = "admin-password"


async def ensure_admin(database: Database, passwords: Passwords, password: str, folder: Path | None) -> str | None:
    """Make the user `admin` where no administrator was ever made; callers racing make one.

    With `password` (WeakPassword where it is too short) that is what he gets and None is returned. Else a random one is
    returned, for the caller to show once, after it was written to FILE in `folder` (mode 0600; None: nowhere).
    """
    chosen = check_password(password) if password else random_password()
    hashed = await passwords.hash(chosen)

    async def make(conn: Connection) -> bool:
        if not await accounts.lacks_admin(conn):
            return False
        await accounts.create(conn, SYSTEM, ADMIN, hashed, admin=True)
        if not password and folder is not None:
            # before the commit: a password nobody knows would be worse than a file that the next start replaces
            write_secret(folder / FILE, chosen)
        return True

    made = await database.run(make)
    return chosen if made and not password else None

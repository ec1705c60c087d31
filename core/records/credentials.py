"""What signs a name in: a password or a chosen secret (argon2id), a secret made here (SHA-256), and whether it may."""

from dataclasses import dataclass

from ..access import Principal
from .database import Connection
from .robots import PREFIX, parts

FIND_ACCOUNT = """
SELECT account_id, username, token_epoch, password, cli_secret, password_version, NOT disabled, false,
  admin OR NOT ($2 OR EXISTS (SELECT FROM setting WHERE name = 'auth_mode' AND value = '"oidc_auth"')),
  EXISTS (SELECT FROM account_identity i WHERE i.account_id = account.account_id
    AND i.asked_at < now() - interval '5 minutes')
FROM account WHERE lower(username) = lower($1) AND NOT deleted
"""

_ROBOT = """SELECT r.robot_id, r.token_epoch, r.secret,
  NOT r.disabled AND (r.expires_at IS NULL OR r.expires_at > now()),
  r.last_used IS NULL OR r.last_used < now() - interval '1 minute'"""

FIND_ROBOT = f"{_ROBOT} FROM robot r WHERE r.name = $1 AND r.project_id IS NULL"

FIND_PROJECT_ROBOT = f"""{_ROBOT}
FROM project p JOIN LATERAL (SELECT * FROM robot WHERE name = $1 AND project_id = p.project_id OFFSET 0) r ON true
WHERE p.name = $2 AND NOT p.deleted
"""
# OFFSET 0, so that both conditions reach the index: else robots of one name in all projects are read

REHASH = "UPDATE account SET password = $3 WHERE account_id = $1 AND password = $2"

USED = "UPDATE robot SET last_used = now() WHERE robot_id = $1"

HOT = (FIND_ACCOUNT, FIND_ROBOT, FIND_PROJECT_ROBOT, USED)


@dataclass(frozen=True, slots=True)
class Credential:
    """Whom a name means. `password` is a PHC string and `secret` what `issued.kept` gave, None where there is none;
    `version` changes with the password; `usable`: not disabled, not expired; `idle`: a robot not seen for a minute;
    `by_password`: its password may be used; `stale`: its OIDC provider has not been asked lately."""

    principal: Principal
    password: str | None
    secret: str | None
    version: int
    usable: bool
    idle: bool
    by_password: bool = True
    stale: bool = False


async def find(conn: Connection, username: str, elsewhere: bool = False) -> Credential | None:
    """The account of a name, whatever its case, or the robot of one that begins with robot$; None: there is none.
    `elsewhere`: people sign in at an OIDC provider, whatever the settings say."""
    if username.startswith(PREFIX):
        return await _robot(conn, username)
    row = await conn.fetchrow(FIND_ACCOUNT, username, elsewhere)
    if row is None:
        return None
    account_id, name, epoch, *rest = row
    return Credential(Principal("account", account_id, name, epoch), *rest)


async def _robot(conn: Connection, username: str) -> Credential | None:
    project, name = parts(username)
    if project is None:
        row = await conn.fetchrow(FIND_ROBOT, name)
    else:
        row = await conn.fetchrow(FIND_PROJECT_ROBOT, name, project)
    if row is None:
        return None
    robot_id, epoch, stored, usable, idle = row
    made_here = stored.startswith("sha256:")
    password, secret = (None, stored) if made_here else (stored, None)
    return Credential(Principal("robot", robot_id, username, epoch), password, secret, epoch, usable, idle)


async def rehash(conn: Connection, account: Credential, password: str) -> None:
    """Keep the same password of an account under newer parameters, unless it was changed meanwhile."""
    if account.principal.kind == "account":
        await conn.execute(REHASH, account.principal.id, account.password, password)


async def used(conn: Connection, robot: Credential) -> None:
    """Note that a robot was here, once a minute."""
    if robot.idle:
        await conn.execute(USED, robot.principal.id)

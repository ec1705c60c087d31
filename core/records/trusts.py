"""Rules by which tokens of other issuers pass for a robot's secret. One that goes takes the robot's tokens along."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from ..access import Principal
from ..identity import rules
from ..identity.rules import Condition
from ..oci.errors import NotFound, QueryInvalid
from . import audit
from .database import Connection
from .robots import Robot, full_name, parts

MOST = 50

AUDIENCES = "SELECT DISTINCT audience FROM robot_trust WHERE issuer = $1 ORDER BY audience LIMIT 1000"

# a claim that is absent has no text, so no condition on it holds
MATCHING = """
SELECT DISTINCT r.robot_id, r.name, p.name, r.project_id, r.token_epoch
FROM robot_trust t JOIN robot r ON r.robot_id = t.robot_id LEFT JOIN project p ON p.project_id = r.project_id
WHERE t.issuer = $1 AND t.audience = ANY($2::text[])
  AND ($4 = '' OR r.name = $4 AND p.name IS NOT DISTINCT FROM $5)
  AND NOT r.disabled AND (r.expires_at IS NULL OR r.expires_at > now()) AND p.deleted IS NOT TRUE
  AND NOT EXISTS (
    SELECT FROM jsonb_to_recordset(t.conditions) AS c (claim text, equals text, regex text)
    WHERE NOT EXISTS (
      SELECT FROM jsonb_array_elements_text($3::jsonb -> c.claim) AS v (said)
      WHERE v.said = c.equals OR v.said ~ c.regex))
ORDER BY r.robot_id LIMIT 2
"""

LIST = """
SELECT trust_id, issuer, audience, conditions::text, creator, creation_time FROM robot_trust WHERE robot_id = $1
ORDER BY trust_id
"""

COMPILED = "SELECT count(*) FROM unnest($1::text[]) AS r (regex) WHERE '' ~ r.regex"

CREATE = """
INSERT INTO robot_trust (robot_id, issuer, audience, conditions, creator)
SELECT $1, $2, $3, $4::jsonb, $5 WHERE (SELECT count(*) FROM robot_trust WHERE robot_id = $1) < $6
RETURNING trust_id
"""

DELETE = """
WITH gone AS (DELETE FROM robot_trust WHERE robot_id = $1 AND trust_id = $2 RETURNING robot_id, issuer)
UPDATE robot r SET token_epoch = token_epoch + 1, update_time = now() FROM gone WHERE r.robot_id = gone.robot_id
RETURNING gone.issuer
"""

USED = "UPDATE robot SET last_used = now() WHERE robot_id = $1"


@dataclass(frozen=True)
class Trust:
    """A rule of a robot."""

    id: int
    issuer: str
    audience: str
    conditions: tuple[Condition, ...]
    creator: str
    creation_time: datetime


@dataclass(frozen=True)
class Trusting:
    """A robot that a token may act as."""

    principal: Principal
    project_id: int | None


async def audiences(conn: Connection, issuer: str) -> list[str]:
    """For whom tokens of an issuer may be; nobody: no rule names it, and nothing of it may be fetched."""
    return [row[0] for row in await conn.fetch(AUDIENCES, issuer)]


async def matching(
    conn: Connection, issuer: str, audience: Sequence[str], texts: Mapping[str, Sequence[str]], name: str
) -> list[Trusting]:
    """The robots whose rules hold for a token's claims (rules.texts), or the one of a full name among them; two are
    enough to know that there are several. Disabled and expired ones are left out."""
    project, short = parts(name)
    rows = await conn.fetch(MATCHING, issuer, list(audience), json.dumps(texts), short, project)
    return [Trusting(Principal("robot", row[0], full_name(row[2], row[1]), row[4]), row[3]) for row in rows]


async def exchanged(conn: Connection, robot: Trusting, subject: str, issuer: str, **where: str) -> None:
    """Write down for whom a robot's token was made."""
    await conn.execute(USED, robot.principal.id)
    said = f"{robot.principal.name} for {subject[:255]} of {issuer}"
    await audit.record(conn, robot.principal, "exchange", "robot", said, project_id=robot.project_id, **where)


async def list_trusts(conn: Connection, robot_id: int) -> list[Trust]:
    """A robot's rules, oldest first."""
    return [
        Trust(row[0], row[1], row[2], rules.read(row[3]), row[4], row[5]) for row in await conn.fetch(LIST, robot_id)
    ]


async def create(
    conn: Connection,
    by: Principal,
    robot: Robot,
    issuer: str,
    audience: str,
    conditions: Sequence[Condition],
    **where: str,
) -> int:
    """Make a rule; QueryInvalid where its conditions cannot be, or the robot has MOST rules."""
    rules.check(conditions)
    kept = rules.stored(conditions)
    try:
        await conn.fetchval(COMPILED, rules.regexes(conditions))
    except asyncpg.InvalidRegularExpressionError as error:
        raise QueryInvalid(f"a pattern cannot be used: {error}") from None
    made: int | None = await conn.fetchval(CREATE, robot.id, issuer, audience, kept, by.key, MOST)
    if made is None:
        raise QueryInvalid(f"a robot has at most {MOST} rules")
    said = f"{robot.full_name} by tokens of {issuer}"
    await audit.record(conn, by, "create", "trust", said, project_id=robot.project_id, **where)
    return made


async def delete(conn: Connection, by: Principal, robot: Robot, trust_id: int, **where: str) -> None:
    """End a rule, and all tokens of its robot. NotFound."""
    issuer = await conn.fetchval(DELETE, robot.id, trust_id)
    if issuer is None:
        raise NotFound("the robot has no such rule")
    said = f"{robot.full_name} by tokens of {issuer}"
    await audit.record(conn, by, "delete", "trust", said, project_id=robot.project_id, **where)

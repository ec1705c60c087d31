"""Robots: machine accounts of a project or of the whole system. A change reaches their next request."""

import json
import re
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from ..access import Principal
from ..grants import Grant
from ..oci.errors import Conflict, NotFound, QueryInvalid
from . import audit
from .database import Connection
from .listing import Asked, Column, Listing

PREFIX = "robot$"
NAME = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")
LONGEST_NAME = 255
MOST_DAYS = 36_500

_COLUMNS = """r.robot_id, r.name, r.project_id, p.name AS project, r.description, r.permissions::text, r.duration,
  r.disabled, r.expires_at, r.creator, r.creation_time, r.update_time, r.last_used"""
_SOURCE = "FROM robot r LEFT JOIN project p ON p.project_id = r.project_id WHERE p.deleted IS NOT TRUE"

CREATE = """
INSERT INTO robot (name, project_id, description, secret, permissions, duration, disabled, creator, expires_at)
VALUES ($1, $2, $3, $4, $5::jsonb, $6, $7, $8, CASE WHEN $6 > 0 THEN now() + make_interval(days => $6) END)
ON CONFLICT (name, project_id) DO NOTHING RETURNING robot_id
"""

LIST = f"SELECT {_COLUMNS} {_SOURCE} ORDER BY p.name NULLS FIRST, r.name"

BY_NAME = f"SELECT {_COLUMNS} {_SOURCE} AND r.name = $1 AND p.name IS NOT DISTINCT FROM $2"

GET = f"SELECT {_COLUMNS} {_SOURCE} AND r.robot_id = $1"

UPDATE = """
UPDATE robot SET description = $2, permissions = $3::jsonb, duration = $4, disabled = $5, update_time = now(),
  token_epoch = token_epoch + CASE WHEN disabled <> $5 THEN 1 ELSE 0 END,
  expires_at = CASE WHEN duration = $4 THEN expires_at WHEN $4 > 0 THEN creation_time + make_interval(days => $4) END
WHERE robot_id = $1
"""

SET_SECRET = """
UPDATE robot SET secret = $2, token_epoch = token_epoch + 1, update_time = now() WHERE robot_id = $1
"""

DELETE = "DELETE FROM robot WHERE robot_id = $1"

_ID, _LEVEL = Column("r.robot_id", "number"), Column("CASE WHEN r.project_id IS NULL THEN 'system' ELSE 'project' END")
_PROJECT = Column("coalesce(r.project_id, 0)", "number")
LISTING = Listing(
    _COLUMNS,
    f"{_SOURCE} AND r.project_id IS NOT DISTINCT FROM $1",
    {
        "id": _ID,
        "name": Column("coalesce(p.name || '+', '') || r.name"),
        "description": Column("r.description"),
        "disable": Column("r.disabled", "flag"),
        "duration": Column("r.duration", "number"),
        "creation_time": Column("r.creation_time", "time"),
        "update_time": Column("r.update_time", "time"),
        "expires_at": Column("r.expires_at", "time"),
        "level": _LEVEL,
        "Level": _LEVEL,
        "project_id": _PROJECT,
        "ProjectID": _PROJECT,
    },
    "r.robot_id",
    "r.robot_id",
)


@dataclass(frozen=True)
class Robot:
    """A row of robot without its secret. `project` is the name of the project it belongs to, None: the system's."""

    id: int
    name: str
    project_id: int | None
    project: str | None
    description: str
    grants: tuple[Grant, ...]
    duration: int
    disabled: bool
    expires_at: datetime | None
    creator: str
    creation_time: datetime
    update_time: datetime
    last_used: datetime | None

    @property
    def full_name(self) -> str:
        """The name it signs in with: `robot$project+name`, or `robot$name` of the system."""
        return full_name(self.project, self.name)


def full_name(project: str | None, name: str) -> str:
    """The name that the robot signs in with."""
    return f"{PREFIX}{name}" if project is None else f"{PREFIX}{project}+{name}"


def parts(full: str) -> tuple[str | None, str]:
    """The project (None: the system) and the short name of a full name, with or without its prefix."""
    project, plus, name = full.removeprefix(PREFIX).partition("+")
    return (project, name) if plus else (None, project)


async def create(
    conn: Connection,
    by: Principal,
    name: str,
    stored: str,
    grants: tuple[Grant, ...],
    *,
    project_id: int | None = None,
    project: str | None = None,
    description: str = "",
    duration: int = -1,
    disabled: bool = False,
    **where: str,
) -> Robot:
    """Make a robot of a project (id and name) or of the system. `stored` is what is kept of its secret, `duration` days
    (-1: it never expires). QueryInvalid where name or duration cannot be, Conflict where the name is taken."""
    if not NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        raise QueryInvalid("a robot's name has a-z and 0-9, parted by single . _ or -, at most 255 characters")
    check_duration(duration)
    given = json.dumps([grant.stored() for grant in grants])
    made = await conn.fetchval(CREATE, name, project_id, description, stored, given, duration, disabled, by.key)
    if made is None:
        raise Conflict(f"there is a robot {full_name(project, name)} already")
    await audit.record(conn, by, "create", "robot", full_name(project, name), project_id=project_id, **where)
    return await get(conn, made)


async def get(conn: Connection, robot_id: int) -> Robot:
    """A robot, NotFound where there is none or its project is gone."""
    row = await conn.fetchrow(GET, robot_id)
    if row is None:
        raise NotFound("there is no such robot")
    return _robot(row)


async def named(conn: Connection, full: str) -> Robot:
    """A robot by its full name, with or without the prefix. NotFound where there is none."""
    project, name = parts(full)
    row = await conn.fetchrow(BY_NAME, name, project)
    if row is None:
        raise NotFound(f"there is no robot {full_name(project, name)}")
    return _robot(row)


async def list_robots(conn: Connection) -> list[Robot]:
    """All robots, those of the system first."""
    return [_robot(row) for row in await conn.fetch(LIST)]


async def page(conn: Connection, asked: Asked, project_id: int | None) -> tuple[list[Robot], int]:
    """A page of a project's robots, or with None of the system's, and how many there are."""
    rows, total = await LISTING.page(conn, asked, project_id)
    return [_robot(row) for row in rows], total


async def update(
    conn: Connection,
    by: Principal,
    robot: Robot,
    *,
    description: str,
    grants: tuple[Grant, ...],
    duration: int,
    disabled: bool,
    **where: str,
) -> None:
    """Change all that can be changed of a robot. Its tokens end where it is disabled or let in again."""
    if duration != robot.duration:
        check_duration(duration)
    given = json.dumps([grant.stored() for grant in grants])
    await conn.execute(UPDATE, robot.id, description, given, duration, disabled)
    await audit.record(conn, by, "update", "robot", robot.full_name, project_id=robot.project_id, **where)


async def set_secret(conn: Connection, by: Principal, robot: Robot, stored: str, **where: str) -> None:
    """Replace the secret; what was signed in with the old one ends at once."""
    await conn.execute(SET_SECRET, robot.id, stored)
    await audit.record(conn, by, "secret", "robot", robot.full_name, project_id=robot.project_id, **where)


async def delete(conn: Connection, by: Principal, robot: Robot, **where: str) -> None:
    """End a robot."""
    await conn.execute(DELETE, robot.id)
    await audit.record(conn, by, "delete", "robot", robot.full_name, project_id=robot.project_id, **where)


def check_duration(days: int) -> None:
    """QueryInvalid where a robot cannot last so many days."""
    if days != -1 and not 1 <= days <= MOST_DAYS:
        raise QueryInvalid(f"a robot's duration is -1 (it never expires) or 1 to {MOST_DAYS} days")


def _robot(row: asyncpg.Record) -> Robot:
    robot_id, name, project_id, project, description, permissions, *rest = row
    return Robot(robot_id, name, project_id, project, description, tuple(map(Grant.of, json.loads(permissions))), *rest)

"""Robots in Harbor's words: what clients send and see."""

from datetime import datetime
from typing import Literal

import msgspec

from ...core.grants import Grant
from ...core.records.robots import Robot
from .users import Given, Line

DURATION = 30
"""Days that a robot lasts where its maker does not say."""


class Access(msgspec.Struct, frozen=True, omit_defaults=True):
    """An action on a resource; everything that is not allowed is denied."""

    resource: Line
    action: Line
    effect: Literal["", "allow"] | None = None


class RobotPermission(msgspec.Struct, frozen=True):
    """Actions in one project (`namespace` its name), in all (`*`), or in the system (`/`)."""

    kind: Literal["project", "system"]
    namespace: Line
    access: list[Access]


class RobotShown(msgspec.Struct, frozen=True, omit_defaults=True):
    """A robot. `expires_at` in seconds since the epoch, -1: never."""

    id: int
    name: str
    description: str
    level: str
    duration: int
    disable: bool
    expires_at: int
    permissions: list[RobotPermission]
    creator_type: str
    creator_ref: int
    creation_time: datetime
    update_time: datetime
    editable: bool
    last_used: datetime | None = None


class RobotCreate(msgspec.Struct, frozen=True):
    """`duration` in days, -1: for ever; an empty `secret` asks for one. null is as if nothing were said."""

    name: Line
    level: Literal["project", "system"]
    permissions: list[RobotPermission]
    description: Given | None = None
    disable: bool | None = None
    duration: int | None = None
    secret: Given | None = None


class RobotUpdate(msgspec.Struct, frozen=True):
    """The whole robot: without `description` it has none and without `disable` it is in force, since Go's clients leave
    both out so. Permissions and duration that are left out stay; name and level cannot be changed."""

    name: Line | None = None
    level: str | None = None
    permissions: list[RobotPermission] | None = None
    description: Given | None = None
    disable: bool | None = None
    duration: int | None = None


class RobotCreated(msgspec.Struct, frozen=True):
    """The only time that the secret is seen."""

    id: int
    name: str
    secret: str
    creation_time: datetime
    expires_at: int


class RobotSecret(msgspec.Struct, frozen=True):
    """A secret; empty asks for one."""

    secret: Given | None = None


def shown(robot: Robot) -> RobotShown:
    """A robot as clients see it."""
    kind, _, number = robot.creator.partition(":")
    return RobotShown(
        id=robot.id,
        name=robot.full_name,
        description=robot.description,
        level="system" if robot.project is None else "project",
        duration=robot.duration,
        disable=robot.disabled,
        expires_at=expires_at(robot),
        permissions=[_permission(grant) for grant in robot.grants],
        creator_type="robot" if kind == "robot" else "local",
        creator_ref=int(number),
        creation_time=robot.creation_time,
        update_time=robot.update_time,
        editable=True,
        last_used=robot.last_used,
    )


def _permission(grant: Grant) -> RobotPermission:
    return RobotPermission(grant.kind, grant.namespace, _access(grant))


def _access(grant: Grant) -> list[Access]:
    return [Access(resource, action) for resource, action in (word.split(":") for word in grant.access)]


def expires_at(robot: Robot) -> int:
    """Seconds since the epoch, -1 for a robot that never expires."""
    return -1 if robot.expires_at is None else int(robot.expires_at.timestamp())

"""`dfr robot`: machine accounts of a project or of the whole system."""

from typing import TYPE_CHECKING, Annotated

import typer

from ...core.access import SYSTEM, Action
from .options import ConfigFile, DataFolder, read
from .robot_trust import trust_group

if TYPE_CHECKING:
    from ...core.records.database import Connection
    from ...core.records.robots import Robot

Name = Annotated[str, typer.Argument(help="project+name, or name alone for one of the whole system.")]
SHORT = {action.value: action.permission for action in (Action.PULL, Action.PUSH, Action.DELETE)}


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Accounts of machines, with rights of their own and an end.", no_args_is_help=True)
    for command in (create, list_robots, refresh, disable, enable, delete):
        group.command(command.__name__.removesuffix("_robots"))(command)
    group.add_typer(trust_group(), name="trust")
    app.add_typer(group, name="robot")


def create(
    name: Name,
    can: Annotated[
        list[str], typer.Option(help="pull, push, delete, or a permission as tag:create; give it again for more.")
    ],
    days: Annotated[int, typer.Option(help="Days until it expires; -1: never.")] = 30,
    description: Annotated[str, typer.Option(help="What it is for.")] = "",
    config: ConfigFile = None,
    data: DataFolder = None,
) -> None:
    """Make a robot and show its secret, this once. One of the system may do in every project what it can."""
    from ...core import issued
    from ...core.grants import ALL, Grant, check_words
    from ...core.records import projects, robots
    from ..administration import administer

    project, short = robots.parts(name)
    words = check_words("project", [SHORT.get(word, word) for word in can])
    secret = issued.issue()

    async def make(conn: "Connection") -> "Robot":
        project_id = None if project is None else (await projects.find(conn, project)).id
        grants = (Grant("project", project or ALL, words, project_id),)
        return await robots.create(
            conn,
            SYSTEM,
            short,
            issued.kept(secret),
            grants,
            project_id=project_id,
            project=project,
            description=description,
            duration=days,
        )

    made = administer(read(config, data), make)
    print(f"made {made.full_name}, {_end(made)}, with the secret {secret}")


def list_robots(config: ConfigFile = None, data: DataFolder = None) -> None:
    """Print all robots: what they can, until when, and when they were last here."""
    from ...core.records import robots
    from ..administration import administer

    for robot in administer(read(config, data), robots.list_robots):
        can = " ".join(f"{grant.namespace}:{','.join(grant.access)}" for grant in robot.grants)
        used = f"last used {robot.last_used:%Y-%m-%d %H:%M}" if robot.last_used else "never used"
        print(", ".join([f"{robot.full_name} {can}", _end(robot), used, *["disabled"] * robot.disabled]))


def refresh(name: Name, config: ConfigFile = None, data: DataFolder = None) -> None:
    """Give a robot another secret and show it, this once. The old one ends at once."""
    from ...core import issued
    from ...core.records import robots
    from ..administration import administer

    secret = issued.issue()

    async def replace(conn: "Connection") -> str:
        robot = await robots.named(conn, name)
        await robots.set_secret(conn, SYSTEM, robot, issued.kept(secret))
        return robot.full_name

    print(f"{administer(read(config, data), replace)} has the secret {secret}")


def disable(name: Name, config: ConfigFile = None, data: DataFolder = None) -> None:
    """Shut a robot out, from its next request on."""
    _disable(name, True, config, data)


def enable(name: Name, config: ConfigFile = None, data: DataFolder = None) -> None:
    """Let a disabled robot in again."""
    _disable(name, False, config, data)


def delete(name: Name, config: ConfigFile = None, data: DataFolder = None) -> None:
    """End a robot, from its next request on."""
    from ...core.records import robots
    from ..administration import administer

    async def end(conn: "Connection") -> str:
        robot = await robots.named(conn, name)
        await robots.delete(conn, SYSTEM, robot)
        return robot.full_name

    print(f"{administer(read(config, data), end)} is deleted")


def _disable(name: str, disabled: bool, config: ConfigFile, data: DataFolder) -> None:
    from ...core.records import robots
    from ..administration import administer

    async def change(conn: "Connection") -> str:
        robot = await robots.named(conn, name)
        await robots.update(
            conn,
            SYSTEM,
            robot,
            description=robot.description,
            grants=robot.grants,
            duration=robot.duration,
            disabled=disabled,
        )
        return robot.full_name

    print(f"{administer(read(config, data), change)} is {'disabled' if disabled else 'enabled'}")


def _end(robot: "Robot") -> str:
    return "for ever" if robot.expires_at is None else f"until {robot.expires_at:%Y-%m-%d %H:%M} UTC"

"""`dfr user`, `dfr group`, `dfr project`, `dfr member` and `dfr key`: who there is, and what they may do."""

import sys
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from ...core.access import ROLES, SYSTEM
from ..failures import CommandError
from .options import ConfigFile, DataFolder, read

if TYPE_CHECKING:
    from ...core.records.database import Connection
    from ...core.records.projects import Member

_ROLE_NAMES = {number: name for name, number in ROLES.items()}
PasswordStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]
Group = Annotated[str | None, typer.Option(help="A group instead of a user.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    groups = {
        "user": ("People who can sign in.", (create_user, list_users, disable, enable, password, cli_secret)),
        "group": ("Sets of users that can be members together.", (join, leave, list_groups)),
        "project": ("Tenants: the first segment of a repository's name.", (create_project, list_projects)),
        "member": ("Who has which role in a project.", (add, remove, list_members)),
        "key": ("The keys that sign tokens, and what they are sealed with.", (rotate, reseal)),
    }
    for name, (text, commands) in groups.items():
        group = typer.Typer(help=text, no_args_is_help=True)
        for command in commands:
            group.command(NAMES.get(command.__name__, command.__name__))(command)
        app.add_typer(group, name=name)


NAMES = {
    "create_user": "create",
    "list_users": "list",
    "create_project": "create",
    "list_projects": "list",
    "cli_secret": "cli-secret",
    "join": "add",
    "leave": "remove",
    "list_groups": "list",
    "list_members": "list",
}


def create_user(
    name: str,
    admin: Annotated[bool, typer.Option("--admin", help="May do everything.")] = False,
    email: Annotated[str | None, typer.Option(help="Where to reach them.")] = None,
    password_stdin: PasswordStdin = False,
    config: ConfigFile = None,
    data: DataFolder = None,
) -> None:
    """Make a user, with a random password that is shown once, or the one on standard input."""
    from ...core.records import accounts
    from ..administration import administer, hashed

    settings = read(config, data)
    chosen = _password(password_stdin)
    hash_ = hashed(chosen)
    administer(settings, lambda conn: accounts.create(conn, SYSTEM, name, hash_, admin=admin, email=email))
    print(f"made user {name}" + ("" if password_stdin else f" with the password {chosen}"))


def list_users(config: ConfigFile = None, data: DataFolder = None) -> None:
    """Print all users, and whether they are administrators or disabled."""
    from ...core.records import accounts
    from ..administration import administer

    for account in administer(read(config, data), accounts.list_accounts):
        words = ["admin"] * account.admin + ["disabled"] * account.disabled
        print(" ".join([account.username, *words]))


def disable(name: str, config: ConfigFile = None, data: DataFolder = None) -> None:
    """Shut a user out, from their next request on."""
    _disable(name, True, config, data)


def enable(name: str, config: ConfigFile = None, data: DataFolder = None) -> None:
    """Let a disabled user in again."""
    _disable(name, False, config, data)


def password(
    name: str, password_stdin: PasswordStdin = False, config: ConfigFile = None, data: DataFolder = None
) -> None:
    """Give a user another password, random or from standard input. The old one and all tokens end at once."""
    from ...core.records import accounts
    from ..administration import administer, hashed

    settings = read(config, data)
    chosen = _password(password_stdin)
    hash_ = hashed(chosen)
    administer(settings, lambda conn: accounts.change_password(conn, SYSTEM, name, hash_))
    print(f"user {name} has a new password" + ("" if password_stdin else f": {chosen}"))


def cli_secret(
    name: str,
    revoke: Annotated[bool, typer.Option("--revoke", help="End it, without another one.")] = False,
    config: ConfigFile = None,
    data: DataFolder = None,
) -> None:
    """Give a user a second password for command lines, shown this once. An older one and all tokens end at once."""
    from ...core import issued
    from ...core.records import accounts, users
    from ..administration import administer

    secret = issued.issue()

    async def replace(conn: "Connection") -> None:
        found = await users.named(conn, name)
        if found is None:
            raise accounts.AccountError(f"there is no user {name}")
        user = await users.get(conn, found[0])
        await users.set_cli_secret(conn, SYSTEM, user, None if revoke else issued.kept(secret))

    administer(read(config, data), replace)
    print(f"user {name} has no secret for command lines" if revoke else f"user {name} has the secret {secret}")


def join(group: str, user: str, config: ConfigFile = None, data: DataFolder = None) -> None:
    """Put a user into a group; the group is made if it is not there."""
    from ...core.records import projects
    from ..administration import administer

    administer(read(config, data), lambda conn: projects.join_group(conn, SYSTEM, group, user))
    print(f"user {user} is in group {group}")


def leave(group: str, user: str, config: ConfigFile = None, data: DataFolder = None) -> None:
    """Take a user out of a group."""
    from ...core.records import projects
    from ..administration import administer

    administer(read(config, data), lambda conn: projects.leave_group(conn, SYSTEM, group, user))
    print(f"user {user} is no longer in group {group}")


def create_project(
    name: str,
    public: Annotated[bool, typer.Option("--public", help="Everybody may pull.")] = False,
    sparse: Annotated[bool, typer.Option("--sparse", help="Manifests may name content that is not here.")] = False,
    owner: Annotated[str | None, typer.Option(help="A user who becomes its administrator.")] = None,
    config: ConfigFile = None,
    data: DataFolder = None,
) -> None:
    """Make a project."""
    from ...core.records import projects
    from ..administration import administer

    settings = read(config, data)
    administer(settings, lambda conn: projects.create(conn, SYSTEM, name, owner=owner, public=public, sparse=sparse))
    print(f"made {'public' if public else 'private'} project {name}")


def list_projects(config: ConfigFile = None, data: DataFolder = None) -> None:
    """Print all projects, and whether they are public or sparse."""
    from ...core.records import projects
    from ..administration import administer

    for project in administer(read(config, data), projects.list_projects):
        words = ["public"] * project.public + ["sparse"] * project.sparse
        print(" ".join([project.name, *words]))


def add(
    project: str,
    member: Annotated[str, typer.Argument(metavar="[USER]")],
    role: Annotated[str | None, typer.Argument(metavar="ROLE", help=", ".join(ROLES))] = None,
    group: Group = None,
    config: ConfigFile = None,
    data: DataFolder = None,
) -> None:
    """Give a user, or with --group a group, a role in a project; a member gets the new role."""
    from ...core.records import projects
    from ..administration import administer

    who, rest = _who(member, group), role if group is None else member
    if rest is None or (group is not None and role is not None):
        raise CommandError("write: dfr member add PROJECT USER ROLE, or dfr member add PROJECT --group NAME ROLE")
    number = _role(rest)
    administer(read(config, data), lambda conn: projects.set_member(conn, SYSTEM, project, who.kind, who.name, number))
    print(f"{who.kind} {who.name} is {_ROLE_NAMES[number]} of {project}")


def remove(
    project: str,
    member: Annotated[str | None, typer.Argument(metavar="[USER]")] = None,
    group: Group = None,
    config: ConfigFile = None,
    data: DataFolder = None,
) -> None:
    """End a user's, or with --group a group's, membership, from the next request on."""
    from ...core.records import projects
    from ..administration import administer

    if (member is None) == (group is None):
        raise CommandError("write: dfr member remove PROJECT USER, or dfr member remove PROJECT --group NAME")
    who = _who(member or "", group)
    administer(read(config, data), lambda conn: projects.remove_member(conn, SYSTEM, project, who.kind, who.name))
    print(f"{who.kind} {who.name} is no longer a member of {project}")


def rotate(config: ConfigFile = None, data: DataFolder = None) -> None:
    """Sign tokens with the next key from now on; tokens given out stay good until they expire."""
    from ..administration import rotate_keys

    rotate_keys(read(config, data))
    print("the next key signs from now on")


def reseal(config: ConfigFile = None, data: DataFolder = None) -> None:
    """Seal what the database keeps secret under the first line of auth.secretkey: the other lines can go then."""
    from ..administration import reseal_keys

    done, all_ = reseal_keys(read(config, data))
    print(f"{all_} secrets are sealed under the first line of auth.secretkey, {done} of them since now")


class _Who(NamedTuple):
    kind: "Member"
    name: str


def list_members(project: str, config: ConfigFile = None, data: DataFolder = None) -> None:
    """Print the members of a project, users before groups, each with its role."""
    from ...core.records import projects
    from ..administration import administer

    for kind, name, role in administer(read(config, data), lambda conn: projects.list_members(conn, project)):
        print(f"{kind} {name} {_ROLE_NAMES[role]}")


def list_groups(config: ConfigFile = None, data: DataFolder = None) -> None:
    """Print all groups, each with the users in it."""
    from ...core.records import projects
    from ..administration import administer

    for name, users in administer(read(config, data), projects.list_groups):
        print(" ".join([name, *users]))


def _who(user: str, group: str | None) -> _Who:
    return _Who("user", user) if group is None else _Who("group", group)


def _role(text: str) -> int:
    if text in ROLES:
        return ROLES[text]
    if text in map(str, ROLES.values()):
        return int(text)
    raise CommandError(f"there is no role {text}; the roles are {', '.join(ROLES)}")


def _password(stdin: bool) -> str:
    if stdin:
        return sys.stdin.readline().rstrip("\r\n")
    from ...core.passwords import random_password

    return random_password()


def _disable(name: str, disabled: bool, config: ConfigFile, data: DataFolder) -> None:
    from ...core.records import accounts
    from ..administration import administer

    administer(read(config, data), lambda conn: accounts.disable(conn, SYSTEM, name, disabled))
    print(f"user {name} is {'disabled' if disabled else 'enabled'}")

"""Users: lists, profiles, administrators, passwords, command line secrets. All but administrators reach themselves."""

from datetime import datetime
from typing import Annotated

import msgspec

from ...core import issued
from ...core.access import SystemAction, require_system
from ...core.oci.errors import Conflict, Denied, QueryInvalid, Unauthorized, Unsupported
from ...core.records import accounts, identities, users
from ...core.records.accounts import USERNAME, AccountError
from ...core.records.database import Connection
from ...core.records.identities import Meta
from ...core.records.users import User
from ...core.signin import SignIn
from ..endpoint import NoQuery, answer
from ..origin import neighbourhood
from ..v2.answer import Answer
from .answers import created, done
from .lists import Listed, listed
from .operation import Anyone, Call, Operation

Line = Annotated[str, msgspec.Meta(max_length=255, pattern=r"^[^\x00-\x1f\x7f]*$")]
"""A text of one line."""
Mail = Annotated[str, msgspec.Meta(max_length=255, pattern=r"^([^@\s\x00-\x1f]+@[^@\s\x00-\x1f]+)?$")]
Given = Annotated[str, msgspec.Meta(max_length=1024, pattern=r"^[^\x00]*$")]


class OidcMeta(msgspec.Struct, frozen=True):
    """Whom the OIDC provider calls this user: `subiss` is its name for him and its own."""

    id: int
    user_id: int
    subiss: str
    creation_time: datetime
    update_time: datetime


class UserResp(msgspec.Struct, frozen=True, omit_defaults=True):
    """A user, without anything that signs him in."""

    user_id: int
    username: str
    email: str
    realname: str
    comment: str
    sysadmin_flag: bool
    creation_time: datetime
    update_time: datetime
    admin_role_in_auth: bool
    oidc_user_meta: OidcMeta | None = None


class UserCreation(msgspec.Struct, frozen=True):
    """Whether somebody is an administrator is not said here, whatever else a body holds."""

    username: Line
    password: Given
    email: Mail | None = None
    realname: Line | None = None
    comment: Line | None = None


class UserProfile(msgspec.Struct, frozen=True):
    """What a user says of himself."""

    email: Mail | None = None
    realname: Line | None = None
    comment: Line | None = None


class SysAdminFlag(msgspec.Struct, frozen=True):
    """Whether a user is an administrator; Go's clients leave false out."""

    sysadmin_flag: bool = False


class PasswordChange(msgspec.Struct, frozen=True):
    """`old_password` is needed for one's own."""

    new_password: Given
    old_password: Given | None = None


class CliSecret(msgspec.Struct, frozen=True):
    """A secret for the command line; empty asks for a new one."""

    secret: Given | None = None


def shown(user: User, meta: Meta | None = None) -> UserResp:
    """A user as clients see him, and with his identity as he himself does."""
    known = None
    if meta is not None:
        known = OidcMeta(user.id, user.id, meta.subject + meta.issuer, meta.creation_time, meta.update_time)
    return UserResp(
        user.id,
        user.username,
        user.email or "",
        user.realname,
        user.comment,
        user.admin,
        user.creation_time,
        user.update_time,
        user.admin_in_auth,
        known,
    )


def signing_in(services_sign_in: SignIn | None) -> SignIn:
    """What passwords are hashed and checked by. Unsupported without accounts."""
    if services_sign_in is None:
        raise Unsupported("nobody signs in here (auth.mode: none)")
    return services_sign_in


def _own(call: Call[NoQuery]) -> bool:
    return call.principal.kind == "account" and call.number("user_id") == call.principal.id


async def _user(conn: Connection, call: Call[NoQuery], action: SystemAction) -> User:
    """The path's user, for himself and for who may do this to others: anybody else is not told whether there is one."""
    if not _own(call):
        require_system(call.principal, call.rights, action)
    return await users.get(conn, call.number("user_id"))


async def _user_by_admin(conn: Connection, call: Call[NoQuery]) -> User:
    """The path's user, for administrators: a robot that may change users could make itself one by this."""
    if not call.rights.admin:
        raise Denied("only a system administrator may do this")
    return await users.get(conn, call.number("user_id"))


async def _list(call: Call[Listed]) -> Answer:
    async with call.database.acquire() as conn:
        found, total = await users.page(conn, call.query.asked)
    return listed(call, [shown(user) for user in found], total)


async def _create(call: Call[NoQuery]) -> Answer:
    asked: UserCreation = call.body
    hashed = await signing_in(call.services.sign_in).hash(asked.password)
    async with call.database.transaction() as conn:
        try:
            made = await accounts.create(
                conn,
                call.principal,
                asked.username,
                hashed,
                admin=False,
                email=asked.email or None,
                realname=asked.realname or "",
                comment=asked.comment or "",
                **call.audit,
            )
        except AccountError as error:
            raise (Conflict if USERNAME.fullmatch(asked.username) else QueryInvalid)(str(error)) from None
    return created(f"/users/{made}")


async def _get(call: Call[NoQuery]) -> Answer:
    async with call.database.acquire() as conn:
        user = await _user(conn, call, SystemAction.USER_READ)
        return answer(shown(user, await identities.meta(conn, user.id)))


async def _put(call: Call[NoQuery]) -> Answer:
    asked: UserProfile = call.body
    async with call.database.transaction() as conn:
        user = await _user(conn, call, SystemAction.USER_UPDATE)
        said = [given or "" for given in (asked.email, asked.realname, asked.comment)]
        await users.set_profile(conn, call.principal, user, *said, **call.audit)
    return done()


async def _delete(call: Call[NoQuery]) -> Answer:
    async with call.database.transaction() as conn:
        user = await users.get(conn, call.number("user_id"))
        if (user.admin or user.admin_in_auth) and not call.rights.admin:
            raise Denied("only an administrator may delete one")
        if _own(call):
            raise Denied("nobody can delete himself")
        await users.delete(conn, call.principal, user, **call.audit)
    return done()


async def _sysadmin(call: Call[NoQuery]) -> Answer:
    async with call.database.transaction() as conn:
        user = await _user_by_admin(conn, call)
        if user.admin != call.body.sysadmin_flag:
            await users.set_admin(conn, call.principal, user, call.body.sysadmin_flag, **call.audit)
    return done()


async def _password(call: Call[NoQuery]) -> Answer:
    asked: PasswordChange = call.body
    sign_in = signing_in(call.services.sign_in)
    async with call.database.acquire() as conn:
        if _own(call):
            user = await users.get(conn, call.principal.id)
        else:
            user = await _user_by_admin(conn, call)
        if await identities.meta(conn, user.id) is not None:
            raise QueryInvalid(f"{user.username} signs in at the OIDC provider, which keeps the password")
    if _own(call):
        if asked.new_password == asked.old_password:
            raise QueryInvalid("the new password is the old one")
        try:
            where = neighbourhood(call.request.scope)
            await sign_in.password(user.username, asked.old_password or "", where, person=True)
        except Unauthorized:
            raise Denied("the old password is wrong") from None
    hashed = await sign_in.hash(asked.new_password)
    async with call.database.transaction() as conn:
        await accounts.change_password(conn, call.principal, user.username, hashed, **call.audit)
    return done()


async def _cli_secret(call: Call[NoQuery]) -> Answer:
    chosen = call.body.secret
    if chosen and not issued.is_issued(chosen):
        raise QueryInvalid("a command line's secret is made here: send an empty one, and the answer holds a new one")
    secret = chosen or issued.issue()
    await _set_cli_secret(call, issued.kept(secret))
    return done() if chosen else answer(CliSecret(secret), headers={"cache-control": "no-store"})


async def _no_cli_secret(call: Call[NoQuery]) -> Answer:
    await _set_cli_secret(call, None)
    return done()


async def _set_cli_secret(call: Call[NoQuery], kept: str | None) -> None:
    async with call.database.transaction() as conn:
        user = await users.get(conn, call.principal.id) if _own(call) else await _user_by_admin(conn, call)
        await users.set_cli_secret(conn, call.principal, user, kept, **call.audit)


_USER = "/users/{user_id}"
_SIGNED = Anyone.SIGNED_IN
LAST = {412: "It is the last administrator."}
OPERATIONS = (
    Operation("GET", "/users", "All users", _list, Listed, result=list[UserResp], needs=SystemAction.USER_LIST),
    Operation(
        "POST",
        "/users",
        "Make a user",
        _create,
        body=UserCreation,
        status=201,
        statuses={409: "There is a user of that name."},
        needs=SystemAction.USER_CREATE,
    ),
    Operation("GET", _USER, "A user", _get, result=UserResp, needs=_SIGNED),
    Operation("PUT", _USER, "Change a profile", _put, body=UserProfile, needs=_SIGNED),
    Operation("DELETE", _USER, "End a user", _delete, statuses=LAST, needs=SystemAction.USER_DELETE),
    Operation(
        "PUT",
        f"{_USER}/sysadmin",
        "Make a user an administrator, or no longer",
        _sysadmin,
        body=SysAdminFlag,
        statuses=LAST,
        needs=_SIGNED,
    ),
    Operation("PUT", f"{_USER}/password", "Change a password", _password, body=PasswordChange, needs=_SIGNED),
    Operation(
        "PUT",
        f"{_USER}/cli_secret",
        "Replace the secret of a command line",
        _cli_secret,
        body=CliSecret,
        result=CliSecret,
        needs=_SIGNED,
    ),
    Operation("DELETE", f"{_USER}/cli_secret", "Revoke the secret of a command line", _no_cli_secret, needs=_SIGNED),
)

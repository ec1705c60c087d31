"""Who may do what: principals, actions, roles, and the one table that joins them.

A credential says who somebody is and nothing more; what they may do is asked of the database on every request
(`Rights`) and decided here. Roles are Harbor's five.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, NamedTuple, NoReturn

from .oci.errors import Denied, NameUnknown, ScopeInsufficient, TokenInvalid, Unauthorized

Kind = Literal["anonymous", "account", "robot", "system"]


class Action(StrEnum):
    """What is done to a project: its content, its members, itself."""

    PULL = "pull"
    PUSH = "push"
    DELETE = "delete"
    MEMBERS = "members"
    PROJECT = "project"


@dataclass(frozen=True, slots=True)
class Principal:
    """Whoever is asking. `epoch` is the token epoch the credential was given under; `ceiling` the actions it is limited
    to (None: no limit of its own)."""

    kind: Kind
    id: int = 0
    name: str = ""
    epoch: int = 0
    ceiling: frozenset[Action] | None = None

    @property
    def key(self) -> str:
        """One text per principal, as `account:12`: owner of an upload, subject of a token."""
        return f"{self.kind}:{self.id}"


ANONYMOUS = Principal("anonymous")
SYSTEM = Principal("system", name="system")
"""Nobody needs to sign in: what everybody is under `--auth none`. May do everything."""


class Rights(NamedTuple):  # made for every request, in a quarter of a dataclass's time
    """What the database says now of one principal in one project.

    `valid`: the principal is still there, not disabled, with the same epoch. `project_id` is None where no such project
    lives. `roles` are the account's own and those of its groups.
    """

    valid: bool
    admin: bool = False
    project_id: int | None = None
    public: bool = False
    sparse: bool = False
    roles: tuple[int, ...] = ()


PROJECT_ADMIN, DEVELOPER, GUEST, MAINTAINER, LIMITED_GUEST = 1, 2, 3, 4, 5

ROLES: dict[str, int] = {
    "project-admin": PROJECT_ADMIN,
    "maintainer": MAINTAINER,
    "developer": DEVELOPER,
    "guest": GUEST,
    "limited-guest": LIMITED_GUEST,
}

ACTIONS: dict[int, frozenset[Action]] = {
    PROJECT_ADMIN: frozenset(Action),
    MAINTAINER: frozenset({Action.PULL, Action.PUSH, Action.DELETE}),
    DEVELOPER: frozenset({Action.PULL, Action.PUSH}),
    GUEST: frozenset({Action.PULL}),
    LIMITED_GUEST: frozenset({Action.PULL}),
}


def permits(rights: Rights, action: Action) -> bool:
    """Whether these rights hold the action. A project that is not there permits nobody anything."""
    if not rights.valid or rights.project_id is None:
        return False
    if rights.admin or (rights.public and action is Action.PULL):
        return True
    return any(action in ACTIONS[role] for role in rights.roles)


def require(principal: Principal, rights: Rights, action: Action) -> None:
    """Return where the principal may act; else raise what it may know (RFC 6750 section 3.1; RFC 9110 section 15.5.4).

    TokenInvalid: the principal is gone, disabled or revoked. NameUnknown: an administrator asks for a project that does
    not exist (a caller that makes projects on push does so before). Unauthorized: anonymous. ScopeInsufficient: the
    credential is narrower than its holder. Denied: known, and not allowed; word for word the same whether the project
    exists or not.
    """
    if not rights.valid:
        raise TokenInvalid("these credentials are no longer good; sign in again")
    limited = principal.ceiling is not None and action not in principal.ceiling
    if permits(rights, action) and not limited:
        return
    _refuse(principal, rights, action, limited)


def _refuse(principal: Principal, rights: Rights, action: Action, limited: bool) -> NoReturn:
    if rights.admin and rights.project_id is None:
        raise NameUnknown("there is no such project; create it first (dfr project create)")
    if principal.kind == "anonymous":
        raise Unauthorized("sign in to do this")
    if limited and permits(rights, action):
        raise ScopeInsufficient(f"the credential does not cover {action}; ask for it in the scope")
    raise Denied("you may not do this here; ask an administrator of the project for a role that may")

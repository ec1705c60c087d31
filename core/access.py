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
    """What is done to a project's things: `resource:action` in Harbor's words, but for the three that tokens name."""

    PULL = "pull"
    PUSH = "push"
    DELETE = "delete"
    PROJECT_READ = "project:read"
    PROJECT_UPDATE = "project:update"
    PROJECT_DELETE = "project:delete"
    METADATA_READ = "metadata:read"
    METADATA_CREATE = "metadata:create"
    METADATA_UPDATE = "metadata:update"
    METADATA_DELETE = "metadata:delete"
    MEMBER_LIST = "member:list"
    MEMBER_READ = "member:read"
    MEMBER_CREATE = "member:create"
    MEMBER_UPDATE = "member:update"
    MEMBER_DELETE = "member:delete"
    LOG_LIST = "log:list"
    LABEL_LIST = "label:list"
    LABEL_READ = "label:read"
    LABEL_CREATE = "label:create"
    LABEL_UPDATE = "label:update"
    LABEL_DELETE = "label:delete"
    QUOTA_READ = "quota:read"
    REPOSITORY_LIST = "repository:list"
    REPOSITORY_READ = "repository:read"
    REPOSITORY_UPDATE = "repository:update"
    REPOSITORY_DELETE = "repository:delete"
    ARTIFACT_LIST = "artifact:list"
    ARTIFACT_READ = "artifact:read"
    ARTIFACT_CREATE = "artifact:create"
    ADDITION_READ = "artifact-addition:read"
    ACCESSORY_LIST = "accessory:list"
    ARTIFACT_LABEL_CREATE = "artifact-label:create"
    ARTIFACT_LABEL_DELETE = "artifact-label:delete"
    TAG_LIST = "tag:list"
    TAG_CREATE = "tag:create"
    TAG_DELETE = "tag:delete"
    RETENTION_LIST = "tag-retention:list"
    RETENTION_READ = "tag-retention:read"
    RETENTION_CREATE = "tag-retention:create"
    RETENTION_UPDATE = "tag-retention:update"
    RETENTION_DELETE = "tag-retention:delete"
    RETENTION_OPERATE = "tag-retention:operate"
    IMMUTABLE_LIST = "immutable-tag:list"
    IMMUTABLE_CREATE = "immutable-tag:create"
    IMMUTABLE_UPDATE = "immutable-tag:update"
    IMMUTABLE_DELETE = "immutable-tag:delete"
    ROBOT_LIST = "robot:list"
    ROBOT_READ = "robot:read"
    ROBOT_CREATE = "robot:create"
    ROBOT_UPDATE = "robot:update"
    ROBOT_DELETE = "robot:delete"
    HOLD_LIST = "hold:list"
    HOLD_CREATE = "hold:create"
    HOLD_DELETE = "hold:delete"

    @property
    def permission(self) -> str:
        """The word of a robot's grant, as `repository:pull`."""
        return _PERMISSION.get(self, self.value)


_PERMISSION = {Action.PULL: "repository:pull", Action.PUSH: "repository:push", Action.DELETE: "artifact:delete"}


class SystemAction(StrEnum):
    """What is done to the registry as a whole: for system administrators, and for system robots granted it."""

    AUDIT_LIST = "audit-log:list"
    CATALOG_READ = "catalog:read"
    CONFIGURATION = "configuration:update"
    GC_LIST = "garbage-collection:list"
    GC_READ = "garbage-collection:read"
    GC_CREATE = "garbage-collection:create"
    GC_UPDATE = "garbage-collection:update"
    GC_STOP = "garbage-collection:stop"
    LABEL_CREATE = "label:create"
    LABEL_UPDATE = "label:update"
    LABEL_DELETE = "label:delete"
    PROJECT_CREATE = "project:create"
    PROJECT_LIST = "project:list"
    PURGE_LIST = "purge-audit:list"
    PURGE_READ = "purge-audit:read"
    PURGE_CREATE = "purge-audit:create"
    PURGE_UPDATE = "purge-audit:update"
    PURGE_STOP = "purge-audit:stop"
    QUOTA_LIST = "quota:list"
    QUOTA_READ = "quota:read"
    QUOTA_UPDATE = "quota:update"
    ROBOT_LIST = "robot:list"
    ROBOT_READ = "robot:read"
    ROBOT_CREATE = "robot:create"
    ROBOT_UPDATE = "robot:update"
    ROBOT_DELETE = "robot:delete"
    USER_LIST = "user:list"
    USER_READ = "user:read"
    USER_CREATE = "user:create"
    USER_UPDATE = "user:update"
    USER_DELETE = "user:delete"
    GROUP_LIST = "user-group:list"
    GROUP_READ = "user-group:read"
    GROUP_CREATE = "user-group:create"
    GROUP_UPDATE = "user-group:update"
    GROUP_DELETE = "user-group:delete"
    VOLUMES_READ = "system-volumes:read"

    @property
    def permission(self) -> str:
        """The word of a robot's grant."""
        return self.value


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
    lives. `roles` are the account's own and those of its groups. `grants` are a robot's permissions there
    (`repository:pull`), or of the whole system where no project is named. `storage_limit` and `storage_used`
    (reservations included) are the project's, in bytes; both are None where it has no limit.
    """

    valid: bool
    admin: bool = False
    project_id: int | None = None
    public: bool = False
    sparse: bool = False
    roles: tuple[int, ...] = ()
    grants: tuple[str, ...] = ()
    storage_limit: int | None = None
    storage_used: int | None = None


PROJECT_ADMIN, DEVELOPER, GUEST, MAINTAINER, LIMITED_GUEST = 1, 2, 3, 4, 5

ROLES: dict[str, int] = {
    "project-admin": PROJECT_ADMIN,
    "maintainer": MAINTAINER,
    "developer": DEVELOPER,
    "guest": GUEST,
    "limited-guest": LIMITED_GUEST,
}

_LETTERS = {"A": PROJECT_ADMIN, "M": MAINTAINER, "D": DEVELOPER, "G": GUEST, "L": LIMITED_GUEST}
TABLE: dict[str, str] = {
    "AMDGLP": (
        "pull project:read repository:list repository:read artifact:list artifact:read artifact-addition:read tag:list "
        "accessory:list"
    ),
    "AMDGP": "label:list label:read",
    "AMDGL": "quota:read",
    "AMDG": "member:list member:read log:list robot:list robot:read hold:list",
    "AMD": "push artifact:create repository:update tag:create artifact-label:create artifact-label:delete",
    "AM": (
        "delete repository:delete tag:delete label:create label:update label:delete hold:create "
        "metadata:read "
        "tag-retention:list tag-retention:read tag-retention:create tag-retention:update tag-retention:delete "
        "tag-retention:operate immutable-tag:list immutable-tag:create immutable-tag:update immutable-tag:delete"
    ),
    "A": (
        "project:update project:delete metadata:create metadata:update metadata:delete "
        "member:create member:update member:delete "
        "robot:create robot:update robot:delete hold:delete"
    ),
}
"""The permission table, by the letters of Admin, Maintainer, Developer, Guest, Limited guest and P: everybody, in a
public project. It is Harbor's; whoever may place a hold need not be one who may lift it."""


def _actions(letter: str) -> frozenset[Action]:
    return frozenset(Action(word) for letters, words in TABLE.items() if letter in letters for word in words.split())


ACTIONS: dict[int, frozenset[Action]] = {role: _actions(letter) for letter, role in _LETTERS.items()}
PUBLIC = _actions("P")


def permits(rights: Rights, action: Action) -> bool:
    """Whether these rights hold the action. A project that is not there permits nobody anything."""
    if not rights.valid or rights.project_id is None:
        return False
    if rights.admin or (rights.public and action in PUBLIC) or action.permission in rights.grants:
        return True
    return any(action in ACTIONS[role] for role in rights.roles)


def hidden(rights: Rights, action: Action, known_by: Action) -> bool:
    """Whether a thing of a project is answered as one that is not there, where the request does not name the project:
    to who may neither do this with it nor what lets one know of it."""
    return not permits(rights, action) and not permits(rights, known_by)


def permits_system(principal: Principal, rights: Rights, action: SystemAction) -> bool:
    """Whether the principal may act on the registry as a whole; `rights` are those of no project. A token that was
    narrowed to a scope never may."""
    return rights.valid and principal.ceiling is None and (rights.admin or action.permission in rights.grants)


def require_valid(rights: Rights) -> None:
    """Return where the principal is still there, else TokenInvalid."""
    if not rights.valid:
        raise TokenInvalid("these credentials are no longer good; sign in again")


def require_signed_in(principal: Principal, rights: Rights) -> None:
    """Return where somebody has signed in and still may; else TokenInvalid or Unauthorized."""
    require_valid(rights)
    if principal.kind == "anonymous":
        raise Unauthorized("sign in to do this")


def require_system(principal: Principal, rights: Rights, action: SystemAction) -> None:
    """As `require`, of the registry as a whole: `rights` are those of no project."""
    require_signed_in(principal, rights)
    if not permits_system(principal, rights, action):
        raise Denied("only a system administrator may do this")


def require(principal: Principal, rights: Rights, action: Action) -> None:
    """Return where the principal may act; else raise what it may know (RFC 6750 section 3.1; RFC 9110 section 15.5.4).

    TokenInvalid: the principal is gone, disabled or revoked. NameUnknown: an administrator asks for a project that does
    not exist (a caller that makes projects on push does so before). Unauthorized: anonymous. ScopeInsufficient: the
    credential is narrower than its holder. Denied: known, and not allowed; word for word the same whether the project
    exists or not.
    """
    require_valid(rights)
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

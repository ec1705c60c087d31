"""What each role may do, in Harbor's words, written down a second time: from Harbor's documentation of its roles and
its sources (src/common/rbac/project), not from core/access.py, which the matrix holds to it."""

from dataclasses import dataclass, field

PLACES = ("ownedx", "othery", "publiz")
"""A private project of the principals with a role, a private one of others, and a public one of others."""
OWN, OTHER, PUBLIC = PLACES

_EVERYBODY = (
    "project:read repository:pull repository:list repository:read artifact:list artifact:read artifact-addition:read "
    "tag:list accessory:list"
)
_LIMITED = _EVERYBODY + " quota:read"
_GUEST = _LIMITED + " label:list label:read member:list member:read log:list robot:list robot:read hold:list"
_DEVELOPER = _GUEST + (
    " repository:push repository:update artifact:create tag:create artifact-label:create artifact-label:delete"
)
_MAINTAINER = _DEVELOPER + (
    " repository:delete artifact:delete tag:delete label:create label:update label:delete metadata:read"
    " immutable-tag:list immutable-tag:create immutable-tag:update immutable-tag:delete"
    " tag-retention:list tag-retention:read tag-retention:create tag-retention:update tag-retention:delete"
    " tag-retention:operate hold:create"
)
_ADMIN = _MAINTAINER + (
    " project:update project:delete metadata:create metadata:update metadata:delete"
    " member:create member:update member:delete robot:create robot:update robot:delete hold:delete"
)
PUBLIC_WORDS = frozenset((_EVERYBODY + " label:list label:read").split())
"""What everybody may do in a public project."""
ROLES = {
    5: frozenset(_LIMITED.split()),
    3: frozenset(_GUEST.split()),
    2: frozenset(_DEVELOPER.split()),
    4: frozenset(_MAINTAINER.split()),
    1: frozenset(_ADMIN.split()),
}
"""By the number of the role. `hold:*` are ours; Harbor lets developers keep retention rules and none but project
administrators read the log since 2.13 (docs/management.md says why not here)."""


@dataclass(frozen=True)
class Who:
    """One who asks. role: in OWN. grants: a robot's words by project, `*` for all, `/` for the system."""

    name: str
    role: int = 0
    admin: bool = False
    grants: dict[str, frozenset[str]] = field(default_factory=dict)

    @property
    def anonymous(self) -> bool:
        return self.name == ""

    @property
    def robot(self) -> bool:
        return bool(self.grants)

    def holds(self, word: str, place: str) -> bool:
        """Whether he may do it in a project; `any`: whether he may do anything at all there."""
        if word == "any":
            return self.knows(place)
        if self.admin or (place == PUBLIC and word in PUBLIC_WORDS):
            return True
        granted = self.grants.get(place, frozenset()) | self.grants.get("*", frozenset())
        return word in granted or (place == OWN and word in ROLES.get(self.role, frozenset()))

    def knows(self, place: str) -> bool:
        """Whether he may know that a project is there."""
        return (
            self.admin or place == PUBLIC or (place == OWN and self.role > 0) or bool({place, "*"} & set(self.grants))
        )

    def holds_system(self, word: str) -> bool:
        """Whether he may do it to the registry as a whole."""
        return self.admin or word in self.grants.get("/", frozenset())


PRINCIPALS = (
    Who(""),
    Who("eve"),
    Who("lim", 5),
    Who("guy", 3),
    Who("dev", 2),
    Who("mia", 4),
    Who("pat", 1),
    Who("admin", admin=True),
    Who("robot$ownedx+puller", grants={OWN: frozenset({"repository:pull"})}),
    Who(
        "robot$reader",
        grants={
            "*": frozenset({"project:read", "repository:list", "artifact:list", "label:read", "tag-retention:read"}),
            "/": frozenset({"quota:list", "user:read"}),
        },
    ),
)

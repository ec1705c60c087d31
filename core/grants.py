"""What a robot is granted: permissions in one project, in all, or in the system; and who may grant them.

Nobody hands out what is not his: a grant is held against the rights of whoever makes, changes or refreshes the robot.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from .access import Action, Principal, Rights, SystemAction, permits
from .oci.errors import QueryInvalid

Kind = Literal["project", "system"]
ALL = "*"
IN_PROJECT = {action.permission: action for action in Action}
IN_SYSTEM = {action.permission: action for action in SystemAction}
MOST = 1000
"""Grants a robot may have."""


@dataclass(frozen=True)
class Grant:
    """Permissions (`repository:pull`) of one kind. `namespace`: the project's name, `*` for every project, `/` for the
    system. `project_id` binds it to the project that has the name now: one made again under it is another."""

    kind: Kind
    namespace: str
    access: tuple[str, ...]
    project_id: int | None = None

    def stored(self) -> dict[str, Any]:
        """As robot.permissions holds it."""
        parts = (word.split(":") for word in self.access)
        access = [{"resource": resource, "action": action} for resource, action in parts]
        bound = {} if self.project_id is None else {"project_id": self.project_id}
        return {"kind": self.kind, "namespace": self.namespace, "access": access, **bound}

    @classmethod
    def of(cls, stored: dict[str, Any]) -> "Grant":
        """Back from what `stored` gave."""
        access = tuple(f"{each['resource']}:{each['action']}" for each in stored["access"])
        return cls(stored["kind"], stored["namespace"], access, stored.get("project_id"))


def check_words(kind: str, words: Iterable[str]) -> tuple[str, ...]:
    """The permissions, each once. QueryInvalid names one that there is not, or says that there is none."""
    known = IN_SYSTEM if kind == "system" else IN_PROJECT
    found = tuple(dict.fromkeys(words))
    for word in found:
        if word not in known:
            raise QueryInvalid(f"there is no {kind} permission {word[:80]!r}; /api/v2.0/permissions lists them all")
    if not found:
        raise QueryInvalid("a robot needs at least one permission; write its access")
    return found


def covers(by: Principal, rights: Rights, grant: Grant) -> bool:
    """Whether one with these rights may hand the grant out. `rights` are those in `grant.namespace`, or of no project
    for the system's."""
    if by.ceiling is not None or not rights.valid:
        return False
    if rights.admin:
        return True
    if grant.kind == "system" or grant.namespace == ALL:
        return set(grant.access) <= set(rights.grants)
    return all(permits(rights, IN_PROJECT[word]) for word in grant.access if word in IN_PROJECT)

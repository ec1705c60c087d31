"""One operation of /api/v2.0: an Endpoint that says which right it needs, and one request of it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, ClassVar, Generic, TypeVar

import msgspec

from ...core.access import Action, Principal, Rights, SystemAction
from ...core.oci.errors import NotFound
from ...core.records.artifacts import Actor
from ...core.records.database import Connection, Database
from ...core.secrets import Vault
from ...core.signin import SignIn
from ...core.store import Store
from ..access import Door
from ..config import Config
from ..endpoint import Endpoint
from ..health import Health
from ..identity.people import People
from ..v2.answer import Request

Q = TypeVar("Q", bound=msgspec.Struct)


class Anyone(Enum):
    """Rights that have nothing to do with a project."""

    ANONYMOUS = "anybody"
    SIGNED_IN = "whoever has signed in"


@dataclass(frozen=True)
class Services:
    """What operations stand on, one of each a process. The last three are None with `auth.mode: none`."""

    config: Config
    database: Database
    store: Store
    door: Door
    health: Health
    vault: Vault | None = None
    sign_in: SignIn | None = None
    people: People | None = None


@dataclass(frozen=True)
class Call(Generic[Q]):
    """One request of one operation: who asks, the path's parameters (decoded), query and body as their Structs; in a
    project (whatever the path calls it) its name, and the caller's rights there or, without a project, in the whole."""

    services: Services
    request: Request
    principal: Principal
    actor: Actor
    path: dict[str, str]
    query: Q
    body: Any
    rights: Rights
    project: str = ""

    @property
    def project_id(self) -> int:
        """The project's id, for operations of a project."""
        assert self.rights.project_id is not None
        return self.rights.project_id

    @property
    def database(self) -> Database:
        return self.services.database

    def number(self, name: str) -> int:
        """A parameter of the path that is an id. NotFound where it is no number."""
        text = self.path[name]
        if not text.isdecimal() or len(text) > 18:
            raise NotFound(f"there is no {name.removesuffix('_id').replace('_', ' ')} {text[:80]}")
        return int(text)

    @property
    def audit(self) -> dict[str, str]:
        """Where the request came from, for `core.records.audit.record`."""
        return {"address": self.actor.address, "request_id": self.actor.request_id}


Needs = Action | SystemAction | Anyone
Located = Callable[[Connection, dict[str, str]], Awaitable[int | None]]


@dataclass(frozen=True)
class Operation(Endpoint):
    """`needs`: the right, asked before anything else is done. An Action is asked in the project that the path's
    `project_name_or_id` or `project_name` names, or in the one that `of` finds (its id, None: no such thing) by the
    path; a caller who may neither do it nor read that project is told the thing is not there. `always`: a change that a
    registry in read-only mode takes too."""

    blanks_unsaid: ClassVar[bool] = True  # as in Harbor
    needs: Needs = field(kw_only=True)
    of: Located | None = field(default=None, kw_only=True)
    always: bool = field(default=False, kw_only=True)

"""One request of an operation of /api/v1: who asks, for what, and what answers stand on."""

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec

from ...core.access import Action, Principal, Rights, require
from ...core.local import LocalRepository
from ...core.records.artifacts import Actor
from ...core.sandbox import Sandbox
from ...core.store import Store
from ..access import Door
from ..v2.answer import Request
from .made import MadeFiles
from .sealed import Links

Q = TypeVar("Q", bound=msgspec.Struct)


@dataclass(frozen=True)
class Services:
    """What operations stand on, one of each a process."""

    store: Store
    door: Door
    sandbox: Sandbox
    files: MadeFiles
    links: Links
    file_limit: int  # bytes of layers that one file is made of
    external_url: str = ""


@dataclass(frozen=True)
class Call(Generic[Q]):
    """One request of one operation: who asks, the path's parameters, the query as its Struct, the body as read."""

    services: Services
    request: Request
    principal: Principal
    actor: Actor
    path: dict[str, str]
    query: Q
    body: Any = None

    def repository(self, name: str) -> LocalRepository:
        """A repository as the caller sees it; each of its calls asks for the right."""
        return LocalRepository(self.services.store, self.principal, name, self.actor)

    async def require(self, action: Action, project: str) -> Rights:
        """The caller's rights in a project, if they hold the action; else what `core.access.require` raises."""
        rights = await self.services.door.rights(self.principal, project)
        require(self.principal, rights, action)
        return rights

"""How one principal stands to one repository name: what may be done there, its rows, and what is found in it."""

from .access import Action, Principal, permits, require
from .modes import check_mode
from .oci.digest import Digest
from .oci.errors import BlobUnknown, ManifestUnknown, NameUnknown
from .records import repositories
from .records.artifacts import Actor
from .records.lookup import FoundArtifact, FoundBlob, Home, key
from .store import Store


class Standing:
    """Rights and rows are asked for anew by each call: what a principal may do can change at any time."""

    def __init__(self, store: Store, principal: Principal, name: str, actor: Actor) -> None:
        self._store = store
        self._database = store.database
        self._principal = principal
        self._name = name
        self._actor = actor

    async def _home(self) -> Home:
        return await self._store.homes.get(key(self._principal, self._name))

    def _may(self, home: Home, action: Action) -> bool:
        ceiling = self._principal.ceiling
        return permits(home.rights, action) and (ceiling is None or action in ceiling)

    async def _existing(self, action: Action) -> int:
        home = await self._home()
        require(self._principal, home.rights, action)
        if action is Action.DELETE:
            check_mode(home.mode, push=False)
        if home.repository_id is None:
            raise _name_unknown()
        return home.repository_id

    async def _pushable(self) -> Home:
        """The repository for one who may push; `_made` makes its row."""
        home = await self._home()
        if not self._may_make(home):
            require(self._principal, home.rights, Action.PUSH)
        check_mode(home.mode, push=True)
        return home

    def _may_make(self, home: Home) -> bool:
        """Whether a push makes the project too."""
        return home.rights.admin and self._store.limits.autocreate and home.rights.project_id is None

    async def _made(self, home: Home) -> int:
        if home.repository_id is not None:
            return home.repository_id
        return await self._store.makes.get(repositories.New(self._name, self._may_make(home), self._actor))

    async def ensure(self) -> int:
        """The id of the repository, made if need be, for one who may push to it."""
        return await self._made(await self._pushable())

    async def _linked(self, digest: Digest) -> FoundBlob | None:
        return (await self._store.by_blob.get(key(self._principal, self._name, digest)))[1]

    async def _find_blob(self, digest: Digest) -> tuple[Home, FoundBlob]:
        home, found = await self._store.by_blob.get(key(self._principal, self._name, digest))
        require(self._principal, home.rights, Action.PULL)
        if found is None:
            raise blob_unknown()
        return home, found

    async def _find_artifact(self, reference: str) -> tuple[Home, FoundArtifact]:
        known_by = self._store.by_digest if ":" in reference else self._store.by_tag
        home, found = await known_by.get(key(self._principal, self._name, reference))
        require(self._principal, home.rights, Action.PULL)
        if home.repository_id is None:
            raise _name_unknown()
        if found is None:
            raise manifest_unknown()
        return home, found


def blob_unknown() -> BlobUnknown:
    """Also for one who may not know."""
    return BlobUnknown("this repository has no such blob")


def manifest_unknown() -> ManifestUnknown:
    """Also for one who may not know."""
    return ManifestUnknown("this repository has no such tag or manifest")


def _name_unknown() -> NameUnknown:
    return NameUnknown("there is no such repository; the first push makes it")

"""Projects of what is taken over: those that are not here are made, public where that was said."""

from collections.abc import Set

from ..access import SYSTEM
from ..oci.errors import ReadOnly
from ..records import projects, settings
from ..records.database import Connection, Database


class Projects:
    """`found`: what became of each project, in words."""

    def __init__(self, database: Database, public: Set[str], dry_run: bool) -> None:
        self._database, self._public, self._dry_run = database, public, dry_run
        self.found: dict[str, str] = {}

    async def ready(self, repository: str) -> None:
        """The project of a repository is there. ReadOnly, NameInvalid."""
        name = repository.partition("/")[0]
        if name not in self.found:
            self.found[name] = await self._database.run(lambda conn: self._make(conn, name))

    def unmet(self) -> list[str]:
        """Projects that were to be public, and that nothing is in."""
        return sorted(self._public - self.found.keys())

    async def _make(self, conn: Connection, name: str) -> str:
        public = name in self._public
        try:
            here = await projects.find(conn, name)
        except projects.ProjectError:
            if await settings.mode(conn) is not settings.Mode.NORMAL:
                raise ReadOnly("the registry takes no pushes now: dfr mode normal") from None
            if not self._dry_run:
                await projects.create(conn, SYSTEM, name, public=public)
            return "made, public" if public else "made, private"
        if public and not here.public:
            return "here already and left private"
        return "here already, public" if here.public else "here already, private"

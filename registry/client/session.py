"""The asynchronous API: a registry whose wells and curves are awaited. `connection.py` has the blocking twin."""

from types import TracebackType
from typing import Any, Self

from ...core.curves.names import LATEST, Reference, checked_project
from ...core.oci.errors import ManifestUnknown, NameUnknown, Unsupported
from .bounds import Bound, window_of
from .cache import Cache
from .credentials import Credentials
from .curve import AsyncCurve
from .curves import list_wells
from .remote import RemoteRegistry
from .well import AsyncWell

_PAGE = 100


class AsyncRegistry:
    """A registry. An async context, or closed by `close`; every failure is a RegistryError or a CurveError of one line.

    May be used in one event loop after another, and after a fork.
    """

    def __init__(self, url: str, credentials: Credentials | None = None, cache: Cache | None = None) -> None:
        self.remote = RemoteRegistry(url, credentials, cache)
        self._elsewhere: dict[str, RemoteRegistry] = {}
        self._cache = cache

    def __repr__(self) -> str:
        return f"AsyncRegistry({self.url!r})"

    @property
    def url(self) -> str:
        """`http://HOST:PORT`."""
        return self.remote.transport.base

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Let the connections go."""
        for remote in (self.remote, *self._elsewhere.values()):
            await remote.transport.close()

    async def wells(self, project: str = "") -> list[str]:
        """The wells one may read, `project/well`, of all projects or of one."""
        return list(await list_wells(self.remote, checked_project(project) if project else ""))

    async def search(
        self,
        q: str = "",
        depth: tuple[Bound, Bound] | None = None,
        *,
        unit: str = "m",
        project: str | None = None,
        versions: str = "latest",
        sort: str = "",
        limit: int = 100,
    ) -> list[dict[str, Any]]:
        """Curves that one may read, as the registry's catalogue describes them (`GET /api/v1/search`), at most `limit`.

        q: conditions joined by commas, such as `family=gamma_ray,max=[300~],field=Gullfaks*`. depth: whose index
        overlaps (a, b), in `unit`. versions: latest, or all. sort: a field, `-` in front the other way round; empty: by
        mnemonic if q asks for the start of one, else in the order in which curves came.
        QueryInvalid for what cannot be asked; Unsupported where the registry has no catalogue.
        """
        window = window_of(depth)
        asked = {"q": q, "from": window.start, "to": window.stop, "project": project, "sort": sort}
        query = [(name, value) for name, value in asked.items() if value]
        query += [("unit", unit), ("versions", versions), ("limit", str(min(limit, _PAGE)))]
        address: str | None = "/api/v1/search"
        found: list[dict[str, Any]] = []
        while address and len(found) < limit:
            try:
                answer = await self.remote.transport.request("GET", address, query=query)
            except (ManifestUnknown, NameUnknown) as error:
                raise Unsupported(f"{self.url} has no catalogue; wells() and well(...).curves() list") from error
            found += answer.json().get("curves", [])
            link = answer.headers.get("Link", "")
            address = link[link.index("<") + 1 : link.index(">")] if 'rel="next"' in link else None
            query = []
        return found[:limit]

    def well(self, reference: str) -> AsyncWell:
        """A well (`project/well`), or one of its frames (`project/well/frame`)."""
        parsed = Reference.parse(reference)
        return AsyncWell(self._registry(parsed), parsed)

    def curve(self, reference: str, version: str | int | None = None) -> AsyncCurve:
        """A curve: `project/well/frame/curve`, with `:tag` or `@digest` behind it or as `version` (3 is v3)."""
        parsed = Reference.parse(reference)
        if version is not None:
            target = f"v{version}" if isinstance(version, int) else version
            parsed = Reference.parse(f"{parsed.repository}@{target}") if target != LATEST else parsed
        return AsyncCurve(self._registry(parsed), parsed)

    def _registry(self, reference: Reference) -> RemoteRegistry:
        """A reference may name another registry than this one."""
        base = reference.base
        if base is None or base.rstrip("/") == self.url:
            return self.remote
        return self._elsewhere.setdefault(base, RemoteRegistry(base, None, self._cache))

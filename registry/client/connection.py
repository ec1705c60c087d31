"""The Python API for people at a prompt: blocking, and usable inside a notebook's running loop.

registry = dataforge_registry.connect("http://127.0.0.1:5000")
log = registry.curve("permian/university-6-17-no-1/run-two/gr").read(depth=(3100, 3250))
log.to_pandas()
"""

import os
import weakref
from pathlib import Path
from types import TracebackType
from typing import Self

from ...core.curves.schema import Config
from ...core.oci.digest import Digest
from .blocking import Face, blocking, close_soon, wait
from .cache import DEFAULT_LIMIT, Cache, default_folder
from .credentials import DEFAULT_ADDRESS, Credentials
from .curve import AsyncCurve
from .curves import CurveVersion
from .session import AsyncRegistry
from .well import AsyncWell

DEFAULT = "default"


def connect(
    url: str | None = None,
    *,
    username: str | None = None,
    password: str | None = None,
    cache: Cache | Path | str | None = DEFAULT,
) -> "Registry":
    """The registry at `http://HOST:PORT`; None: DFR_REGISTRY, else this machine's. Asks nothing yet.

    Without username and password: DFR_USERNAME and DFR_PASSWORD, else what `docker login` or `oras login` left.
    cache: a folder for what was read, None for none; else DFR_CACHE, or this system's place for caches, up to 1 GiB.
    """
    return Registry(connect_async(url, username=username, password=password, cache=cache))


def connect_async(
    url: str | None = None,
    *,
    username: str | None = None,
    password: str | None = None,
    cache: Cache | Path | str | None = DEFAULT,
) -> AsyncRegistry:
    """The same to be awaited: `async with connect_async(url) as registry: await registry.curve(...).read()`."""
    base = (url or os.environ.get("DFR_REGISTRY") or DEFAULT_ADDRESS).rstrip("/")
    credentials = Credentials(username, password or "") if username else None
    if cache == DEFAULT:
        cache = Cache(default_folder(), DEFAULT_LIMIT)
    elif isinstance(cache, str | Path):
        cache = Cache(cache)
    return AsyncRegistry(base, credentials, cache)


class Curve(Face[AsyncCurve]):
    """One curve at a tag or digest. Each reading asks what the tag names now; `commit` follows what was read last."""

    info = blocking(AsyncCurve.info)
    read = blocking(AsyncCurve.read)
    versions = blocking(AsyncCurve.versions)
    history = blocking(AsyncCurve.history)
    commit = blocking(AsyncCurve.commit)

    def __init__(self, twin: AsyncCurve, registry: "Registry") -> None:
        super().__init__(twin)
        twin.load, twin.run = _load, wait
        self._registry = registry  # whose connections close when nobody holds it

    @property
    def reference(self) -> str:
        """`project/well/frame/curve`, with the tag or digest it was asked for by."""
        return str(self._twin.reference)

    @property
    def digest(self) -> Digest:
        """The version that the reference names now."""
        return wait(self._twin.digest())

    @property
    def config(self) -> Config:
        """The header, as `info()`."""
        return self.info()


class Well(Face[AsyncWell]):
    """One well, or one frame of it."""

    curves = blocking(AsyncWell.curves)
    read = blocking(AsyncWell.read)
    add_curve = blocking(AsyncWell.add_curve)

    def __init__(self, twin: AsyncWell, registry: "Registry") -> None:
        super().__init__(twin)
        twin.run = wait
        self._registry = registry

    @property
    def reference(self) -> str:
        """`project/well` or `project/well/frame`."""
        return str(self._twin.reference)


class Registry(Face[AsyncRegistry]):
    """A registry. Every failure is a RegistryError or a CurveError with one line that says what to do."""

    wells = blocking(AsyncRegistry.wells)
    search = blocking(AsyncRegistry.search)
    close = blocking(AsyncRegistry.close)

    def __init__(self, twin: AsyncRegistry) -> None:
        super().__init__(twin)
        self._let_go = weakref.finalize(self, close_soon, twin.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def url(self) -> str:
        """`http://HOST:PORT`."""
        return self._twin.url

    def well(self, reference: str) -> Well:
        """A well (`project/well`), or one of its frames (`project/well/frame`)."""
        return Well(self._twin.well(reference), self)

    def curve(self, reference: str, version: str | int | None = None) -> Curve:
        """A curve: `project/well/frame/curve`, with `:tag` or `@digest` behind it or as `version` (3 is v3)."""
        return Curve(self._twin.curve(reference, version), self)


def _load(curve: AsyncCurve, version: CurveVersion) -> Config:
    return wait(curve.config_of(version))

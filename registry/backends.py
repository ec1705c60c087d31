"""What a configuration names: the database and the store, opened, and limits in core's words."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from msgspec.structs import asdict

from ..core.oci.digest import hash_of_key
from ..core.records.database import Database
from ..core.sandbox import SandboxLimits
from ..core.store import Limits
from ..drivers import open_driver
from ..drivers.base import Driver, Unavailable
from .config import Config, ConfigError
from .sections import Section
from .v2.redirects import Redirects

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry


async def open_database(config: Config, size: int | None = None) -> Database:
    """The pool of `database.url`, with `size` connections (None: `database.pool`). Unavailable."""
    settings = config.database
    return await Database.open(
        settings.url,
        direct_url=settings.direct_url or None,
        size=size or settings.pool,
        pooler=settings.pooler,
        statement_timeout=settings.statement_timeout,
        replicas=settings.replicas,
        staleness=settings.staleness,
    )


def open_store(config: Config) -> Driver:
    """The one driver of `storage`. ConfigError, or Unavailable where it cannot be used."""
    storage = config.storage
    try:
        return open_driver(storage.driver, parameters_of(getattr(storage, storage.driver)))
    except ValueError as error:
        raise ConfigError(str(error)) from None


def parameters_of(section: Section) -> dict[str, Any]:
    """A driver's section as `open_driver` takes it."""
    parameters = asdict(section)
    return parameters | {name: asdict(value) for name, value in parameters.items() if isinstance(value, Section)}


def with_cache(config: Config, driver: Driver, registry: "CollectorRegistry") -> Driver:
    """The store behind copies in `storage.cache.folder`, if one is named. Unavailable where it cannot be used."""
    said = config.storage.cache
    if not said.folder:
        return driver
    from ..drivers.cache_folder import CacheFolder
    from ..drivers.cached import Cached
    from .cache_metrics import CacheMetrics

    try:
        folder = CacheFolder(said.folder, said.size)
    except OSError as error:
        raise Unavailable(f"storage.cache.folder: {said.folder} cannot be used: {error.strerror}") from error
    return Cached(driver, folder, hash_of_key, CacheMetrics(registry).note)


def limits(config: Config) -> Limits:
    """The configuration's limits, in core's words."""
    return Limits(
        inline=config.storage.inline,
        manifest=config.http.manifest_limit,
        blob=config.http.blob_limit,
        lease=timedelta(seconds=config.gc.lease),
        undo=timedelta(seconds=config.gc.undo),
        upload_expiry=timedelta(seconds=config.upload.expiry),
        upload_lease=timedelta(seconds=config.upload.lease),
        autocreate=config.projects.autocreate or config.auth.mode == "none",
        cache_manifests=config.cache.manifests,
        cache_blobs=config.cache.blobs,
        cache_blob=config.cache.blob_limit,
        verify_reads=config.storage.verify_reads,
    )


def redirects(config: Config) -> Redirects:
    """When readers of blobs are sent to the store."""
    said = config.storage.redirect
    return Redirects(not said.disable, said.least, max(1, round(said.expiry)), tuple(said.except_agents))


def sandbox_limits(config: Config) -> SandboxLimits:
    """What a process that opens foreign files may take."""
    return SandboxLimits(config.curves.memory, int(config.curves.cpu), config.curves.timeout)

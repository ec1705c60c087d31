"""What no type can say about a configuration: which values do not go together, or name nothing."""

import ipaddress
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .config import Config

SHORTEST_LEASE = 3600


def faults(config: "Config") -> Iterator[str]:
    """What is wrong with it, a line each that says what to change."""
    http, storage = config.http, config.storage
    yield from _database(config)
    if config.gc.lease < SHORTEST_LEASE:
        yield "gc.lease: at least 1h, or a slow push may lose its blobs to gc"
    if config.limits.rate.burst < 1:
        yield "limits.rate.burst: at least 1s"
    if config.limits.shed > config.limits.refuse:
        yield "limits.shed: not above limits.refuse, uploads give way first"
    yield from _oidc(config)
    yield from _crons(config)
    yield from _collector(config.audit.forward)
    if storage.filesystem and not storage.filesystem.rootdirectory:
        yield "storage.filesystem.rootdirectory: name the folder of the blobs"
    if (storage.maintenance or {}).get("readonly", {}).get("enabled"):
        yield "storage.maintenance.readonly: not supported (nothing here needs a read-only time)"
    for network in http.trusted_proxies:
        try:
            ipaddress.ip_network(network)
        except ValueError as error:
            yield f"http.trusted_proxies: {error}"
    if bool(http.tls.certificate) != bool(http.tls.key):
        yield "http.tls: certificate and key go together"
    if http.external_url and not re.fullmatch(r"https?://[^/?#\s]+/?", http.external_url):
        yield "http.external_url: write scheme, host and port only, as https://registry.example.org"


def _database(config: "Config") -> Iterator[str]:
    database = config.database
    if not database.url and not config.data:
        yield "no database: set database.url, or give --data DIR for a private PostgreSQL"
    for key in ("url", "direct_url"):
        url = getattr(database, key)
        if url and not url.startswith(("postgresql://", "postgres://")):
            yield f"database.{key}: write postgresql://user:password@host/name"
    if not all(url.startswith(("postgresql://", "postgres://")) for url in database.replicas):
        yield "database.replicas: write postgresql://user:password@host/name, a list of them"
    if database.replicas and database.staleness < 0.5:
        yield "database.staleness: at least 0.5s, or no replica is ever young enough"
    if database.pooler and not database.direct_url:
        yield "database.pooler: name the server behind the pooler in database.direct_url, for LISTEN and migrations"


def _crons(config: "Config") -> Iterator[str]:
    if config.gc.schedule:
        from ..core.work.schedule import BadCron, next_time

        try:
            next_time(config.gc.schedule, datetime.now(UTC))
        except BadCron as error:
            yield f"gc.schedule: {error}"


def _collector(wanted: str) -> Iterator[str]:
    if wanted:
        from ..core.syslog import Endpoint

        try:
            Endpoint.parse(wanted)
        except ValueError as error:
            yield f"audit.forward: {error}"


def _oidc(config: "Config") -> Iterator[str]:
    if config.auth.oidc.endpoint:
        from ..core.oci.errors import RegistryError
        from .identity.settings import check, check_extra

        try:
            check_extra()
            check(config.auth.oidc)
        except RegistryError as error:
            yield f"auth.oidc: {error}"

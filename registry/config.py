"""The configuration: YAML, then environment variables, then the command line, as frozen structs.

Every key with its default stands in deploy/config.example.yml. Unknown keys are errors that name their path. Any text
may be `${file:PATH}`: the content of that file without its last line end.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import yaml

from .environment import BadVariable, assign, overlay
from .faults import faults
from .load.settings import Limits
from .sections import (
    DRIVERS,
    Audit,
    Auth,
    Cache,
    Curves,
    Database,
    Gc,
    Http,
    Ingest,
    Log,
    Projects,
    Scrub,
    Section,
    Server,
    Storage,
    Switch,
    Upload,
    Worker,
)
from .units import Duration, Secret, Size, decode

NOT_BUILT = ("swift", "oss", "cos", "obs")
_FILE = re.compile(r"\$\{file:([^}]+)\}")


class ConfigError(Exception):
    """The configuration cannot be used; the message is one line that says what to change."""


class Config(Section, frozen=True):
    """A whole configuration. `data` is the folder of the private PostgreSQL, the secret key and the first password."""

    storage: Storage
    data: str = ""
    database: Database = Database()
    http: Http = Http()
    server: Server = Server()
    limits: Limits = Limits()
    auth: Auth = Auth()
    projects: Projects = Projects()
    gc: Gc = Gc()
    scrub: Scrub = Scrub()
    upload: Upload = Upload()
    cache: Cache = Cache()
    curves: Curves = Curves()
    log: Log = Log()
    metrics: Switch = Switch()
    worker: Worker = Worker()
    ingest: Ingest = Ingest()
    audit: Audit = Audit()

    def to_yaml(self, redacted: bool = True) -> str:
        """The configuration in effect, secrets as `***` unless redacted is false. `load` reads it back."""
        return yaml.safe_dump(_plain(self, redacted), sort_keys=False, allow_unicode=True)


def _plain(value: Any, redacted: bool) -> Any:
    if isinstance(value, msgspec.Struct):
        items = ((name, getattr(value, name)) for name in value.__struct_fields__)
        return {name: _plain(item, redacted) for name, item in items if item is not None}
    if isinstance(value, list):
        return [_plain(item, redacted) for item in value]
    if isinstance(value, Secret):
        return value.redacted() if redacted else str(value)
    if isinstance(value, Size):
        return int(value)
    if isinstance(value, Duration):
        return int(value) if value.is_integer() else float(value)
    return value


def _include(value: Any, path: str) -> Any:
    """The tree with every `${file:PATH}` replaced."""
    if isinstance(value, dict):
        return {name: _include(item, f"{path}.{name}") for name, item in value.items()}
    if isinstance(value, list):
        return [_include(item, f"{path}[{index}]") for index, item in enumerate(value)]
    if not isinstance(value, str):
        return value

    def content(match: re.Match[str]) -> str:
        try:
            return Path(match[1]).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ConfigError(f"cannot read {match[1]} named by {path}: {reason}") from None

    return _FILE.sub(content, value)


def _read(path: Path) -> dict[str, Any]:
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8 text") from None
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        line = f" line {where.line + 1}" if where else ""
        raise ConfigError(f"{path}{line}: not YAML: {getattr(error, 'problem', None) or 'unreadable'}") from None
    if tree is not None and not isinstance(tree, dict):
        raise ConfigError(f"{path}: a configuration is a mapping of sections, not a {type(tree).__name__}")
    return tree or {}


def _one_driver(tree: dict[str, Any]) -> None:
    storage = tree.get("storage")
    if not isinstance(storage, dict):
        raise ConfigError("no storage: give --data DIR or set storage.filesystem.rootdirectory")
    chosen = [name for name in (*DRIVERS, *NOT_BUILT) if name in storage]
    for name in chosen:
        if name in NOT_BUILT:
            raise ConfigError(f"storage.{name}: this driver is not built yet (there are {', '.join(DRIVERS)})")
        if storage[name] is None:
            storage[name] = {}
    if not chosen:
        raise ConfigError("no storage driver: set storage.filesystem.rootdirectory, or storage.s3, azure or gcs")
    if len(chosen) > 1:
        raise ConfigError(f"two storage drivers, {' and '.join(chosen)}: leave one of them in storage")


def _check(config: Config) -> Config:
    for fault in faults(config):
        raise ConfigError(fault)
    return config


def load(
    path: Path | str | None = None,
    env: Mapping[str, str] = os.environ,
    *,
    data: Path | str | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Config:
    """The configuration from a file, variables and command line (overrides: dotted key -> value), or ConfigError.

    A data folder without a storage driver means files in DATA/storage; without `database.url` the records live in a
    private PostgreSQL in DATA/postgres.
    """
    try:
        tree = overlay(_read(Path(path)) if path else {}, Config, env)
    except BadVariable as error:
        raise ConfigError(str(error)) from None
    for key, value in (overrides or {}).items():
        assign(tree, tuple(key.split(".")), value)
    tree = {name: {} if item is None and name != "storage" else item for name, item in tree.items()}
    if data is not None:
        tree["data"] = str(data)
    storage = tree.get("storage") or {}
    if tree.get("data") and isinstance(storage, dict) and not {*DRIVERS, *NOT_BUILT} & set(storage):
        tree["storage"] = {"filesystem": {"rootdirectory": str(Path(str(tree["data"])) / "storage")}, **storage}
    return _convert(_include(tree, "$"))


def from_yaml(text: str) -> Config:
    """What `Config.to_yaml(redacted=False)` wrote: complete, nothing is read from elsewhere."""
    return _convert(yaml.safe_load(text))


def _convert(tree: dict[str, Any]) -> Config:
    _one_driver(tree)
    try:
        return _check(msgspec.convert(tree, Config, dec_hook=decode))
    except msgspec.ValidationError as error:
        raise ConfigError(str(error).replace("Object contains unknown", "unknown").replace("$.", "")) from None

"""The options every command takes that needs the server's configuration."""

from pathlib import Path
from typing import Annotated, Any

import typer

from ..config import Config, load
from ..failures import CommandError

ConfigFile = Annotated[
    Path | None, typer.Option("--config", help="The configuration file (YAML); see deploy/config.example.yml.")
]
DataFolder = Annotated[
    Path | None, typer.Option("--data", help="A folder for blobs and a private PostgreSQL; made if it is not there.")
]


def read(config: Path | None, data: Path | None, **overrides: Any) -> Config:
    """The configuration as the command line asks for it; overrides are `section__key=value`, None is not given."""
    given = {key.replace("__", "."): value for key, value in overrides.items() if value is not None}
    return load(config, data=data, overrides=given)


def on_disk(settings: Config, verb: str) -> Config:
    """The same settings, or CommandError where another process cannot reach the store."""
    if settings.storage.driver == "inmemory":
        raise CommandError(f"storage.inmemory lives inside its server: there is nothing for another process to {verb}")
    return settings

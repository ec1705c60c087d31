"""`dfr config check` and `dfr config show`."""

from typing import Annotated

import typer

from .options import ConfigFile, DataFolder, read


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Look at the configuration.", no_args_is_help=True)
    group.command()(check)
    group.command()(show)
    app.add_typer(group, name="config")


def check(config: ConfigFile = None, data: DataFolder = None) -> None:
    """Say whether the configuration can be used, or what is wrong with it."""
    settings = read(config, data)
    from ..server import check_tls

    check_tls(settings.http)
    if settings.auth.secretkey:
        from ...core.secrets import Vault

        Vault(settings.auth.secretkey)
    database = "a database of its own address" if settings.database.url else "a private PostgreSQL"
    print(f"the configuration is good: {settings.storage.driver} storage, {database}")


def show(
    config: ConfigFile = None,
    data: DataFolder = None,
    secrets: Annotated[bool, typer.Option(help="Show passwords and keys too.")] = False,
) -> None:
    """Print the configuration in effect: file, environment and defaults together."""
    print(read(config, data).to_yaml(redacted=not secrets), end="")

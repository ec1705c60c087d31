"""`dfr serve` and `dfr migrate`."""

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from .options import ConfigFile, DataFolder, read

if TYPE_CHECKING:
    from ...core.records.schema_status import Step


class Engine(StrEnum):
    """What `--engine` takes."""

    hypercorn = "hypercorn"
    granian = "granian"


class Auth(StrEnum):
    """What `--auth` takes."""

    local = "local"
    none = "none"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(serve)
    app.command()(migrate)


def serve(
    config: ConfigFile = None,
    data: DataFolder = None,
    host: Annotated[str | None, typer.Option(help="The address to listen on (127.0.0.1).")] = None,
    port: Annotated[int | None, typer.Option(help="The port to listen on (5000); 0 picks a free one.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes that share the port (1).")] = None,
    engine: Annotated[Engine | None, typer.Option(help="hypercorn, or granian (extra `fast`).")] = None,
    auth: Annotated[Auth | None, typer.Option(help="none: everybody may do everything, loopback only.")] = None,
    worker: Annotated[bool | None, typer.Option("--worker/--no-worker", help="Run background work here too.")] = None,
) -> None:
    """Run the registry until Ctrl-C or SIGTERM."""
    settings = read(
        config,
        data,
        http__host=host,
        http__port=port,
        server__workers=workers,
        server__engine=engine and engine.value,
        auth__mode=auth and auth.value,
        worker__enabled=worker,
    )
    from .. import logs, server
    from ..listening import listen
    from ..provision import provisioned

    logs.configure(settings.log)
    server.check_tls(settings.http)
    with listen(settings) as sock, provisioned(settings) as complete:
        code = server.serve(complete, sock)
    raise typer.Exit(code)


def migrate(
    status: Annotated[
        bool, typer.Option("--status", "--dry-run", help="Say what is applied and what is pending, and do nothing.")
    ] = False,
    config: ConfigFile = None,
    data: DataFolder = None,
) -> None:
    """Bring the database to today's schema, while servers run. Running it again changes nothing; a step that a running
    one does not bear is refused. With --status exit code 1 says that steps are pending."""
    settings = read(config, data)
    from ..provision import migrated, schema_status

    if status:
        found = schema_status(settings)
        _tell(found)
        raise typer.Exit(any(step.applied is None for step in found))
    steps = migrated(settings)
    print("\n".join(f"applied {step}" for step in steps) or "the schema is of today")


def _tell(steps: "Sequence[Step]") -> None:
    from . import screen

    table = screen.table("step", "release", "applied", "kind", "runs with code of schema")
    for step in steps:
        applied = f"{step.applied:%Y-%m-%d %H:%M} UTC" if step.applied else "pending"
        bears = f"{step.compatible_from} or newer"
        table.add_row(f"{step.version:04} {step.name}", step.release or "-", applied, step.kind, bears)
    screen.console().print(table)
    pending = [step for step in steps if step.applied is None]
    for step in pending:
        if step.hindered:
            print(f"{step.version:04} {step.name} has to wait: {step.hindered}; replace or stop it first")
    taken = next((at for at, step in enumerate(pending) if step.hindered), len(pending))
    print(
        f"dfr migrate of this release would take {taken} of {len(pending)} steps" if pending else "nothing is pending"
    )

"""`dfr fsck`: the store and the records compared both ways, and mended where that can be."""

from collections import Counter
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from ..config import Config
from .options import ConfigFile, DataFolder, on_disk, read

if TYPE_CHECKING:
    from ...core.records.database import Database
    from ...core.work.fsck import Finding

SHOWN = 100
"""Findings of one kind that are told one by one."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(fsck)


def fsck(
    repair: Annotated[bool, typer.Option("--repair", help="Mend what can be mended.")] = False,
    config: ConfigFile = None,
    data: DataFolder = None,
) -> None:
    """Compare what the store holds with what the records say, while the registry runs. Lost blobs are marked by
    --repair, and healed by the next push of them. Exit code 1: something is wrong and was not mended, or lost."""
    settings = on_disk(read(config, data), "compare")
    from ..administration import with_database

    found, checked = with_database(settings, partial(_checked, repair=repair))
    wrong = sum(count for (kind, mended), count in found.items() if not mended or kind == "lost blob")
    for (kind, mended), count in sorted(found.items()):
        print(f"{count} x {kind}{', mended' if mended else ''}")
    print(f"{checked}: {'nothing is wrong' if not found else f'{wrong} left' if wrong else 'all mended'}")
    raise typer.Exit(1 if wrong else 0)


async def _checked(database: "Database", complete: Config, repair: bool) -> tuple[Counter[tuple[str, bool]], str]:
    from ...core.work.fsck import Fsck
    from ..backends import open_store
    from .screen import progress

    driver, found = open_store(complete), Counter[tuple[str, bool]]()
    try:
        with progress() as bar:
            task = bar.add_task("fsck", total=None, now="")
            checking = Fsck(database, driver, grace=timedelta(seconds=complete.gc.lease), repair=repair)
            async for finding in checking.run():
                found[finding.kind, finding.mended] += 1
                _tell(finding, found[finding.kind, finding.mended])
                bar.update(task, completed=checking.pairs.objects, now=f"{found.total()} findings")
        return found, f"{checking.pairs.objects} objects and {checking.pairs.rows} rows"
    finally:
        await driver.close()


def _tell(finding: "Finding", count: int) -> None:
    if count <= SHOWN:
        typer.echo(f"{finding.kind}: {finding.what}{' (mended)' if finding.mended else ''}", err=True)
    elif count == SHOWN + 1:
        typer.echo(f"{finding.kind}: and more", err=True)

"""`dfr scrub`: every blob read again and hashed."""

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from ..config import Config
from ..failures import CommandError
from ..units import Size
from .options import ConfigFile, DataFolder, on_disk, read

if TYPE_CHECKING:
    from ...core.records.database import Database


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(scrub)


def scrub(
    rate: Annotated[str | None, typer.Option(help="At most so much a second, as 50MiB; without it no bound.")] = None,
    config: ConfigFile = None,
    data: DataFolder = None,
) -> None:
    """Read every blob again, while the registry runs. One whose bytes are not those of its digest, twice, is absent
    from then on; the next push of it heals it. Exit code 1: some are lost or could not be read."""
    settings = on_disk(read(config, data), "read")
    from ..administration import with_database

    try:
        bound = None if rate is None else Size.parse(rate)
    except ValueError as error:
        raise CommandError(f"--rate: {error}") from None
    if bound == 0:
        raise CommandError("--rate: at that rate it would never end")
    found = with_database(settings, partial(_scrubbed, rate=bound))
    print(", ".join(f"{count} {verdict}" for verdict, count in found.items()) or "no blobs")
    raise typer.Exit(1 if found.keys() - {"good", "moved"} else 0)


async def _scrubbed(database: "Database", complete: Config, rate: float | None) -> Counter[str]:
    from ...core.work.scrub import Scrub
    from ..backends import open_store
    from .screen import progress

    driver, found = open_store(complete), Counter[str]()
    try:
        scrubbing, read = Scrub(database, driver, rate), 0
        last = await scrubbing.last()
        with progress() as bar:
            task = bar.add_task("scrub", total=last, now="")
            async for blob in scrubbing.run(0, last):
                found[blob.verdict] += 1
                read += blob.size
                if blob.verdict not in ("good", "moved"):
                    typer.echo(f"{blob.verdict}: {blob.digest}: {blob.reason}", err=True)
                bar.update(task, completed=blob.id, now=f"{read / 1e6:.0f} MB")
        return found
    finally:
        await driver.close()

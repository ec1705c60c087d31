"""`dfr audit`: whether the trail is as it was sealed, its rows for other programs, and the end of old ones."""

import re
import sys
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..config import Config
from ..failures import CommandError
from .options import ConfigFile, DataFolder, read

if TYPE_CHECKING:
    from ...core.records.database import Database
    from ...core.work.audit_check import Checked


MONTHS = re.compile(r"(\d{1,3})mo")
MOST_HOURS = 24 * 36500


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="The audit trail: who did what.", no_args_is_help=True)
    group.command()(verify)
    group.command()(export)
    group.command()(purge)
    app.add_typer(group, name="audit")


def verify(
    chain: Annotated[
        str, typer.Option(help="A checkpoint's chain that was written down elsewhere: it must be there.")
    ] = "",
    config: ConfigFile = None,
    data: DataFolder = None,
) -> None:
    """Look for rows altered, deleted, inserted or moved since they were sealed. Exit code 1: there are some."""
    from ..administration import with_database

    async def look(database: "Database", complete: Config) -> "Checked":
        from ...core.secrets import Vault
        from ...core.work.audit_check import check
        from .screen import progress

        vault = Vault(complete.auth.secretkey) if complete.auth.secretkey else None
        with progress() as bar:
            task = bar.add_task("verify", total=None, now="")
            return await check(database, vault, chain.lower(), lambda rows: bar.update(task, completed=rows))

    done = with_database(read(config, data), look, connections=2)
    for finding in done.findings:
        typer.echo(finding, err=True)
    if done.more:
        typer.echo(f"and {done.more} more", err=True)
    print(f"{done.rows} rows in {done.points} checkpoints, {done.purged} purged before, {done.unsealed} not yet sealed")
    raise typer.Exit(1 if done.findings else 0)


def export(
    start: Annotated[str, typer.Option("--from", help="The first moment, as 2026-01-31 or 2026-01-31T12:00.")] = "",
    stop: Annotated[str, typer.Option("--to", help="The moment before which it ends; UTC where none is said.")] = "",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="A file instead of standard output.")] = None,
    config: ConfigFile = None,
    data: DataFolder = None,
) -> None:
    """Write rows as JSON lines, oldest first."""
    from ..administration import with_database

    first = _moment("--from", start) if start else datetime(1970, 1, 1, tzinfo=UTC)
    last = _moment("--to", stop) if stop else datetime.now(UTC)

    async def write(database: "Database", _: Config) -> int:
        return await _export(database, first, last, lines.write)

    with ExitStack() as stack:
        try:
            lines = stack.enter_context(out.open("wb")) if out else sys.stdout.buffer
        except OSError as error:
            raise CommandError(f"cannot write {out}: {error.strerror}") from None
        count = with_database(read(config, data), write)
    typer.echo(f"{count} rows", err=True)


def purge(
    keep: Annotated[
        str, typer.Option(help="How long rows are kept: 8760h, 365d, or 12mo for this calendar month and 12 before it.")
    ] = "365d",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say how many rows would go, and change nothing.")] = False,
    operations: Annotated[
        str, typer.Option(help="As Harbor's purges name them. All or none: a chain with holes proves nothing.")
    ] = "",
    config: ConfigFile = None,
    data: DataFolder = None,
) -> None:
    """Remove sealed rows that are older, and leave a signed record that the chain goes on from."""
    from ...core.work.purge import PurgeParameters
    from ..administration import with_database

    months = MONTHS.fullmatch(keep)
    hours = _hours(keep) if months is None else 0.0
    try:
        PurgeParameters.check_kinds({"include_operations": operations})
    except ValueError as error:
        raise CommandError(str(error).replace("include_operations", "--operations")) from None

    async def remove(database: "Database", complete: Config) -> tuple[int, datetime]:
        from ...core.records import checkpoints
        from ...core.work import purge as purging
        from ..worker import signer

        async with database.acquire() as conn:
            now = (await checkpoints.now(conn)).astimezone(UTC)
        before = _months_back(now, int(months[1])) if months else now - timedelta(hours=hours)
        return await purging.purge(database, signer(complete, database), before, dry_run), before

    rows, before = with_database(read(config, data), remove, connections=2)
    said = "would be purged" if dry_run else "were purged"
    print(f"{rows} rows {said}: sealed, and older than {before:%Y-%m-%d %H:%M:%S} UTC")


def _hours(keep: str) -> float:
    from ..units import Duration

    try:
        hours = Duration.parse(keep) / 3600
    except ValueError:
        raise CommandError(f"--keep: write hours, days or months as 8760h, 365d or 12mo, not {keep!r}") from None
    if not 1 <= hours <= MOST_HOURS:
        raise CommandError(f"--keep: from 1h to {MOST_HOURS // 24}d, not {keep}")
    return hours


def _months_back(now: datetime, months: int) -> datetime:
    year, month = divmod(now.year * 12 + now.month - 1 - months, 12)
    return datetime(year, month + 1, 1, tzinfo=UTC)


async def _export(database: "Database", first: datetime, last: datetime, write: Callable[[bytes], object]) -> int:
    import msgspec

    from ...core.records.journal import between

    count = 0
    async for page in between(database, first, last):
        for entry in page:
            write(msgspec.json.encode(entry._asdict()) + b"\n")
        count += len(page)
    return count


def _moment(option: str, text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(f"{option}: write a day or moment as 2026-01-31 or 2026-01-31T12:00, not {text!r}") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)

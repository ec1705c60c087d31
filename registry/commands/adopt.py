"""`dfr adopt`: repositories of another registry, or of an OCI image layout, become this one's."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..config import Config
from ..failures import CommandError
from .options import ConfigFile, DataFolder, on_disk, read

if TYPE_CHECKING:
    from ...core.adopting.projects import Projects
    from ...core.adopting.report import Counts, RepositoryReport
    from ...core.records.database import Connection, Database
    from ..places import Place

SHOWN = 100
"""Refusals that are told one by one; the report has all."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(adopt)


def adopt(
    distribution_root: Annotated[
        str,
        typer.Option(
            metavar="PATH|s3://BUCKET/PATH|gs://…|az://…", help="What holds the `docker` folder of the old registry."
        ),
    ] = "",
    oci_layout: Annotated[str, typer.Option(metavar="PATH", help="An OCI image layout instead.")] = "",
    repository: Annotated[str, typer.Option(help="The repository that an image layout becomes.")] = "",
    project: Annotated[str, typer.Option(help="The project of repositories whose names have none.")] = "",
    public: Annotated[
        list[str] | None, typer.Option(metavar="PROJECT", help="A project that is made public; the others are private.")
    ] = None,
    no_history: Annotated[
        bool, typer.Option("--no-history", help="Tags begin here: the times of the tree's links are those of a copy.")
    ] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Hash blobs that stay where they are, too.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    report: Annotated[Path | None, typer.Option(metavar="FILE", help="Write all numbers and refusals as JSON.")] = None,
    confirm: Annotated[
        bool, typer.Option("--confirm", help="The old registry is not needed any more: gc may delete adopted blobs.")
    ] = False,
    config: ConfigFile = None,
    data: DataFolder = None,
) -> None:
    """Take over what CNCF distribution or Harbor stored; that registry must not run. Where this registry's store holds
    the tree already, blobs stay where they lie; else they are copied. Every manifest is recorded as if it were pushed.

    It may be run again: what is here is passed over. Exit code 1: something could not be taken over, which is named.
    """
    if sum(map(bool, (distribution_root, oci_layout, confirm))) != 1:
        raise CommandError("one of --distribution-root, --oci-layout and --confirm is wanted")
    if bool(oci_layout) != bool(repository):
        raise CommandError("--oci-layout and --repository belong together")
    settings = on_disk(read(config, data), "adopt")
    if confirm:
        return _confirm(settings)
    from ...core.adopting.layout import NoLayout
    from ..administration import with_database
    from ..places import place_of

    place = place_of(settings, distribution_root or oci_layout)

    async def work(database: "Database", complete: Config) -> "tuple[list[RepositoryReport], Projects]":
        options: dict[str, Any] = {"project": project, "dry_run": dry_run, "verify": verify}
        options |= {"public": frozenset(public or ()), "history": not no_history}
        return await _adopted(database, complete, place, repository, options)

    try:
        found, projects = with_database(settings, work, connections=8)
    except NoLayout as error:
        raise CommandError(str(error)) from None
    if report is not None:
        whole = {"dry_run": dry_run, "projects": projects.found, "repositories": [each.plain() for each in found]}
        report.write_text(json.dumps(whole, indent=1))
    _tell(found, projects)
    if dry_run:
        print("nothing was changed (--dry-run)")
    raise typer.Exit(1 if any(each.refused for each in found) else 0)


def _confirm(settings: Config) -> None:
    from ...core.access import SYSTEM
    from ...core.records.adopted import release_trees
    from ..administration import administer

    async def release(conn: "Connection") -> int:
        return await release_trees(conn, SYSTEM)

    print(f"gc may delete adopted blobs from now on; {administer(settings, release)} waited for that")


async def _adopted(
    database: "Database", complete: Config, place: "Place", name: str, options: "dict[str, Any]"
) -> "tuple[list[RepositoryReport], Projects]":
    from ...core.access import SYSTEM
    from ...core.adopting.adopter import Adopter, Plan
    from ...core.adopting.distribution import DistributionTree
    from ...core.adopting.layout import LayoutTree
    from ...core.records.adopted import keep_trees
    from ...core.records.pulls import PullLog
    from ...core.store import Store
    from ..backends import limits, open_store
    from .screen import progress

    driver, old = open_store(complete), place.open()
    store = Store(database, driver, replace(limits(complete), autocreate=True), PullLog(database))
    try:
        plan = Plan(old, place.inside, **options)
        tree = LayoutTree(old, name) if name else DistributionTree(old)
        if place.inside is not None and not plan.dry_run:
            await database.run(lambda conn: keep_trees(conn, SYSTEM))
        found = []
        with progress() as bar:
            task = bar.add_task("adopt", total=None, now="")
            adopter = Adopter(store, tree, plan, lambda name, done: bar.update(task, now=f"{name}: {done} manifests"))
            async for each in adopter.run():
                found.append(each)
                bar.update(task, completed=len(found))
        return found, adopter.projects
    finally:
        await store.settle()
        await old.close()
        await driver.close()


def _tell(found: "Sequence[RepositoryReport]", projects: "Projects") -> None:
    from ...core.adopting.report import Counts
    from . import screen

    left = Counter(refusal.why for each in found for refusal in each.left)
    for why, count in sorted(left.items()):
        typer.echo(screen.plain(f"left out: {count} times: {why}"), err=True)
    for name in projects.unmet():
        typer.echo(screen.plain(f"--public {name}: nothing of the old registry is in a project of that name"), err=True)
    total, refused = Counts(), [(each.name, refusal) for each in found for refusal in each.refused]
    for name, refusal in refused[:SHOWN]:
        typer.echo(screen.plain(f"refused: {name}: {refusal.what}: {refusal.why}"), err=True)
    if len(refused) > SHOWN:
        typer.echo(f"refused: and {len(refused) - SHOWN} more (--report FILE has all)", err=True)
    table = screen.table(
        "repository",
        "tags",
        "moves of tags",
        "manifests",
        "here already",
        "blobs in place",
        "copied",
        "refused",
        "left out",
    )
    for each in found:
        total.add(each)
        table.add_row(
            screen.plain(each.repository or each.name), *_columns(each), str(len(each.refused)), str(len(each.left))
        )
    table.add_row(f"{len(found)} repositories", *_columns(total), str(len(refused)), str(left.total()))
    screen.console().print(table)
    for name, what in sorted(projects.found.items()):
        print(screen.plain(f"project {name}: {what}"))


def _columns(counts: "Counts") -> tuple[str, ...]:
    in_place = f"{counts.in_place} ({counts.in_place_bytes} bytes)"
    copied = f"{counts.copied} ({counts.copied_bytes} bytes)"
    return str(counts.tags), str(counts.moves), str(counts.manifests), str(counts.known), in_place, copied

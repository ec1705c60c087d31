"""`dfr search`: curves of all projects one may read, by what they are and hold."""

from typing import Annotated, Any

import typer

from . import screen

_HELP = "Conditions that all hold, as family=gamma_ray max=[300~] mnemonic=RHO* well=~15/9 unit={gAPI API}."
Conditions = Annotated[list[str] | None, typer.Argument(metavar="FIELD=VALUE", help=_HELP)]
Project = Annotated[str, typer.Option("--in", metavar="[URL/]PROJECT", help="Only in this project.")]
Low = Annotated[str, typer.Option("--from", help="Curves whose index reaches beyond this value.")]
High = Annotated[str, typer.Option("--to", help="Curves whose index begins before this value.")]
Unit = Annotated[str, typer.Option("--unit", help="Unit of --from and --to.")]
Sort = Annotated[
    str, typer.Option("--sort", help="id, well, mnemonic, samples, pushed, created; -pushed: newest first.")
]
Limit = Annotated[int, typer.Option("--limit", min=1, help="How many at most.")]
All = Annotated[bool, typer.Option("--all", help="All versions, not only the latest.")]
Json = Annotated[bool, typer.Option("--json", help="A JSON object a line.")]
_PAGE = 1000


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(search)


def search(
    conditions: Conditions = None,
    project: Project = "",
    start: Low = "",
    stop: High = "",
    unit: Unit = "",
    sort: Sort = "",
    limit: Limit = 100,
    everything: All = False,
    as_json: Json = False,
) -> None:
    """Find curves by name, family, unit, depth, statistics, date ... Of all projects that you may read."""
    with screen.one_line():
        import json

        from ...core.curves.names import checked_project, split_base

        base, rest = split_base(project)
        given = {"q": ",".join(conditions or []), "from": start, "to": stop, "unit": unit, "sort": sort}
        given |= {"versions": "all"} if everything else {}
        given |= {"project": checked_project(rest.strip("/"))} if rest.strip("/") else {}
        query = [(name, text) for name, text in given.items() if text]
        found = screen.run(_search(screen.address(base), query, limit))
        if as_json:
            for entry in found:
                print(json.dumps(entry, ensure_ascii=False))
            return
        if not found:
            screen.console().print("no curve that you may read fits")
            return
        table = screen.table("curve", "version", "mnemonic", "unit", "rows", "from", "to", "min", "max", "pushed")
        for entry in found:
            index, stats = entry["index"], entry["stats"]
            version = f"v{entry['version']}" if entry["version"] else entry["digest"][:19]
            extremes = ("" if stats[name] is None else f"{stats[name]:g}" for name in ("min", "max"))
            what = (entry["mnemonic"], entry["unit"], str(entry["samples"]), index["first"], index["last"])
            table.add_row(entry["ref"], version, *what, *extremes, entry["pushed"][:10])
        screen.console().print(table)


async def _search(base: str, query: list[tuple[str, str]], limit: int) -> list[dict[str, Any]]:
    from ..client.api import call
    from ..client.remote import RemoteRegistry

    found: list[dict[str, Any]] = []
    path = "/api/v1/search"
    async with RemoteRegistry(base) as registry:
        wanted = [*query, ("limit", str(min(limit, _PAGE)))]
        while path and len(found) < limit:
            answer = await call(registry, "GET", path, wanted)
            found += answer.json()["curves"]
            path = answer.headers.get("Link", "").partition(">")[0].removeprefix("<")
            wanted = []
    return found[:limit]

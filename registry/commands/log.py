"""`dfr log`: the versions of a curve, newest first, or the moves of a tag."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import screen

if TYPE_CHECKING:
    from ...core.curves.names import Reference
    from ..client.history import Step

Ref = Annotated[str, typer.Argument(metavar="REF", help="PROJECT/WELL/FRAME/CURVE, of --moves with :TAG")]
Most = Annotated[int, typer.Option("-n", "--most", help="At most that many versions.", min=1, max=1000)]
_SHORT = 12


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(log)


def log(
    ref: Ref,
    most: Most = 20,
    moves: Annotated[bool, typer.Option("--moves", help="Who moved the tag, when, from where to where.")] = False,
    format: Annotated[str, typer.Option("--format", help="text or json.")] = "text",
) -> None:
    """List the versions of a curve, newest first. What each changed of its parent, and the bytes it brought."""
    with screen.one_line():
        from ...core.curves.errors import CurveError
        from ...core.curves.names import Reference

        if format not in ("text", "json"):
            raise CurveError(f"--format is text or json, not {format!r}")
        reference = Reference.parse(ref)
        if moves:
            _print_moves(screen.run(_moves(reference, most)), format)
            return
        steps = screen.run(_log(reference, most))
        if format == "json":
            _print_json(steps)
        else:
            _print(steps)


async def _log(reference: "Reference", most: int) -> "list[Step]":
    from ..client.history import history
    from ..client.remote import RemoteRegistry

    async with RemoteRegistry(screen.address(reference.base)) as registry:
        return await history(registry, reference, most)


async def _moves(reference: "Reference", most: int) -> "list[dict[str, Any]]":
    from ..client.past import moves
    from ..client.remote import RemoteRegistry

    async with RemoteRegistry(screen.address(reference.base)) as registry:
        return await moves(registry, reference, most)


def _print_moves(found: "list[dict[str, Any]]", format: str) -> None:
    import json

    from rich.markup import escape

    if format == "json":
        print(json.dumps(found, ensure_ascii=False))
        return
    table = screen.table("time", "who", "from", "to")
    for move in found:
        ends = ((move[end] or "-").partition(":")[2][:_SHORT] or "-" for end in ("from", "to"))
        table.add_row(move["time"][:19], escape(move["user"]), *ends)
    screen.console().print(table)


def _print(steps: "list[Step]") -> None:
    from rich.markup import escape

    table = screen.table("version", "tags", "digest", "date", "operation", "changed", "new bytes", "message")
    for column in table.columns[5:7]:
        column.justify = "right"
    for step in steps:
        config, notes = step.version.config, step.version.manifest.annotations
        numbers = [tag for tag in step.tags if tag[:1] == "v" and tag[1:].isdigit()]
        lineage = config.lineage
        table.add_row(
            " ".join(numbers) or "-",
            " ".join(f"[green]{tag}[/]" for tag in step.tags if tag not in numbers),
            str(step.version.digest).partition(":")[2][:_SHORT],
            notes.get("org.opencontainers.image.created", "").partition("T")[0],
            escape(lineage.operation if lineage else "import" if config.original else ""),
            _changed(step),
            f"{step.new_bytes:,}",
            escape((lineage.message if lineage else "") or (config.original.file if config.original else "")),
        )
    screen.console().print(table)


def _changed(step: "Step") -> str:
    """Samples that differ from the parent, or what else does."""
    found, config = step.change, step.version.config
    if found is None:
        return (
            f"{config.rows:,} rows" if not step.version.manifest.annotations.get("io.dataforge.parent") else "not told"
        )
    samples = found.changed + found.added + found.removed
    if samples:
        return f"{samples:,}"
    return f"shift {found.index.shift}" if found.index and found.index.shift else "index" if found.index else "header"


def _print_json(steps: "list[Step]") -> None:
    import json

    import msgspec

    print(
        json.dumps(
            [
                {
                    "digest": str(step.version.digest),
                    "tags": step.tags,
                    "parent": step.version.manifest.annotations.get("io.dataforge.parent"),
                    "created": step.version.manifest.annotations.get("org.opencontainers.image.created"),
                    "lineage": msgspec.to_builtins(step.version.config.lineage),
                    "new_bytes": step.new_bytes,
                    "change": msgspec.to_builtins(step.change, enc_hook=str),
                }
                for step in steps
            ],
            ensure_ascii=False,
        )
    )

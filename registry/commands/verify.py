"""`dfr verify`: a curve, or all curves of a frame or well, against the published format."""

from typing import TYPE_CHECKING, Annotated

import typer

from . import screen

if TYPE_CHECKING:
    from ...core.curves.names import Reference
    from ..client.verifying import Judgement

Verified = Annotated[str, typer.Argument(metavar="REF", help="PROJECT/WELL[/FRAME[/CURVE]][:TAG|@TAG|@DIGEST].")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(verify)


def verify(ref: Verified) -> None:
    """Check a curve, or all of a frame or well, against the format. Exit code 1 where something is wrong."""
    with screen.one_line():
        from rich.markup import escape

        from ...core.curves.names import Reference

        reference = Reference.parse(ref)
        judgements = screen.run(_verify(screen.address(reference.base), reference))
        table = screen.table("checked", "verdict", "findings")
        for judgement in judgements:
            lines = judgement.findings or ("",)
            table.add_row(judgement.name, "wrong" if judgement.findings else "good", escape(lines[0]))
            for line in lines[1:]:
                table.add_row("", "", escape(line))
        screen.console().print(table)
        wrong = sum(bool(judgement.findings) for judgement in judgements)
        if wrong:
            raise screen.Failed(f"{wrong} of {len(judgements)} do not follow the format, docs/format.md")


async def _verify(base: str, reference: "Reference") -> "list[Judgement]":
    from ..client.remote import RemoteRegistry
    from ..client.verifying import verify as judged

    with screen.progress() as bar:
        checking = bar.add_task("checking", total=None, now="")
        async with RemoteRegistry(base) as registry:
            return await judged(registry, reference, lambda name: bar.update(checking, advance=1, now=name))

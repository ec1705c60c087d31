"""`dfr undelete`: a tag or a deleted artifact back, inside the undo window."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import screen

if TYPE_CHECKING:
    from ...core.curves.names import Reference

Ref = Annotated[str, typer.Argument(metavar="REF", help="PROJECT/WELL[/FRAME[/CURVE]]:TAG or @DIGEST")]
At = Annotated[str | None, typer.Option("--at", help="What the tag named then (ISO 8601).", metavar="TIME")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(undelete)


def undelete(ref: Ref, at: At = None) -> None:
    """Bring back what was deleted or has moved. @DIGEST: an artifact and its tags; :TAG: a tag to where it was."""
    with screen.one_line():
        from ...core.curves.errors import CurveError
        from ...core.curves.names import Reference

        reference = Reference.parse(ref)
        if not ref.endswith((f":{reference.target}", f"@{reference.target}")):
            raise CurveError("say what is to come back: REF:TAG, or REF@sha256:HEX")
        found = screen.run(_undelete(reference, at))
    typer.echo(f"{reference.repository}@{found['digest']} {' '.join(found['tags'])}".rstrip())


async def _undelete(reference: "Reference", at: str | None) -> dict[str, Any]:
    from ..client.past import undelete
    from ..client.remote import RemoteRegistry

    async with RemoteRegistry(screen.address(reference.base)) as registry:
        return await undelete(registry, reference, at)

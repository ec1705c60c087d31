"""`dfr link`: an address of one curve version that needs no credentials for a while."""

from typing import TYPE_CHECKING, Annotated

import typer

from . import screen

if TYPE_CHECKING:
    from ...core.curves.names import Reference

Ref = Annotated[str, typer.Argument(metavar="REF", help="PROJECT/WELL/FRAME/CURVE[:TAG|@TAG|@DIGEST].")]
Ttl = Annotated[str, typer.Option("--ttl", help="How long it is good for, as 30m, 12h or 7d; else as the server says.")]

At = Annotated[str | None, typer.Option("--at", help="What the tag named then (ISO 8601).", metavar="TIME")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(link)


def link(ref: Ref, ttl: Ttl = "", at: At = None) -> None:
    """Print a link to a curve that needs no credentials. As Parquet, for DuckDB, polars, pandas and browsers."""
    with screen.one_line():
        from ...core.curves.errors import CurveError
        from ...core.curves.names import Reference
        from ..units import Duration

        reference = Reference.parse(ref)
        if len(reference.segments) != 4:
            raise CurveError(f"{ref} is no curve: name one, PROJECT/WELL/FRAME/CURVE")
        try:
            seconds = int(Duration.parse(ttl)) if ttl else None
        except ValueError as error:
            raise CurveError(f"--ttl {ttl}: {error}") from error
        print(screen.run(_link(reference, seconds, at)))


async def _link(reference: "Reference", seconds: int | None, at: str | None) -> str:
    from ...core.oci.errors import ManifestUnknown, NameUnknown
    from ..client.api import call
    from ..client.curves import no_curve
    from ..client.remote import RemoteRegistry

    order = {"ref": str(reference)} | ({} if seconds is None else {"ttl": seconds}) | ({} if at is None else {"at": at})
    async with RemoteRegistry(screen.address(reference.base)) as registry:
        try:
            answer = await call(registry, "POST", "/api/v1/links", body=order, expect=201)
        except (ManifestUnknown, NameUnknown) as error:
            raise no_curve(reference, error) from error
    return str(answer.json()["url"])

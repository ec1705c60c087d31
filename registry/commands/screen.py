"""What the commands about wells and curves share: the registry meant, tables, bars, and failures told in one line.

Exit codes: 2 for what the user can mend in the command (a reference, a window), 1 for what went wrong.
"""

import asyncio
import os
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress
    from rich.table import Table

T = TypeVar("T")

ADDRESS_VARIABLE = "DFR_REGISTRY"
FAILURE, USAGE, INTERRUPTED = 1, 2, 130
_WIDTH = 1000
_NUMBERS = frozenset({"curves", "rows", "from", "to"})


def address(base: str | None) -> str:
    """The registry meant: given with the reference, else DFR_REGISTRY, else this machine's."""
    from ..client.credentials import DEFAULT_ADDRESS

    return base or os.environ.get(ADDRESS_VARIABLE) or DEFAULT_ADDRESS


class Failed(Exception):
    """Lines for the user; exit code 1."""


def run(work: Coroutine[Any, Any, T]) -> T:
    """Do what a command does over the network."""
    return asyncio.run(work)


def progress() -> "Progress":
    """A bar that goes when it is done, none in a log; what is `now` stands last, so that the bar keeps its place."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    now = TextColumn("[cyan]{task.fields[now]}[/]")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), now)
    console = Console(stderr=True)
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


@contextmanager
def one_line() -> Iterator[None]:
    """What the user is told, on standard error, instead of a traceback."""
    from ...core.curves.errors import ContentMismatch, CurveError
    from ...core.oci.errors import QueryInvalid, RegistryError

    try:
        yield
    except (CurveError, Failed, RegistryError) as error:
        lines = str(error) if isinstance(error, Failed) else " ".join(str(error).split())
        typer.echo("\n".join(f"dfr: {line}" for line in lines.splitlines()), err=True)
        usage = isinstance(error, CurveError | QueryInvalid) and not isinstance(error, ContentMismatch)
        raise typer.Exit(USAGE if usage else FAILURE) from None
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None


def console() -> "Console":
    """Standard output, in whole lines: a reference that is folded in a narrow window cannot be copied."""
    from rich.console import Console

    return Console(highlight=False, width=_WIDTH)


def table(*columns: str) -> "Table":
    """A table without a frame; numbers stand right."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    made = Table(*columns, box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for column in made.columns:
        column.justify = "right" if column.header in _NUMBERS else "left"
    return made


def plain(text: str) -> str:
    """Names that others made: no control characters to the terminal."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)

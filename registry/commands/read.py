"""`dfr read`: a depth window of one curve, or of several on one index."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from . import screen
from .windows import At, FormatName, Output, Refs, Start, Step, Stop, Unit

if TYPE_CHECKING:
    from ...core.curves.artifact.read import Window
    from ...core.curves.names import Reference
    from ...core.curves.windows.aligned import Aligned


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(read)


def read(
    refs: Refs,
    start: Start = None,
    stop: Stop = None,
    step: Step = None,
    unit: Unit = None,
    format: FormatName = "csv",
    output: Output = None,
    at: At = None,
) -> None:
    """Read a depth window of curves, on one index. Only the layers that hold it are fetched."""
    with screen.one_line():
        from ...core.curves.artifact.read import Window
        from ...core.curves.writers import format_of, write

        kind = format_of(format)
        base, references = parsed(refs)
        aligned, header = screen.run(fetched(base, references, Window(start, stop), unit, step, kind == "las", at))
        for note in aligned.notes:
            typer.echo(f"dfr: {note}", err=True)
        pieces = write(kind, list(aligned.chunks(kind.chunk_rows)), header=header)
        if output:
            save(pieces, output)
        else:
            _show(pieces)


def parsed(refs: list[str]) -> "tuple[str, list[Reference]]":
    """The registry's address and the references; CurveError where they are not all of one registry."""
    from ...core.curves.errors import CurveError
    from ...core.curves.names import Reference

    references = [Reference.parse(ref) for ref in refs]
    bases = list(dict.fromkeys(reference.base for reference in references))
    if len(bases) > 1:
        raise CurveError(f"curves of one registry at a time: {bases[0] or 'the default one'} and {bases[1]} are two")
    return screen.address(bases[0]), references


async def fetched(
    base: str,
    references: "list[Reference]",
    window: "Window",
    unit: str | None,
    step: str | None,
    header: bool,
    at: str | None,
) -> "tuple[Aligned, bytes | None]":
    """The curves on one index and, where asked for, the LAS file that they all came from."""
    from ..client.past import as_of
    from ..client.remote import RemoteRegistry
    from ..client.selection import choose, original_of, read_together

    async with RemoteRegistry(base) as registry:
        chosen = await choose(registry, [await as_of(registry, each, at) for each in references])
        aligned = await read_together(chosen, window, unit=unit, step=step)
        return aligned, await original_of(registry, chosen) if header else None


def save(pieces: Iterator[bytes], target: Path) -> int:
    """Write a file that is whole or not there; how many bytes it has."""
    import tempfile

    try:
        with tempfile.NamedTemporaryFile(dir=target.parent, prefix=".dfr-", delete=False) as file:
            try:
                size = sum(file.write(piece) for piece in pieces)
                file.close()
                os.chmod(file.name, 0o666 & ~_umask())
                os.replace(file.name, target)
            except BaseException:
                os.unlink(file.name)
                raise
    except OSError as error:
        raise screen.Failed(f"{target} cannot be written: {error.strerror}") from error
    return size


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _show(pieces: Iterator[bytes]) -> None:
    try:
        for piece in pieces:
            sys.stdout.buffer.write(piece)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has seen enough: `dfr read ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        raise screen.Failed(f"standard output cannot be written: {error.strerror}") from error

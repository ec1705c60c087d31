"""`dfr diff`: what differs between two versions of a curve, two curves, frames or wells.

Exit codes are those of diff(1): 0 nothing differs, 1 something does, 2 it could not be told.
"""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import screen

if TYPE_CHECKING:
    from rich.console import Console

    from ...core.curves.compare.diff_wells import CurveLine, WellDiff
    from ...core.curves.compare.differences import CurveDiff
    from ...core.curves.names import Reference

DIFFERENT, TROUBLE = 1, 2
_SHOWN = 20

Old = Annotated[str, typer.Argument(metavar="REF", help="PROJECT/WELL[/FRAME[/CURVE]][:TAG|@DIGEST]")]
New = Annotated[
    str, typer.Argument(metavar="OTHER", help="Another REF, or :TAG or @DIGEST of the same; none: its parent.")
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(diff)


def diff(
    old: Old,
    new: New = "",
    format: Annotated[str, typer.Option("--format", help="text or json.")] = "text",
    brief: Annotated[bool, typer.Option("--brief", "-q", help="Of wells: which curves differ, not how.")] = False,
) -> None:
    """Compare curves, frames or wells. One REF: with its parent. Exit code 0: equal, 1: different, 2: cannot tell."""
    try:
        with screen.one_line():
            from ...core.curves.errors import CurveError

            if format not in ("text", "json"):
                raise CurveError(f"--format is text or json, not {format!r}")
            pair = _references(old, new)
            equal = screen.run(_diff(*pair, format, brief))
    except typer.Exit as failed:
        raise typer.Exit(failed.exit_code if failed.exit_code == screen.INTERRUPTED else TROUBLE) from None
    if not equal:
        raise typer.Exit(DIFFERENT)


def _references(old: str, new: str) -> "tuple[Reference, Reference | None]":
    from ...core.curves.errors import CurveError
    from ...core.curves.names import Reference

    first = Reference.parse(old)
    if not new:
        if len(first.segments) != 4:
            raise CurveError("one REF alone is a curve, compared with its parent; name two wells or frames")
        return first, None
    if new[0] in ":@":
        plain = "/".join((*((first.base,) if first.base else ()), first.repository))
        new = plain + new
    second = Reference.parse(new)
    if len(first.segments) != len(second.segments):
        raise CurveError(f"{first} and {second} are not of one kind: compare two curves, two frames or two wells")
    return first, second


async def _diff(old: "Reference", new: "Reference | None", format: str, brief: bool) -> bool:
    from ..client.remote import RemoteRegistry

    async with RemoteRegistry(screen.address(old.base)) as here:
        if new is None or screen.address(new.base) == screen.address(old.base):
            return await _compare(here, old, here, new, format, brief)
        async with RemoteRegistry(screen.address(new.base)) as there:
            return await _compare(here, old, there, new, format, brief)


async def _compare(here: Any, old: "Reference", there: Any, new: "Reference | None", format: str, brief: bool) -> bool:
    from ...core.curves.errors import CurveError
    from ...core.curves.schema import encode
    from ..client.history import compare, open_version, parent_of

    console = screen.console()
    if len(old.segments) == 4:
        if new is None:
            second = await open_version(here, old)
            first = await parent_of(second)
            if first is None:
                raise CurveError(f"{old} has no parent to compare it with: it is the first version, or that is gone")
        else:
            first, second = await open_version(here, old), await open_version(there, new)
        found = await compare(first, second)
        if format == "json":
            print(encode(found).decode())
        else:
            _print_curve(console, found, str(first.reference), str(second.reference))
        return found.equal
    assert new is not None
    return await _compare_wells(console, here, old, there, new, format, brief)


async def _compare_wells(
    console: "Console", here: Any, old: "Reference", there: Any, new: "Reference", format: str, brief: bool
) -> bool:
    from ...core.curves.compare.diff_wells import diff_wells
    from ...core.curves.names import Reference
    from ...core.curves.schema import encode
    from ..client.curves import open_now
    from ..client.history import compare, gathered, open_version

    frames = [reference.segments[2] if len(reference.segments) == 3 else "" for reference in (old, new)]
    found = diff_wells(await open_now(here, old), await open_now(there, new), *frames)

    async def inside(line: "CurveLine") -> "tuple[str, CurveDiff]":
        parts = line.path.split("/")
        before = await open_version(here, Reference((*old.segments, *parts), line.old or "", old.base))
        after = await open_version(there, Reference((*new.segments, *parts), line.new or "", new.base))
        return line.path, await compare(before, after)

    details = {} if brief else dict(await gathered(inside(line) for line in found.changed))
    if format == "json":
        told = b",".join(b'"%s":%s' % (path.encode(), encode(each)) for path, each in details.items())
        print((encode(found)[:-1] + b',"details":{' + told + b"}}").decode())
    else:
        _print_wells(console, found, details, str(old), str(new))
    return found.equal


def _print_wells(console: "Console", found: "WellDiff", details: "dict[str, CurveDiff]", old: str, new: str) -> None:
    from rich.markup import escape

    console.print(f"{old} -> {new}", markup=False)
    _print_header(console, found.header)
    table = screen.table("", "curve", "unit", "changed", "added", "removed", "largest", "what")
    for column in ("changed", "added", "removed", "largest"):
        next(each for each in table.columns if each.header == column).justify = "right"
    for mark, colour, lines in (
        ("-", "red", found.removed),
        ("+", "green", found.added),
        ("~", "yellow", found.changed),
    ):
        for line in lines:
            one = details.get(line.path)
            figures = [_count(one.changed), _count(one.added), _count(one.removed)] if one else ["", "", ""]
            largest = "" if one is None or one.largest is None else f"{one.largest:g}"
            table.add_row(
                f"[{colour}]{mark}[/]", line.path, escape(line.unit), *figures, largest, escape(_summary(one))
            )
    if table.row_count:
        console.print(table)
    same = len(found.unchanged)
    console.print(
        f"{same} curve{'' if same == 1 else 's'} unchanged" + ("" if table.row_count else ": nothing differs")
    )


def _count(number: int) -> str:
    return f"{number:,}" if number else ""


def _summary(found: "CurveDiff | None") -> str:
    if found is None:
        return ""
    said = [found.index.said] if found.index and found.index.shift else []
    if found.index and not found.index.shift:
        said.append("another index")
    said += [change.field for change in found.header]
    return ", ".join(said)


def _print_header(console: "Console", header: "list[Any]") -> None:
    for change in header:
        console.print(f"{change.field}: {_shown(change.old)} -> {_shown(change.new)}", markup=False)


def _shown(value: Any) -> str:
    return "none" if value is None else str(value)


def _print_curve(console: "Console", found: "CurveDiff", old: str, new: str) -> None:
    console.print(f"{old} -> {new}", markup=False)
    if found.equal:
        console.print("nothing differs")
        return
    _print_header(console, found.header)
    if found.index:
        console.print(f"index: {found.index.said}", markup=False)
    if found.values_equal:
        console.print(f"all {found.rows_new:,} values are the same")
        return
    counts = [(found.changed, "changed"), (found.added, "added"), (found.removed, "removed")]
    said = ", ".join(f"{number:,} {word}" for number, word in counts if number)
    console.print(f"samples: {said} ({found.rows_old:,} -> {found.rows_new:,})")
    if found.nulled or found.filled:
        console.print(f"absent samples: {found.nulled:,} came, {found.filled:,} went")
    if found.largest is not None:
        console.print(f"change: {found.largest:g} at most (at {found.largest_at}), {found.mean:g} on average")
    held = found.segments
    console.print(f"segments: {held.shared} of {held.new} shared; {found.new_bytes:,} new bytes")
    table = screen.table("", "from", "to", "samples", "largest change")
    for column in table.columns[3:]:
        column.justify = "right"
    shown = sorted(found.intervals, key=lambda each: -each.samples)[:_SHOWN]
    marks = {"changed": "[yellow]~[/]", "added": "[green]+[/]", "removed": "[red]-[/]"}
    for each in found.intervals:
        if each in shown:
            largest = "" if each.largest is None else f"{each.largest:g}"
            table.add_row(marks[each.kind], each.start, each.stop, f"{each.samples:,}", largest)
    console.print(table)
    if found.interval_count > len(shown):
        console.print(f"... the {len(shown)} longest of {found.interval_count:,} intervals (--format json: more)")

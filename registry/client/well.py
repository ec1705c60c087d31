"""A well on a registry: its curves, several of them side by side, and new ones."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...core.curves import schema
from ...core.curves.errors import CurveError
from ...core.curves.names import Reference
from ...core.curves.schema import Descriptor
from ...core.oci.digest import Digest
from .bounds import Bound, window_of
from .curve import AsyncCurve, lineage_of
from .curves import list_curves
from .log import Log, Original, Run
from .remote import RemoteRegistry
from .selection import Chosen, original_of, read_together

if TYPE_CHECKING:
    from .commit import Committed


@dataclass(frozen=True)
class Listed:
    """A curve as its well's index lists it. first and last: of the index, as text in its unit; digest: of a version
    that all this is true of, which need not be the newest."""

    reference: str
    mnemonic: str
    unit: str
    family: str
    frame: str
    rows: int
    first: str
    last: str
    index_kind: str
    index_unit: str
    digest: Digest

    @classmethod
    def of(cls, well: str, line: Descriptor) -> "Listed":
        """A line of the index."""
        notes = line.annotations
        first, _, last = notes.get(schema.SPAN, "").partition("/")
        rows = notes.get(schema.ROWS, "").rpartition("/")[2]
        return cls(
            reference=f"{well}/{notes.get(schema.REPOSITORY, '')}",
            mnemonic=notes.get(schema.MNEMONIC, ""),
            unit=notes.get(schema.UNIT, ""),
            family=notes.get(schema.FAMILY, ""),
            frame=notes.get(schema.FRAME, ""),
            rows=int(rows) if rows.isdigit() else 0,
            first=first,
            last=last,
            index_kind=notes.get(schema.INDEX_KIND, ""),
            index_unit=notes.get(schema.INDEX_UNIT, ""),
            digest=Digest(line.digest),
        )


class AsyncWell:
    """One well, or one frame of it."""

    def __init__(self, registry: RemoteRegistry, reference: Reference) -> None:
        if len(reference.segments) > 3:
            raise CurveError(f"{reference.repository} is a curve: name its well, PROJECT/WELL")
        self.reference = reference
        self.registry = registry
        self.run: Run | None = None

    def __repr__(self) -> str:
        return f"AsyncWell({str(self.reference)!r})"

    async def curves(self) -> list[Listed]:
        """All curves of the well (or frame), by repository. ManifestUnknown where there is no such well."""
        lines = await list_curves(self.registry, self.reference)
        return [Listed.of(self.reference.well, line) for line in lines]

    async def read(
        self,
        names: Sequence[str] | None = None,
        depth: tuple[Bound, Bound] | None = None,
        *,
        step: float | str | None = None,
        unit: str | None = None,
        how: str = "outer",
        frame: str | None = None,
    ) -> Log:
        """Several curves on one index. names: mnemonics, families (gamma_ray) or references (run2/gr); None is all.

        depth: (a, b), both included, in `unit`; unit: of the index, None the first curve's. step: of a regular grid to
        bring them to, values interpolated; without it rows join where index values are equal: `how` is outer (all
        rows), inner (where each has one) or left (the first curve's). frame: where more than one has the mnemonic.
        """
        window = window_of(depth)
        chosen = choose(await self.curves(), names, frame)
        curves = [AsyncCurve(self.registry, Reference.parse(each.reference)) for each in chosen]
        versions = await asyncio.gather(*(curve.open() for curve in curves))
        configs = await asyncio.gather(*(curve.config_of(v) for curve, v in zip(curves, versions, strict=True)))
        references = (curve.reference for curve in curves)
        opened = [Chosen(*each) for each in zip(references, versions, configs, strict=True)]
        grid = None if step is None else str(step)
        aligned = await read_together(opened, window, unit=unit, step=grid, how=how, empty=True)
        original = Original(lambda: original_of(self.registry, opened), self.run)
        return Log(aligned.table, lambda: aligned, aligned.unit, window, original)

    async def add_curve(
        self,
        mnemonic: str,
        frame: Any,
        *,
        like: str,
        operation: str,
        unit: str = "",
        description: str = "",
        message: str = "",
        tool: str = "",
        parameters: Mapping[str, Any] | None = None,
        inputs: Sequence["str | AsyncCurve"] = (),
        tag: str | None = None,
        dtype: str | None = None,
    ) -> "Committed":
        """A new curve, computed from others. like: a curve of this well in whose frame, and on whose kind of index, it
        stands, and its first input; frame: samples as `commit` takes them; unit: of its values.

        CurveError where the frame has a curve of that name: commit to that. inputs: further curves it was made from.
        """
        from .created import create

        chosen = choose(await self.curves(), [like], None)[0]
        model = AsyncCurve(self.registry, Reference.parse(chosen.reference))
        await model.open()
        lineage = lineage_of(operation, message, tool, parameters, [model, *inputs])
        return await create(model, mnemonic, frame, unit, description, lineage, tag, dtype)


def choose(listed: Sequence[Listed], names: Sequence[str] | None, frame: str | None) -> list[Listed]:
    """The curves meant, in the order named. CurveError for one that is not there, or for which several could be."""
    if frame is not None:
        wanted = frame.casefold()
        inside = [each for each in listed if wanted in (each.frame.casefold(), each.reference.split("/")[2])]
        if not inside:
            raise CurveError(f"there is no frame {frame!r}: there are {_texts(each.frame for each in listed)}")
        listed = inside
    if isinstance(names, str):
        names = [names]
    if names is None:
        return list(listed)
    if not names:
        raise CurveError("name at least one curve, or leave the names out for all")
    return [_chosen(listed, name) for name in names]


def _chosen(listed: Sequence[Listed], name: str) -> Listed:
    folded = name.casefold()
    by_reference = [
        each for each in listed if folded in (each.reference, each.reference.partition("/")[2].partition("/")[2])
    ]
    exact = [each for each in listed if each.mnemonic == name]
    loose = [each for each in listed if each.mnemonic.casefold() == folded]
    family = [each for each in listed if each.family and each.family == folded]
    for found in (by_reference, exact, loose, family):
        if len(found) == 1:
            return found[0]
        if found:
            choices = _texts(each.reference.split("/", 2)[2] for each in found)
            raise CurveError(f"{name!r} could be {choices}: name one of these, or give frame=")
    raise CurveError(f"there is no curve or family {name!r} here: there are {_texts(each.mnemonic for each in listed)}")


def _texts(words: Any) -> str:
    distinct = sorted(set(words))
    return ", ".join(distinct[:20]) + (f" and {len(distinct) - 20} more" if len(distinct) > 20 else "") or "none"

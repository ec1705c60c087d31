"""A log file is opened, read and packed in a child process and nowhere else: who asks for it."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from ..curves import schema
from ..curves.artifact.packed import Packed
from ..curves.readers.folder_version import Version
from ..sandbox import Sandbox
from .asked import Again, Reading
from .chain import Step
from .parcel import ReadFile, Wanted, packed_again, parsed

OPENING = f"{__package__}.opening"
"""The child's module, by its name: what it loads, as numpy and pyarrow, is the child's alone."""
_READ_FILE, _PACK_AGAIN, _READ_TABLES = (f"{OPENING}:{name}" for name in ("read_file", "pack_again", "read_tables"))


async def tables_in(sandbox: Sandbox, reading: Reading) -> list[Version]:
    """The versions of a DataForge folder, its tables read in a child. CurveError where they cannot be."""
    return msgspec.convert((await sandbox.run(_READ_TABLES, msgspec.to_builtins(reading)))[0], list[Version])


async def read_in(
    sandbox: Sandbox, reading: Reading, name: str, step: Step | None = None, partly: bool = False
) -> ReadFile:
    """A file, read in a child; name: what it is called in reports; step: where it stands among the versions of a
    folder's curve; partly: see ReadFile. CurveError where it cannot be."""
    result, blobs = await sandbox.run(_READ_FILE, msgspec.to_builtins(reading))

    async def repack(wanted: Sequence[Wanted]) -> list[Packed]:
        again = Again(reading, [(place, segment) for place, segment, _ in wanted])
        parents = [data for *_, parent in wanted for data in (parent.raw, schema.encode(parent.config))]
        digests, found = await sandbox.run(_PACK_AGAIN, msgspec.to_builtins(again), parents)
        left = iter(found)
        return [
            packed_again(next(left), parent, names, [next(left) for _ in names])
            for names, (*_, parent) in zip(digests, wanted, strict=True)
        ]

    parcel = parsed(result)
    content = None if parcel.folder else Path(reading.path)
    return ReadFile(name, content, parcel, blobs, repack, step, reading.recipe, partly)

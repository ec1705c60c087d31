"""What a child process is told of the file that it opens."""

import hashlib
from typing import Final

import msgspec

from ..curves import schema
from ..curves.readers.folder_version import Version
from .parcel import IMPORTED, Place

READERS: Final = 1
"""Of what a file is read as. One more wherever a reader gives other curves for the same bytes than it did: then files
that are in a registry already are read again, and their curves compared."""


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """Which file, and what the user says of it (see read_frames); source: the REF of the artifact it was pushed as;
    version: it is the blob of that one, of a DataForge folder."""

    path: str
    frame: str | None = None
    index: str | None = None
    well: str | None = None
    decimal_comma: bool = False
    source: str | None = None
    version: Version | None = None

    @property
    def recipe(self) -> str:
        """How it is read, in 16 hex: another for each release of the readers, and for each thing that the user says."""
        said = [READERS, self.frame, self.index, self.well, self.decimal_comma]
        return hashlib.sha256(msgspec.json.encode(said)).hexdigest()[:16]

    @property
    def lineage(self) -> schema.Lineage:
        """How the versions came to be."""
        if (version := self.version) is not None:
            known = {"author": version.author, "created": version.created, "version": f"v{version.number}"}
            return schema.Lineage(
                operation=version.operation or IMPORTED.operation,
                message=version.message,
                parameters={name: value for name, value in known.items() if value},
            )
        inputs = [schema.LineageInput(ref=self.source, role="original")] if self.source else []
        return schema.Lineage(operation=IMPORTED.operation, inputs=inputs)


class Again(msgspec.Struct, frozen=True):
    """Curves to be packed once more: each with its repository segment; their parents are the blobs, two for each."""

    reading: Reading
    curves: list[tuple[Place, str]]

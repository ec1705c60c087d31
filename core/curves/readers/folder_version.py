"""One version of a curve of a DataForge folder."""

from dataclasses import dataclass
from pathlib import Path

from ..origin import Well


@dataclass(frozen=True)
class Version:
    """One version of a curve as the tables have it; parent: the number of the version it was made from."""

    folder: str
    workspace: str
    well: Well
    frame: str
    curve: str
    unit: str
    description: str
    number: int
    parent: int | None
    blob: str  # SHA-256 in hex
    size: int | None
    operation: str
    message: str
    author: str
    created: str

    @property
    def path(self) -> Path:
        """Of its Parquet file."""
        return Path(self.folder, "blobs") / self.blob[:2] / self.blob[2:4] / f"{self.blob}.parquet"

    def __str__(self) -> str:
        return f"{self.workspace}/{self.curve} v{self.number}"

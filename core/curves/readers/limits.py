"""How much one file may ask for before it is refused: checked before memory is taken, not after."""

from dataclasses import dataclass
from pathlib import Path

from ..errors import CurveError


@dataclass(frozen=True)
class Limits:
    """file_bytes: size of a file. samples: rows x columns of one frame, each element of an array counted."""

    file_bytes: int = 1 << 30
    samples: int = 1 << 28

    def check_size(self, path: Path, size: int) -> None:
        """CurveError for a file beyond file_bytes."""
        if size > self.file_bytes:
            raise CurveError(f"{path.name} has {size:,} bytes; at most {self.file_bytes:,} are read, split it by depth")

    def check_samples(self, rows: int, columns: int, what: str) -> None:
        """CurveError for a table beyond samples."""
        if rows * columns > self.samples:
            raise CurveError(
                f"{what} holds {rows:,} rows of {columns:,} values; at most {self.samples:,} values a frame are read"
            )


LIMITS = Limits()

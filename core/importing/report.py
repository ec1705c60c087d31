"""What became of a file, and of an import: the numbers of its table and of its report for machines."""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Status = Literal["imported", "unchanged", "refused", "failed"]
"""refused: the file's own fault; failed: the registry's, or the way there; such a file may be imported again."""


@dataclass
class Counts:
    """new: curve versions pushed; samples: of all curves, the index not counted; received, sent: bytes."""

    wells: set[str] = field(default_factory=set)
    frames: set[str] = field(default_factory=set)
    curves: int = 0
    new: int = 0
    samples: int = 0
    received: int = 0
    sent: int = 0
    blobs_sent: int = 0
    blobs_reused: int = 0
    findings: list[str] = field(default_factory=list)

    def add(self, other: "Counts") -> None:
        """Sum up."""
        self.wells |= other.wells
        self.frames |= other.frames
        for name in ("curves", "new", "samples", "received", "sent", "blobs_sent", "blobs_reused"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.findings += other.findings


@dataclass
class FileReport(Counts):
    """One file. seconds: from when it was opened until all of it was there."""

    file: str = ""
    status: Status = "imported"
    reason: str = ""
    seconds: float = 0.0

    @property
    def done(self) -> bool:
        """Whether the registry has all of it."""
        return self.status in ("imported", "unchanged")

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        fields = asdict(self)
        counted = {"wells": sorted(self.wells), "frames": sorted(self.frames), "bytes": fields.pop("received")}
        head = {name: fields.pop(name) for name in ("file", "status", "reason")}
        return head | fields | counted | {"bytes_sent": fields["sent"], "seconds": round(self.seconds, 3)}

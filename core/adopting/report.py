"""What was taken over of each repository, and of all."""

from dataclasses import asdict, dataclass, field
from typing import Any

from .trees import Refusal


@dataclass
class Counts:
    """manifests, tags, moves (of tags, in their history): taken over now; known: manifests that were here already.
    Blobs and their bytes: in_place, where they lie; copied; linked, as they were here. Each blob counts once a
    repository."""

    tags: int = 0
    moves: int = 0
    manifests: int = 0
    known: int = 0
    in_place: int = 0
    in_place_bytes: int = 0
    copied: int = 0
    copied_bytes: int = 0
    linked: int = 0

    def add(self, other: "Counts") -> None:
        """Sum up."""
        for name in Counts.__dataclass_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass
class RepositoryReport(Counts):
    """name: there; repository: here, empty where it could not become one. refused: what should have been taken over
    and could not; left: what is not to be."""

    name: str = ""
    repository: str = ""
    refused: list[Refusal] = field(default_factory=list)
    left: list[Refusal] = field(default_factory=list)

    def refuse(self, what: str, why: str) -> None:
        """Tell of something that was not taken over."""
        self.refused.append(Refusal(what, why))

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)

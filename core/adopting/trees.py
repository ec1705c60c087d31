"""What is to be taken over, whatever its layout: repositories with their manifests, tags and what is broken in them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from ..oci.digest import Digest


@dataclass(frozen=True, slots=True)
class Refusal:
    """Something that cannot be taken over (a tag, a digest, a key), and why not."""

    what: str
    why: str


class Named(NamedTuple):
    """A tag came to name a digest at a time (seconds since the epoch)."""

    digest: Digest
    at: float


@dataclass
class OldRepository:
    """manifests: digest -> when it came there (seconds since the epoch); tags: name -> digest; past: what a tag named,
    the oldest first, where that is known; layers: blobs that are linked there; media_types: of manifests, where their
    tree says so. broken: what should be there and cannot be taken; left: what is not to be taken."""

    name: str
    manifests: dict[Digest, float] = field(default_factory=dict)
    tags: dict[str, Digest] = field(default_factory=dict)
    past: dict[str, list[Named]] = field(default_factory=dict)
    layers: set[Digest] = field(default_factory=set)
    media_types: dict[Digest, str] = field(default_factory=dict)
    broken: list[Refusal] = field(default_factory=list)
    left: list[Refusal] = field(default_factory=list)


class Tree(Protocol):
    """Its bytes lie in a store, at keys of its own."""

    def repositories(self) -> AsyncIterator[OldRepository]:
        """All of them, by name. DriverError where the store cannot be read."""
        ...

    def key(self, digest: Digest) -> str:
        """Where the bytes of a digest lie, below the tree's root."""
        ...

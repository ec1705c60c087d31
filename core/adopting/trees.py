"""What is to be taken over, whatever its layout: repositories with their manifests, tags and what is broken in them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Protocol

from ..oci.digest import Digest


@dataclass(frozen=True, slots=True)
class Refusal:
    """Something that cannot be taken over (a tag, a digest, a key), and why not."""

    what: str
    why: str


@dataclass
class OldRepository:
    """manifests: digest -> when it came there (seconds since the epoch); tags: name -> digest; media_types: of
    manifests, where their tree says so."""

    name: str
    manifests: dict[Digest, float] = field(default_factory=dict)
    tags: dict[str, Digest] = field(default_factory=dict)
    media_types: dict[Digest, str] = field(default_factory=dict)
    broken: list[Refusal] = field(default_factory=list)


class Tree(Protocol):
    """Its bytes lie in a store, at keys of its own."""

    def repositories(self) -> AsyncIterator[OldRepository]:
        """All of them, by name. DriverError where the store cannot be read."""
        ...

    def key(self, digest: Digest) -> str:
        """Where the bytes of a digest lie, below the tree's root."""
        ...

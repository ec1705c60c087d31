"""The versions of one curve of a DataForge folder, on their way in order.

Which of them the registry has is found in the history of the curve's repository, by index and values: oldest first, and
each behind the one found before it, so that values that come back later are a version of their own. What was edited on
top of them stays the newest.
"""

import asyncio
from dataclasses import dataclass, field

from ..curves.artifact.packed import Packed, Previous
from ..curves.errors import CurveError
from ..curves.schema import Config
from ..oci.repository import Pushable
from .follow import says_the_same
from .versions import number_of, version_named

_AT_ONCE = 8


@dataclass
class Chain:
    """blobs: SHA-256 of the file of each version, by its number in the folder; parents: the number it was made from.

    again: the last one becomes the newest version again, whatever was edited since.
    """

    blobs: dict[int, str]
    parents: dict[int, int | None]
    again: bool = False
    held: list[tuple[int, Previous]] | None = None  # the registry's, by its numbers; None: not asked for yet
    passed: int = 0  # number of the registry's version that was met or pushed last
    placed: dict[int, Previous] = field(default_factory=dict)  # by number in the folder


@dataclass(frozen=True)
class Step:
    """One version of a chain."""

    chain: Chain
    number: int

    def first(self) -> None:
        """The repository is new: there is no history to look at."""
        self.chain.held = []

    def forget(self) -> None:
        """Somebody else pushed to the repository."""
        self.chain.held = None

    async def stands(self, repository: Pushable, latest: Previous, config: Config) -> bool:
        """Whether the registry has the version. CurveError where it has a later one only: this one would cover it."""
        chain = self.chain
        if chain.held is None:
            chain.held = await _history(repository)
        rest = [(number, version) for number, version in chain.held if number > chain.passed]
        last = self.number == max(chain.blobs)
        for number, version in rest:
            if _same_samples(version.config, config):
                if chain.again and last and version.digest != latest.digest:
                    return False
                chain.passed = number
                chain.placed[self.number] = version
                return True
        later = {blob for number, blob in chain.blobs.items() if number > self.number}
        origins = (version.config.original for _, version in rest)
        if not chain.again and any(origin and origin.sha256 in later for origin in origins):
            raise CurveError("a version that came after it is in the registry; --again puts it, and those, on top")
        return False

    def parent(self, latest: Previous, config: Config) -> Previous:
        """The version it was made from; the newest where that is not here, or says the same."""
        number = self.chain.parents.get(self.number)
        found = self.chain.placed.get(number) if number is not None else None
        return latest if found is None or says_the_same(found.config, config) else found

    def pushed(self, number: int, packed: Packed) -> None:
        """It is the registry's version of that number now."""
        self.chain.passed = max(number, self.chain.passed)
        self.chain.placed[self.number] = Previous(packed.digest, packed.manifest, packed.config, packed.raw)


async def _history(repository: Pushable) -> list[tuple[int, Previous]]:
    """The versions of a curve, oldest first; gone ones are left out."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def read(number: int) -> tuple[int, Previous | None]:
        async with gate:
            return number, await version_named(repository, f"v{number}")

    numbers = sorted(number for tag in await repository.tags() if (number := number_of(tag)))
    found = await asyncio.gather(*map(read, numbers))
    return [(number, version) for number, version in found if version is not None]


def _same_samples(one: Config, other: Config) -> bool:
    return (one.index.index_id, one.values_id) == (other.index.index_id, other.values_id)

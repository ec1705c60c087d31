"""What a tag named before, as far as the times of a tree's links tell.

A registry that tags writes the link in the tag's index first, whose time is then the last at which the tag came to name
that digest, and its current link right after it. Times that cannot have come about so are those of a copy.
"""

from collections.abc import Mapping

from ..oci.digest import Digest
from .trees import Named


class Untold(Exception):
    """Why nothing can be said of what a tag named before."""


def past_of(named: Digest, current: float, indexed: Mapping[Digest, float], now: float) -> list[Named]:
    """What a tag came to name and when, oldest first, `named` last. current: the time of its current link, indexed:
    those of its index; all in seconds since the epoch. That it named one of them more than once is not seen. Untold."""
    if named not in indexed:
        raise Untold("its index does not list what it names")
    times = sorted((at, digest) for digest, at in indexed.items())
    if times[0][0] <= 0:
        raise Untold("the store gives no times")
    if times[-1][0] > now:
        raise Untold("its links are of the future: the clock of the old registry or of this one is wrong")
    if current < indexed[named] or times[-1][1] != named:
        raise Untold("its links are in no order of pushes: their times are those of a copy")
    if len({at for at, _ in times}) < len(times):
        raise Untold("some of its links have one time: which came first is not to be told")
    return [Named(digest, at) for at, digest in times]

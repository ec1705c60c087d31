"""So many at once; more wait in order, so many of them and so long."""

import asyncio
from collections import deque
from contextlib import suppress


class Lane:
    """`most` may be inside (0: any number), `queue` wait, each for `patience` seconds at most."""

    def __init__(self, most: int, queue: int, patience: float) -> None:
        self._most, self._queue, self._patience = most or 1 << 62, queue, patience
        self._waiters: deque[asyncio.Future[None]] = deque()
        self.inside = 0

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiters)

    def enter(self) -> bool:
        """Go in at once; False where one has to wait. Who went in must `leave`."""
        if self.inside >= self._most or self._waiters:
            return False
        self.inside += 1
        return True

    async def wait(self) -> bool:
        """Wait for a place and go in; False where too many wait, or it took too long."""
        if len(self._waiters) >= self._queue:
            return False
        place = asyncio.get_running_loop().create_future()
        self._waiters.append(place)
        try:
            async with asyncio.timeout(self._patience):
                await place
        except BaseException as error:
            if place.done() and not place.cancelled():
                self.leave()  # it was given in the same moment
            with suppress(ValueError):
                self._waiters.remove(place)
            if isinstance(error, TimeoutError):
                return False
            raise
        return True

    def leave(self) -> None:
        """Give the place to the next who waits."""
        while self._waiters:
            place = self._waiters.popleft()
            if not place.done():
                place.set_result(None)
                return
        self.inside -= 1

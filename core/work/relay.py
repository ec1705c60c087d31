"""The relay: events become work (reliability.md 3.2.8).

One transaction takes the oldest complete events, in order, and makes the executions their kinds call for; whatever it
needs of an event stands in the tasks, so the event itself is removed. An event whose kind has no route is removed too.
Webhooks, replication and scans add routes.

What follows from pushes can wait for them: while they come, the relay lets them gather, so that an import has the
machine for itself and its hundreds of versions become a few tasks.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Final

from ..records.database import Connection, Database
from ..records.events import Event, gathering, take_events
from .queue import start
from .task import Wanted

Route = Callable[[Sequence[Event]], Iterable[Wanted]]
"""What is to be done for some events of one kind, given in order."""

BATCH: Final = 500
QUIET: Final = timedelta(seconds=0.5)
"""So long without an event ends a run of them: pushes of one import are tens of milliseconds apart."""
LONGEST: Final = timedelta(seconds=5)
"""So long an event waits for those after it: whoever pushes without a pause still sees what follows soon."""


async def relay(
    database: Database,
    routes: Mapping[str, Route],
    batch: int = BATCH,
    also: Callable[[Connection, Sequence[Event]], Awaitable[None]] | None = None,
) -> int:
    """Take up to `batch` events; returns how many there were. `also` is told of all of them, in the same transaction:
    for what depends on records."""

    async def take(conn: Connection) -> int:
        events = await take_events(conn, batch)
        for kind in dict.fromkeys(event.kind for event in events):
            if kind in routes:
                for wanted in routes[kind]([event for event in events if event.kind == kind]):
                    await start(conn, wanted)
        if also is not None and events:
            await also(conn, events)
        return len(events)

    return await database.run(take)


class Relay:
    """`step` is a `relay` that lets events gather: none is taken while they come (see QUIET, LONGEST)."""

    def __init__(
        self,
        database: Database,
        routes: Mapping[str, Route],
        also: Callable[[Connection, Sequence[Event]], Awaitable[None]] | None = None,
    ) -> None:
        self._database = database
        self._routes = routes
        self._also = also

    async def step(self) -> int:
        """How many events were taken."""
        async with self._database.acquire() as conn:
            if await gathering(conn, QUIET, LONGEST):
                return 0
        return await relay(self._database, self._routes, also=self._also)

"""Requests a second: a token bucket of each account, robot and address that asks, in this process's memory.

A limit holds for all nodes together: each lets its part of it pass, the limit divided by the processes that run
(nodes.py), so no request waits for another node. Answers say how much is left, in the words of the IETF's draft
(draft-ietf-httpapi-ratelimit-headers-10): a full bucket is the quota `q`, the seconds that fill it are the window `w`.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, NamedTuple

from starlette.types import Scope

from ...core.access import SYSTEM, Principal
from ...core.oci.errors import TooManyRequests
from ..middleware import Exchange
from ..origin import neighbourhood
from .refusals import Refusals
from .settings import Rates as Settings

KEYS = 65_536
"""Buckets kept of each kind (some 20 MB at the most): of more, those are forgotten that were used longest ago."""
FREE = frozenset((b"/v2/", b"/v2", b"/api/v2.0/ping", b"/api/v2.0/health"))
"""What every client begins with, and probes ask for: never counted."""


class Taken(NamedTuple):
    """Whether a request may pass, what is left in its bucket, how much it holds, seconds until it is full, and until it
    has one more."""

    passes: bool
    left: int
    holds: int
    full_in: int
    wait: int


ROUNDING: Final = 1e-9
"""What may be wanting of one: 5 s of a fifth a second are a little less in floats, and 5 s were asked for."""


class Buckets:
    """A bucket for each key, full at first: it holds what `rate` a second gives in `seconds`, and at least one."""

    def __init__(self, rate: float, seconds: float, most: int = KEYS) -> None:
        self._rate, self._seconds, self._most = rate, seconds, most
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._levels)

    def take(self, key: str, parts: int, now: float) -> Taken:
        """Take one from a key's bucket, where `parts` processes have a part of the rate each; `now` in seconds of a
        clock that never goes back."""
        rate = self._rate / parts
        holds = max(1.0, rate * self._seconds)
        level, at = self._levels.pop(key, (holds, now))
        level = min(holds, level + max(0.0, now - at) * rate)
        passes = level >= 1 - ROUNDING
        level = max(0.0, level - passes)
        self._levels[key] = level, now
        if len(self._levels) > self._most:
            self._levels.popitem(last=False)
        wait = 0 if level >= 1 else max(1, math.ceil((1 - level) / rate))
        return Taken(passes, int(level), int(holds), math.ceil((holds - level) / rate), wait)


class Rates:
    """The limits of a configuration; `nodes` tells how many processes share them."""

    def __init__(
        self,
        settings: Settings,
        refusals: Refusals,
        nodes: Callable[[], int],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._principals = Buckets(settings.principal, settings.burst) if settings.principal else None
        self._addresses = Buckets(settings.address, settings.burst) if settings.address else None
        self._window, self._refusals, self._nodes, self._clock = settings.burst, refusals, nodes, clock

    @property
    def limited(self) -> bool:
        """Whether there is any limit."""
        return self._principals is not None or self._addresses is not None

    def count(self, scope: Scope, who: Principal) -> None:
        """One request of somebody; of nobody (or of everybody, without accounts) it is his address's. TooManyRequests
        with Retry-After where the limit is reached."""
        if who.kind == "anonymous" or who == SYSTEM:
            self.count_address(scope)
        elif self._principals is not None:
            self._take(self._principals, "principal", who.key, scope)

    def count_address(self, scope: Scope) -> None:
        """One request of an address, also where its credentials were no good."""
        if self._addresses is not None:
            self._take(self._addresses, "address", neighbourhood(scope), scope)

    def _take(self, buckets: Buckets, kind: str, key: str, scope: Scope) -> None:
        if scope.get("raw_path") in FREE:
            return
        taken = buckets.take(key, self._nodes(), self._clock())
        exchange: Exchange | None = scope["state"].get("exchange")
        if exchange is not None:
            window = math.ceil(self._window)
            exchange.add(b"ratelimit-policy", f'"{kind}";q={taken.holds};w={window}'.encode())
            exchange.add(b"ratelimit", f'"{kind}";r={taken.left};t={taken.full_in}'.encode())
        if not taken.passes:
            self._refusals.count(f"rate_{kind}")
            whose = "this address" if kind == "address" else "this account"
            message = f"too many requests of {whose}; try again in {taken.wait} s"
            raise TooManyRequests(message, headers={"Retry-After": str(taken.wait)})

"""What is known of a process's load, in one place: who waits, how much memory is used, what was refused."""

import random
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from ...core.oci.errors import Unavailable
from ..config import Config
from . import memory
from .lane import Lane
from .memory import Level, Memory
from .refusals import REASONS, Refusals

LARGE = 1 << 20
"""Bytes of a body, either way, that count as large."""
FILES_UPLOADS, OBJECTS_UPLOADS = 512, 64
"""Uploads at once by default: to files they take little memory, to an object store two parts each."""


@dataclass(frozen=True, slots=True)
class Load:
    """Of one process."""

    requests: Lane
    uploads: Lane
    memory: Memory
    refusals: Refusals

    def spare(self) -> None:
        """Before work that takes memory. Unavailable where that runs short."""
        if self.memory.level >= Level.SHED:
            self.refusals.count("memory_shed")
            raise Unavailable(told("memory_shed"), headers={"Retry-After": later()})


def load_of(config: Config, registry: CollectorRegistry) -> Load:
    """What a configuration allows; counted in `registry`."""
    settings, uploads = config.limits, config.limits.uploads
    if uploads is None:
        uploads = FILES_UPLOADS if config.storage.driver in ("filesystem", "inmemory") else OBJECTS_UPLOADS
    return Load(
        Lane(settings.requests, settings.queue, settings.wait),
        Lane(uploads, settings.queue, settings.wait),
        Memory(memory.limits(settings.memory), settings.shed, settings.refuse),
        Refusals(registry),
    )


def told(reason: str) -> str:
    """What a client reads of a reason to refuse."""
    return f"the server is at its limit ({REASONS[reason]}); try again soon"


def later() -> str:
    """Retry-After in seconds: not all at once again."""
    return str(random.randint(2, 6))

"""The section `limits` of the configuration."""

from typing import Annotated

from msgspec import Meta

from ..sections import Section
from ..units import Duration, Size


class Rates(Section, frozen=True):
    """Requests a second of one account or robot, and of one address without either, over all nodes; 0: no limit."""

    principal: Annotated[float, Meta(ge=0)] = 0
    address: Annotated[float, Meta(ge=0)] = 0
    burst: Duration = Duration(30)


class Limits(Section, frozen=True):
    """What one process takes on at once; 0: as much as comes. Shares are parts of the memory that it may have."""

    rate: Rates = Rates()
    requests: Annotated[int, Meta(ge=0)] = 2048
    uploads: Annotated[int, Meta(ge=0)] | None = None
    queue: Annotated[int, Meta(ge=0)] = 1024
    wait: Duration = Duration(10)
    memory: Size | None = None
    shed: Annotated[float, Meta(gt=0, le=1)] = 0.85
    refuse: Annotated[float, Meta(gt=0, le=1)] = 0.95

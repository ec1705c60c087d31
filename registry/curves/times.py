"""Times in queries: `at=2026-11-26T12:00:00Z`."""

from datetime import UTC, datetime
from typing import Annotated

import msgspec

from ...core.oci.errors import QueryInvalid
from ...core.records.catalog_conditions import moment
from ..endpoint import described

_Text = Annotated[str, msgspec.Meta(max_length=64)]
At = Annotated[_Text | None, described("What the tag named at this time: ISO 8601, UTC where it does not say.")]


def time_of(text: str | None) -> datetime:
    """The time that `at` says; now where it is absent. QueryInvalid where it is none."""
    if text is None:
        return datetime.now(UTC)
    try:
        return moment(text)
    except ValueError:
        raise QueryInvalid(f"at: {text[:80]!r} is no time: write it as 2026-11-26T12:00:00Z") from None

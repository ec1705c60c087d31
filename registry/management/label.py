"""A label as clients see it."""

from datetime import datetime
from typing import Any

import msgspec


class Label(msgspec.Struct, frozen=True):
    """A word to put on artifacts; scope g: of the registry, p: of a project. color: such as #0065AB."""

    id: int
    name: str
    description: str
    color: str
    scope: str
    project_id: int
    creation_time: datetime
    update_time: datetime


def label_of(row: Any) -> Label:
    """From a row of core/records/labels.py."""
    return Label(
        row["id"],
        row["name"],
        row["description"],
        row["color"],
        "g" if row["project_id"] is None else "p",
        row["project_id"] or 0,
        row["creation_time"],
        row["update_time"],
    )
